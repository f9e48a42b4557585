"""Files of features, a row per frame: they grow while a video streams, and end as NumPy or HDF5 files.

While they grow, the rows are in a .npy file (NumPy Enhancement Proposal 1, format 1.0) whose header has room for the
number of rows that is not known yet, and the times are bare float64: whatever stops the program, what is whole in
them can be gone on with, which is not so of an HDF5 file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.files import atomic_path, remove, write_json
from tools import feed
from tools.video_stream import Rows

HEADER = 256  # bytes; a multiple of 64, as the format wants
CHUNK = 1 << 18  # values in a piece that is copied, or in a chunk of HDF5: 1 MB
NUMBER = np.dtype("<f4")
SECONDS = np.dtype("<f8")
ROWS_PART, TIMES_PART, PART_OF = "features.npy.part", "times.part", "features.json.part"  # while they grow


def growing(folder: Path, shape: Sequence[int]) -> Rows:
    """Rows of `shape` and their times, in a folder, in their temporary place."""
    rows, times = folder / ROWS_PART, folder / TIMES_PART
    size = NUMBER.itemsize * int(np.prod(shape, dtype=np.int64))

    def begin() -> None:
        rows.write_bytes(_header(0, shape))
        times.write_bytes(b"")

    def keep(whole: int) -> int:
        found = min((rows.stat().st_size - HEADER) // size, times.stat().st_size // SECONDS.itemsize)
        kept = max(0, found - found % whole)
        if kept:
            os.truncate(rows, HEADER + kept * size)
            os.truncate(times, kept * SECONDS.itemsize)
        return kept

    def append(batch: feed.Batch, values: np.ndarray) -> None:
        for file, array in ((rows, values.astype(NUMBER)), (times, batch.times.astype(SECONDS))):
            with open(file, "ab") as grown:
                grown.write(array.tobytes())

    return Rows((rows, times), folder / PART_OF, begin, keep, append)


def grown(folder: Path, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Times (frames,) and rows (frames, *shape) of what has grown in a folder, in memory."""
    with open(folder / ROWS_PART, "rb") as file:
        file.seek(HEADER)
        return np.fromfile(folder / TIMES_PART, SECONDS), np.fromfile(file, NUMBER).reshape(-1, *shape)


def finish_npy(folder: Path, shape: Sequence[int], about: Mapping[str, Any]) -> None:
    """Make features.npy (frames, *shape), times.npy (frames,) and features.json of what has grown in a folder."""
    times = np.fromfile(folder / TIMES_PART, SECONDS)
    with open(folder / ROWS_PART, "r+b") as file:
        file.write(_header(len(times), shape))
    with atomic_path(folder / "times.npy") as temporary:
        np.save(temporary, times)
    remove(folder / "features.h5")
    os.replace(folder / ROWS_PART, folder / "features.npy")
    _end(folder, about)


def finish_hdf5(folder: Path, shape: Sequence[int], about: Mapping[str, Any]) -> None:
    """Make features.h5 of what has grown in a folder: datasets `features` (frames, *shape), float32, and `times`
    (frames,), seconds; attributes say what features.json says."""
    import h5py

    times = np.fromfile(folder / TIMES_PART, SECONDS)
    values = int(np.prod(shape, dtype=np.int64))
    step = max(1, min(len(times), CHUNK // values))
    with atomic_path(folder / "features.h5") as temporary, h5py.File(str(temporary), "w") as made:
        features = made.create_dataset("features", (len(times), *shape), NUMBER, chunks=(step, *shape))
        with open(folder / ROWS_PART, "rb") as file:
            file.seek(HEADER)
            for start in range(0, len(times), step):
                piece = np.fromfile(file, NUMBER, min(step, len(times) - start) * values)
                features[start : start + step] = piece.reshape(-1, *shape)
        made.create_dataset("times", data=times).attrs["unit"] = "seconds"
        for key, value in about.items():
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                made.attrs.create(key, value, dtype=h5py.string_dtype())
            else:
                made.attrs[key] = json.dumps(value) if value is None or isinstance(value, (dict, list)) else value
    for name in ("features.npy", "times.npy", ROWS_PART):
        remove(folder / name)
    _end(folder, about)


FORMATS = {"hdf5": ("features.h5", finish_hdf5), "npy": ("features.npy", finish_npy)}


def _end(folder: Path, about: Mapping[str, Any]) -> None:
    write_json(folder / "features.json", dict(about))
    for name in (TIMES_PART, PART_OF):
        remove(folder / name)


def _header(rows: int, shape: Sequence[int]) -> bytes:
    """The head of a .npy file, HEADER bytes of it; raises ValueError for a shape that does not fit in."""
    described = repr({"descr": NUMBER.str, "fortran_order": False, "shape": (rows, *map(int, shape))})
    start = np.lib.format.magic(1, 0) + (HEADER - 10).to_bytes(2, "little")
    text = described.encode("ascii").ljust(HEADER - len(start) - 1) + b"\n"
    if len(start + text) != HEADER:
        raise ValueError(f"an array of shape {(rows, *shape)} has too long a header")
    return start + text
