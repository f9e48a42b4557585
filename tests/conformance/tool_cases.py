"""Caffe's command-line tools on small images, in real Caffe 1.0 (Python 3.9, numpy 1.19) and here alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

# name: flags of convert_imageset; those of the first table give the same pixels under every OpenCV
PIXELS = {
    "plain": [],
    "gray": ["--gray"],
    "resized": ["-resize_width", "16", "--resize_height=12"],
    "width_alone": ["--resize_width=16"],
    "checked": ["-check_size", "-resize_height", "5", "-resize_width", "6", "--nogray"],
}
ENCODED = {
    "encoded": ["-encoded"],
    "encoded_gray": ["--encoded=true", "-gray", "-encode_type", "png"],
    "as_jpg": ["--encode_type=jpg"],
    "encoded_resized": ["--encoded", "--resize_height=9", "--resize_width=8"],
}
LIST, ROOT = "list.txt", "images/"


def write_images(folder: Path, kinds: tuple[str, ...]) -> None:
    """Images of several sizes, grey, with alpha, in subfolders, with spaces, missing; and the list of them."""
    import cv2

    random = np.random.RandomState(3)
    (folder / ROOT / "sub").mkdir(parents=True)
    lines = []
    for k in range(10):
        size = (20, 30) if k < 6 else (17 + k, 40 - k)
        image = random.randint(0, 256, (*size, (3, 3, 1, 4)[k % 4])).astype(np.uint8)
        name = f"sub/an image {k}.{kinds[k % len(kinds)]}" if k % 3 else f"{k}.{kinds[k % len(kinds)]}"
        if name.endswith(("jpg", "JPEG", "bmp")):
            image = image[:, :, :3]
        cv2.imwrite(str(folder / ROOT / name), cv2.GaussianBlur(image, (5, 5), 0))
        lines.append(f"{name} {k - 2}")
    (folder / LIST).write_text("\n".join([*lines[:4], "missing.png 1", *lines[4:]]) + "\n")


def entries(database: Path) -> list[tuple[bytes, bytes]]:
    """All keys and values."""
    import lmdb

    with lmdb.open(str(database), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return list(transaction.cursor())


def digest(database: Path) -> str:
    """Of all keys and values, with their lengths."""
    found = hashlib.sha256()
    for pair in entries(database):
        for part in pair:
            found.update(f"{len(part)}:".encode() + part)
    return found.hexdigest()
