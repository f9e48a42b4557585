"""A dataset's videos for browsers: when each frame is shown, and a file that browsers play."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.transfer.checking import check
from data_prep.transfer.normalise import normalise
from data_prep.video import frame_times

FOLDER = "annotation"  # in the dataset
STEADY = 1e-6  # seconds that a frame of a steady rate may be off


def times_file(dataset: Path, stem: str) -> Path:
    """Where the times of a video's frames are kept."""
    return dataset / FOLDER / f"{stem}.times.npy"


def keep_times(dataset: Path, video: Path) -> np.ndarray:
    """Find out when each frame is shown, and keep that; float64 (frames,). Raises InputError as `frame_times` does."""
    found = frame_times(video)
    if not len(found):
        raise InputError(f"{video}: holds no frame; remove it")
    with atomic_path(times_file(dataset, video.stem)) as temporary, open(temporary, "wb") as file:
        np.save(file, found)
    times.cache_clear()
    return found


@lru_cache(maxsize=16)
def times(dataset: Path, stem: str) -> np.ndarray:
    """What `keep_times` kept."""
    return np.load(times_file(dataset, stem), allow_pickle=False)


def steady_step(found: np.ndarray) -> float | None:
    """The seconds that every frame is shown, None where they differ or there is one frame."""
    if len(found) < 2:
        return None
    step = float(found[-1] / (len(found) - 1))
    return step if np.abs(found - step * np.arange(len(found))).max() < STEADY else None


def playable(dataset: Path, video: Path, told: Callable[[int], None]) -> Path:
    """A file with a video's frames that browsers play: itself, or an H.264 copy in the dataset's `annotation/`, made
    where there is none. Every frame is decoded; `told` gets the number of frames done. Raises InputError."""
    facts = check(video, str(video), told)
    if facts.playable:
        return video
    made = dataset / FOLDER / f"{video.stem}.playable.mp4"
    with atomic_path(made) as temporary:
        normalise(video, facts, temporary, told)
    return made
