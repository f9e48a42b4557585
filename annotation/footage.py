"""A dataset's videos for browsers: when each frame is shown, and a file that browsers play."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.video import frame_times

FOLDER = "annotation"  # in the dataset
STEADY = 1e-6  # seconds that a frame of a steady rate may be off
PLAYED = {".mp4": ("h264", "av1", "vp9"), ".m4v": ("h264",), ".mov": ("h264",), ".webm": ("vp8", "vp9", "av1")}


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


def is_played(video: Path) -> bool:
    """Whether browsers play a file as it is: by its ending, its codec and its pixels."""
    import av

    with av.open(f"file:{video}") as container:
        stream = container.streams.video[0]
        pixels = stream.codec_context.pix_fmt or ""
        codecs = PLAYED.get(video.suffix.lower(), ())
        return stream.codec_context.name.replace("lib", "") in codecs and pixels in ("yuv420p", "yuvj420p", "gray")
