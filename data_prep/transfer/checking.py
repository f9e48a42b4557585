"""Checking a video that has come in: every frame is decoded, and a browser's needs are compared with what it is."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np

from data_prep.errors import InputError
from data_prep.video import probe, read_times

# What every current browser plays: FFmpeg's names of container and codec → pixel formats.
PLAYABLE = {
    ("mp4", "h264"): ("yuv420p", "yuvj420p"),
    ("mp4", "av1"): ("yuv420p",),
    ("webm", "vp8"): ("yuv420p",),
    ("webm", "vp9"): ("yuv420p",),
    ("webm", "av1"): ("yuv420p",),
}


@dataclass(frozen=True)
class Facts:
    """A video whose every frame was decoded: seconds of each from the first one, float64 (frames,); size in pixels as
    shown; what it is, such as "ffv1 gray in avi"; whether browsers play it; what was noticed, a line each."""

    times: np.ndarray
    width: int
    height: int
    kind: str
    playable: bool
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """The time of the last frame since the first."""
        return float(self.times[-1])

    @property
    def fps(self) -> float | None:
        """Frames per second on average; None for a single frame."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else None


def check(path: Path, called: str, told: Callable[[int], None]) -> Facts:
    """Decode every frame of a video. `told` gets the number of frames after each.

    Raises InputError, with `called` in the place of the path, if one cannot be decoded or the file is cut short.
    """
    times, shape = [], (0, 0)
    warnings = io.StringIO()
    try:
        probe(path)
        with redirect_stderr(warnings):
            for index, seconds, size in read_times(path):
                times.append(seconds)
                shape = size
                told(index + 1)
    except InputError as error:
        raise InputError(str(error).replace(str(path), called)) from None
    lines = [line.split("warning: ")[-1].replace(f"{path}: ", "") for line in warnings.getvalue().splitlines()]
    container, codec, pixels = _kind(path)
    playable = pixels in PLAYABLE.get((container, codec), ())
    return Facts(
        np.array(times), shape[1], shape[0], f"{codec} {pixels} in {container}", playable, tuple(filter(None, lines))
    )


def promised_frames(path: Path) -> int | None:
    """The frames that a file says it has, before they are decoded; None where it does not say or cannot be read."""
    try:
        return probe(path).frames
    except InputError:
        return None


def _kind(path: Path) -> tuple[str, str, str]:
    """Container, codec and pixel format, by FFmpeg's names, but for one a container."""
    import av

    with av.open(f"file:{path}", metadata_errors="replace") as container:
        stream: Any = container.streams.video[0]
        names = container.format.name.split(",")
        family = "mp4" if "mp4" in names else "webm" if "webm" in names and path.suffix == ".webm" else names[0]
        return family, stream.codec_context.name, stream.codec_context.pix_fmt or "unknown"
