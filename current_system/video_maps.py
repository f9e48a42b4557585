"""What the current system sees of a video, kept beside it: C1 and the position of every frame.

`DATASET/current_system/<video's stem>.npz` holds maps, uint8 (frames, 4, cells, cells), and rows, float32 (frames, 11).
It depends on the video, its crop and its feeder alone, so every fold of a cross-validation uses the same.
"""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from current_system.maps import LEAD, c1_maps
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, locked
from data_prep.images import crop_grey
from data_prep.parallel import run_jobs
from data_prep.position import FEEDER, Tracker
from data_prep.progress import Progress
from data_prep.streams import start_pictures
from data_prep.video import read_frames

FOLDER = "current_system"
VERSION = 1  # of how maps and rows are computed


class Seen(NamedTuple):
    """maps: uint8 (frames, 4, cells, cells). rows: `data_prep.position`'s, float32 (frames, 11)."""

    maps: np.ndarray
    rows: np.ndarray


class Frame(NamedTuple):
    """A frame's time in seconds, its C1 map, uint8 (4, cells, cells), and its row of `data_prep.position` (11,)."""

    seconds: float
    c1: np.ndarray
    row: np.ndarray


class Order(NamedTuple):
    """A video to be looked at, and where the result goes."""

    video: Path
    target: Path
    crop: tuple[int, int, int, int] | None
    feeder: Sequence[float]
    mark: str


def prepare(dataset: datasets.Dataset, stems: Sequence[str], workers: int, quiet: bool) -> None:
    """Look at those videos that were not looked at yet, as they are now, several at once. Raises InputError.

    Folds that are trained side by side want the same videos: one process looks, the others wait.
    """
    folder = dataset.path / FOLDER
    folder.mkdir(exist_ok=True)
    with locked(folder, wait=True):
        orders = [order for order in (_order(dataset, stem) for stem in stems) if not _there(order)]
        if not orders:
            return
        total = sum(datasets.prepared(dataset, order.target.stem).frames for order in orders)
        with Progress(total, "frames", "current system: S1 and C1", quiet) as progress:
            for fault in run_jobs(look, orders, workers, progress.update):
                raise InputError(fault)


def read(dataset: datasets.Dataset, stem: str) -> Seen:
    """A video that was prepared. Raises InputError where it was not, or was changed since."""
    order = _order(dataset, stem)
    if not _there(order):
        raise InputError(f"{order.target}: not there, or of another video; give the command again")
    with np.load(order.target, allow_pickle=False) as held:
        return Seen(held["maps"], held["rows"])


def look(order: Order, report: Callable[[int], None]) -> None:
    """Compute one video's maps and rows, streaming, and write them whole or not at all."""
    maps, rows = [], []
    for frame in frames(order.video, order.crop, order.feeder):
        maps.append(frame.c1)
        rows.append(frame.row)
        report(1)
    with atomic_path(order.target) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, maps=np.array(maps), rows=np.array(rows, np.float32), mark=np.array(order.mark))


def frames(
    video: Path, crop: tuple[int, int, int, int] | None, feeder: Sequence[float], first: int = 0
) -> Iterator[Frame]:
    """What the current system sees of a video's frames from number `first` on, streaming.

    The animal is followed from frame 0 whatever `first` is: a position depends on all frames before. Raises InputError
    as `read_frames` does.
    """
    tracker = Tracker(start_pictures(video, crop), feeder)
    before = min(first, LEAD)  # frames that only the first map looks back at
    waiting: deque[tuple[float, np.ndarray]] = deque()  # of frames whose map is still to come

    def tracked() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for index, seconds, grey in read_frames(video):
            cropped = crop_grey(grey, crop)
            row = tracker.row(cropped, seconds)
            if index >= first - before:
                waiting.append((seconds, row))
                yield cropped, row

    for number, c1 in enumerate(c1_maps(tracked())):
        seconds, row = waiting.popleft()
        if number >= before:
            yield Frame(seconds, c1, row)


def _order(dataset: datasets.Dataset, stem: str) -> Order:
    meta = datasets.prepared(dataset, stem).meta
    crop, feeder = meta.get("crop"), meta.get("feeder") or FEEDER
    mark = f"{VERSION} {meta['sha256']} {crop} {list(feeder)}"
    target = dataset.path / FOLDER / f"{stem}.npz"
    return Order(dataset.videos[stem], target, tuple(crop) if crop else None, feeder, mark)


def _there(order: Order) -> bool:
    try:
        with np.load(order.target, allow_pickle=False) as held:
            return str(held["mark"]) == order.mark
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
