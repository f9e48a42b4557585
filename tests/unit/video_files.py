"""Small videos for tests, with chosen timestamps, codecs and sizes."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TICKS = 90000  # per second
FRAME = 3000  # ticks of a frame at 30 frames per second


def moving_square(frames: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Grey frames with a white square that goes right, two pixels a frame, and comes in again on the left."""
    pictures = []
    for frame in range(frames):
        picture = np.full((height, width), 60, np.uint8)
        left = 2 * frame % (width - 10)
        picture[16:28, left : left + 10] = 220
        pictures.append(picture)
    return pictures


def write_video(
    path: Path,
    pictures: list[np.ndarray],
    codec: str = "libx264",
    ticks: list[int] | None = None,
    pixels: str = "yuv420p",
    layout: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write grey pictures; `ticks` are their times in 1/90000 s (default: 30 frames per second)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=layout, options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=30)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = pixels
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, TICKS)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format=pixels)
            frame.pts = index if ticks is None else ticks[index]
            frame.time_base = Fraction(1, 30) if ticks is None else Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn_clockwise(path: Path) -> None:
    """Give an MP4's track the matrix with which phones mark an upright film: to be turned by 90°."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def cut(path: Path, target: Path, share: float = 0.6) -> Path:
    """A copy with only the first part of the file."""
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target
