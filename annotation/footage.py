"""A dataset's videos for browsers: when each frame is shown, and a file that browsers play."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep.files import atomic_path
from data_prep.transfer.checking import Facts
from data_prep.transfer.normalise import normalise

FOLDER = "annotation"  # in the dataset
STEADY = 1e-6  # seconds that a frame of a steady rate may be off


def times_file(dataset: Path, stem: str) -> Path:
    """Where the times of a video's frames are kept."""
    return dataset / FOLDER / f"{stem}.times.npy"


@lru_cache(maxsize=16)
def times(dataset: Path, stem: str) -> np.ndarray:
    """Seconds of every frame from the first one, float64 (frames,), as `take` kept them."""
    return np.load(times_file(dataset, stem), allow_pickle=False)


def steady_step(found: np.ndarray) -> float | None:
    """The seconds that every frame is shown, None where they differ or there is one frame."""
    if len(found) < 2:
        return None
    step = float(found[-1] / (len(found) - 1))
    return step if np.abs(found - step * np.arange(len(found))).max() < STEADY else None


def take(dataset: Path, video: Path, facts: Facts) -> Path:
    """Keep when each frame of a video that was checked is shown; returns a file with the same frames that browsers
    play: itself, or an H.264 copy in the dataset's `annotation/`. Raises InputError as `normalise` does."""
    shown = video
    if not facts.playable:
        shown = dataset / FOLDER / f"{video.stem}.playable.mp4"
        with atomic_path(shown) as temporary:
            normalise(video, facts, temporary, _untold)
    with atomic_path(times_file(dataset, video.stem)) as temporary, open(temporary, "wb") as file:
        np.save(file, facts.times)
    times.cache_clear()
    return shown


def _untold(frames: int) -> None:
    """Progress is told per video."""
