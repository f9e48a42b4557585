"""store the images that a list names, with their labels, in a database"""

from __future__ import annotations

import os
from collections.abc import Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.flags import Flag, Value

USAGE = "[FLAGS] ROOTFOLDER/ LISTFILE DB_NAME"
ARGUMENTS = (3, 3)
FLAGS = {
    "gray": Flag(False, "read the images in grey"),
    "shuffle": Flag(False, "store them in random order"),
    "backend": Flag("lmdb", "the kind of database: lmdb or leveldb", "KIND"),
    "resize_width": Flag(0, "the width to resize to, together with the height", "PIXELS"),
    "resize_height": Flag(0, "the height to resize to", "PIXELS"),
    "check_size": Flag(False, "refuse images of different sizes"),
    "encoded": Flag(False, "store the images encoded (PNG, JPEG …), not as pixels"),
    "encode_type": Flag("", "how to encode them: png, jpg …; else as their names end", "TYPE"),
}
COMMIT = 1000  # images that are stored at a time


def run(flags: Mapping[str, Value], arguments: list[str]) -> None:
    """tools/convert_imageset.cpp. An image that cannot be read is named in the log and left out."""
    from caffe.commands.datum_writer import new_database
    from caffe.random import rng

    root, list_file, database = arguments
    lines = read_list(list_file)
    if flags["shuffle"]:
        glog.info("Shuffling data")
        lines = [lines[i] for i in rng.main().shuffled(len(lines))]
    glog.info(f"A total of {len(lines)} images.")
    encode_type = str(flags["encode_type"])
    if encode_type and not flags["encoded"]:
        glog.info("encode_type specified, assuming encoded=true.")
    size = (max(0, int(flags["resize_width"])), max(0, int(flags["resize_height"])))
    first_shape: tuple[int, ...] | None = None
    count = 0
    with new_database(database, str(flags["backend"])) as out:
        for index, (name, label) in enumerate(lines):
            kind = encode_type or (_ending(name) if flags["encoded"] else "")
            image = _image(root + name, size, bool(flags["gray"]))
            if image is None:
                glog.error(f"Could not open or find file {root + name}")
                continue
            first_shape = first_shape or image.shape
            if flags["check_size"] and image.shape != first_shape:
                raise CaffeError(f"{root + name}: is {_size(image.shape)}, the images before it {_size(first_shape)}; "
                                 "resize them (--resize_width, --resize_height) or leave out --check_size")
            resized = any(size)
            out.put(f"{index:08d}_{name}".encode("utf-8", "surrogateescape"),
                    _datum(image, label, kind, root + name, resized, bool(flags["gray"])))
            count += 1
            if count % COMMIT == 0:
                out.commit()
                glog.info(f"Processed {count} files.")
        if not count:
            raise CaffeError(f"{list_file}: none of its {len(lines)} images could be read below '{root}'; names are "
                             "appended to the root folder as they are, so end that with /")
        if count % COMMIT:
            out.commit()
            glog.info(f"Processed {count} files.")


def read_list(file: str) -> list[tuple[str, int]]:
    """(name, label) of each line `name label`; the label is what follows the last space. Raises CaffeError."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            lines = stream.read().split("\n")
    except OSError as error:
        raise CaffeError(f"{file}: the list of images cannot be read: {error.strerror}") from None
    if lines[-1] == "":
        lines.pop()
    rows = []
    for number, line in enumerate(lines, 1):
        name, _, label = line.rpartition(" ")
        try:
            rows.append((name, int(label)))
        except ValueError:
            raise CaffeError(f"{file}:{number}: a line is an image's name, a space and its label, a whole number; "
                             f"this one is '{line}'") from None
    if not rows:
        raise CaffeError(f"{file}: names no images; give one in each line, with its label")
    return rows


def _image(file: str, size: tuple[int, int], gray: bool):
    """Pixels as OpenCV reads them: height × width × BGR, or height × width in grey; None if it is no image."""
    import cv2

    image = cv2.imread(file, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR) if os.path.isfile(file) else None
    return cv2.resize(image, size) if image is not None and all(size) else image


def _datum(image, label: int, kind: str, file: str, resized: bool, gray: bool) -> bytes:
    """The Datum of ReadImageToDatum (src/caffe/util/io.cpp): pixels by channel, or encoded.

    The file itself is taken where it is of that kind and neither resized nor made grey.
    """
    from caffe.proto import caffe_pb2

    if not kind:
        planes = image.transpose(2, 0, 1) if image.ndim == 3 else image[None]
        channels, height, width = planes.shape
        return caffe_pb2.Datum(channels=channels, height=height, width=width, data=planes.tobytes(), label=label,
                               encoded=False).SerializeToString()
    if not resized and (image.ndim == 3) != gray and _is_kind(file, kind):
        with open(file, "rb") as stream:
            data = stream.read()
    else:
        data = _encoded(image, kind, file)
    return caffe_pb2.Datum(data=data, label=label, encoded=True).SerializeToString()


def _encoded(image, kind: str, file: str) -> bytes:
    import cv2

    try:
        return cv2.imencode(f".{kind}", image)[1].tobytes()
    except cv2.error:
        raise CaffeError(f"{file}: OpenCV cannot encode images as '{kind}'; give --encode_type=png or jpg") from None


def _ending(name: str) -> str:
    if "." not in name:
        glog.warning(f"Failed to guess the encoding of '{name}'")
    return name.rpartition(".")[2].lower()


def _is_kind(file: str, kind: str) -> bool:
    ending = file.rpartition(".")[2].lower()
    return ending == kind.lower() or (kind.lower(), ending) == ("jpg", "jpeg")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]} pixels"
