"""The videos that are measured on: a simulated minute, a smaller one, and long ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.way import Way
from data_prep import video
from data_prep.files import atomic_path

SEED = 1
SECONDS = 60
RATE = 30


class Footage(NamedTuple):
    """A video, what it is in words, how many frames it has, and how many a second."""

    file: Path
    about: str
    frames: int
    rate: float

    @property
    def minutes(self) -> float:
        return self.frames / self.rate / 60


def footage(way: Way) -> Footage:
    """The video that was given, or a simulated minute of 640×480 pixels, made once."""
    file = way.video or simulated(way.scratch / "data", way.quiet) / "videos" / "cage_01.mp4"
    info = video.probe(file)
    frames = video.count_frames(file)
    source = way.video.name if way.video else "a simulated minute"
    about = f"{source}: {frames} frames of {info.width}×{info.height} pixels, {info.fps:.0f} a second"
    return Footage(file, about, frames, info.fps)


def simulated(folder: Path, quiet: bool) -> Path:
    """A dataset of one simulated minute, with its labels."""
    from data_prep.simulate import simulate

    if not (folder / "videos" / "cage_01.mp4").is_file():
        simulate(folder, 1, SECONDS, SEED, True, 1, quiet)
    return folder


def smaller(file: Path, target: Path, width: int, height: int) -> Path:
    """The same video squashed to width×height pixels, encoded anew."""
    import cv2

    from data_prep.simulate.movie import write_movie

    def frames() -> Iterator[np.ndarray]:
        for _, _, grey in video.read_frames(file):
            yield cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)

    if not target.is_file():
        with atomic_path(target) as temporary:
            write_movie(temporary, frames(), RATE)
    return target


def repeated(file: Path, times: int, target: Path) -> Path:
    """The video so many times on end, packet by packet: nothing is encoded anew."""
    import av

    if target.is_file():
        return target
    with atomic_path(target) as temporary, av.open(str(temporary), "w") as out:
        with av.open(str(file)) as source:
            stream = out.add_stream_from_template(source.streams.video[0])
        before = 0
        for _ in range(times):
            with av.open(str(file)) as source:
                length = 0
                for packet in source.demux(video=0):
                    if packet.dts is None or packet.pts is None:
                        continue
                    length = max(length, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + before, packet.dts + before
                    packet.stream = stream
                    out.mux(packet)
                before += length
    return target
