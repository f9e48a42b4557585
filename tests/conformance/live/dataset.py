"""What the networks are trained on: the real video of a mouse in its home cage where it is, else simulated ones."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np

from live.sides import REPOSITORY

SHARED = Path(os.environ.get("ETHOCAFFE_SHARED", REPOSITORY.parent / "shared" / "data"))
VIDEO = SHARED / "video" / "home_cage.mp4"
# labels of another program, burned into the picture below row 208, which is cut away
CLASSES = ("head", "walk", "groom", "rear", "rest")
REGION = (0, 0, 208, 320)


def described() -> str:
    """What the dataset is, in words."""
    if not VIDEO.is_file():
        return "two **simulated** videos (`ethocaffe simulate --videos 2 --seconds 45 --balanced --seed 1`)"
    return ("a **real** video of a mouse in its home cage (320×240, 1188 frames; five classes, labelled by another "
            "program; the part of the picture that shows its labels is cut away)")


def make(folder: Path, size: int) -> None:
    """Write and prepare the dataset at that size in pixels."""
    from data_prep.dataset import write_labels
    from tools import cli

    if not VIDEO.is_file():
        command = ["simulate", folder, "--videos", 2, "--seconds", 45, "--balanced", "--seed", 1]
        _run(cli, command, ["prepare", folder, "--size", size])
        return
    for part in ("videos", "labels"):
        (folder / part).mkdir(parents=True)
    shutil.copy(VIDEO, folder / "videos")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    with open(VIDEO.with_name("home_cage_captions.csv"), newline="") as file:
        labels = np.array([CLASSES.index(row["caption"]) for row in csv.DictReader(file)])
    write_labels(folder / "labels" / "home_cage.csv", CLASSES, labels)
    _run(cli, ["prepare", folder, "--size", size, "--crop", ",".join(map(str, REGION))])


def _run(cli, *commands) -> None:
    for command in commands:
        if cli.main([*map(str, command), "--quiet"]):
            raise RuntimeError("failed: ethocaffe " + " ".join(map(str, command)))
