"""Reading videos: grey frames with their timestamps, one after the other, decoded by FFmpeg through PyAV."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import local
from typing import Any, Callable

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from data_prep.errors import InputError, warn

REPAIR = "copy it again from its source, or keep what is left with `ffmpeg -i OLD NEW`"
MISSING_SECONDS = 0.2  # what a file may hold less than it promises in seconds, before it counts as cut short
GAP = 1.9  # times the usual step between two timestamps, from which a frame seems to be missing
RARE = 50  # a file has a steady rate if at most one step in so many is a gap


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself: the size of its frames as shown (pixels), and its average rate.

    `frames` is the number that the file promises, None where its format does not say.
    """

    width: int
    height: int
    frames: int | None
    fps: float


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Open a video and decode its first frame. Raises InputError if that cannot be done."""
    with _opened(path) as (container, stream):
        for packet in _packets(path, container, stream):
            for frame in _decode(path, packet, 0, 0.0):
                height, width = _shape(frame, stream)
                return VideoInfo(width, height, stream.frames or None, _rate(stream))
    raise InputError(f"{path}: holds no frame that can be decoded; record it again or remove it")


def count_frames(path: str | os.PathLike[str]) -> int:
    """The number of frames by the file's packets, without decoding them: fast, and nearly always exact.

    Frames that a decoder drops count too: the first ones of a recording that was cut out of a longer one.
    Raises InputError if the file is cut short.
    """
    with _opened(path) as (container, stream):
        return sum(packet.size > 0 and not getattr(packet, "is_discard", False)
                   for packet in _packets(path, container, stream))


def read_frames(path: str | os.PathLike[str]) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield (index, seconds, grey uint8 H×W) of every frame, in the order shown, keeping a few at a time.

    Seconds are the file's own timestamps, counted from the first frame, so variable rates are kept exactly.
    A frame that the container turns (a phone's upright video) is turned. Limited-range luma (16–235) becomes
    0–255.
    Raises InputError naming the file, the frame and what to do if the file is not a video, is damaged (where a
    decoder patches one frame it may have lost others, and every later frame would have a wrong number), is cut
    short, has no frame, or changes its size.
    """
    for index, seconds, grey in read_lazily(path):
        yield index, seconds, grey()


def read_lazily(path: str | os.PathLike[str]) -> Iterator[tuple[int, float, Callable[[], np.ndarray]]]:
    """Yield (index, seconds, grey) of every frame as `read_frames` does, with the same errors, but `grey()` makes the
    grey levels: not before they are wanted, and in whichever thread wants them."""
    own = local()  # a converter is quick once it has seen a frame, and is not for several threads
    with _opened(path) as (container, stream):
        for index, seconds, frame in _shown(path, container, stream):
            yield index, seconds, partial(_grey, frame, _quarters(frame, stream), own)


def read_times(path: str | os.PathLike[str]) -> Iterator[tuple[int, float, tuple[int, int]]]:
    """Yield (index, seconds, (height, width) in pixels) of every frame: it is decoded as in `read_frames`, with the
    same errors, but its grey levels are not made, which takes longer than to decode it."""
    with _opened(path) as (container, stream):
        for index, seconds, frame in _shown(path, container, stream):
            yield index, seconds, _shape(frame, stream)


def _shown(path: str | os.PathLike[str], container: Any, stream: Any) -> Iterator[tuple[int, float, Any]]:
    """Index, seconds and decoder's frame of every frame in the order shown; errors and warnings of `read_frames`."""
    index = 0
    first_time = seconds = 0.0
    shape = (0, 0)
    rate = _rate(stream)
    oddities = _Oddities()
    for packet in _packets(path, container, stream):
        oddities.add_packet(index, packet.is_corrupt)
        for frame in _decode(path, packet, index, seconds):
            time, before = _timestamp(frame, stream), seconds
            if index == 0:
                first_time = time or 0.0
            seconds = time - first_time if time is not None else index / rate
            size = _shape(frame, stream)
            if index == 0:
                shape = size
            elif size != shape:
                raise InputError(
                    f"{path}: the frame size changes from {shape[1]}×{shape[0]} to {size[1]}×"
                    f"{size[0]} at frame {index} ({before:.2f} s); cut it there into two videos")
            else:
                oddities.add_step(index, seconds - before, rate)
            if frame.is_corrupt:
                raise InputError(f"{path}: frame {index} ({seconds:.2f} s) is damaged or cut short; {REPAIR}")
            yield index, seconds, frame
            index += 1
    if index == 0:
        raise InputError(f"{path}: holds no frame that can be decoded; record it again or remove it")
    oddities.warn(path, index)


class _Oddities:
    """Counts what is no error, but what a user should know: (how often, the frame where first)."""

    def __init__(self) -> None:
        self._backwards = self._gaps = self._damaged = (0, 0)

    def add_step(self, frame: int, step: float, rate: float) -> None:
        """The seconds between a frame's timestamp and the one before."""
        if step <= 0:
            self._backwards = _counted(self._backwards, frame)
        elif step * rate > GAP:
            self._gaps = _counted(self._gaps, frame)

    def add_packet(self, frame: int, damaged: bool) -> None:
        """A packet from which `frame` or one soon after it comes."""
        if damaged:
            self._damaged = _counted(self._damaged, frame)

    def warn(self, path: str | os.PathLike[str], frames: int) -> None:
        backwards, gaps, damaged = self._backwards, self._gaps, self._damaged
        if backwards[0]:
            warn(f"{path}: {backwards[0]} timestamps are not later than the one before; "
                 f"the first is frame {backwards[1]}'s")
        if 0 < gaps[0] <= frames / RARE:  # more of them: a variable rate, which is no fault
            warn(f"{path}: frames seem to be missing in {gaps[0]} places, by the timestamps, the first before "
                 f"frame {gaps[1]}; they were not counted, and labels must not count them either")
        if damaged[0]:
            warn(f"{path}: {damaged[0]} packets have errors, the first near frame {damaged[1]}; "
                 "frames may be missing there")


def _counted(so_far: tuple[int, int], frame: int) -> tuple[int, int]:
    times, first = so_far
    return times + 1, first if times else frame


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream."""
    name = os.fspath(path)
    if not os.path.exists(name):
        raise InputError(f"{path}: no such file; check the name")
    if not os.path.isfile(name):
        raise InputError(f"{path}: not a file; name a video")
    try:
        # The prefix keeps FFmpeg from reading a name with a colon as a network address.
        container = av.open(f"file:{name}", metadata_errors="replace")
    except av.error.PermissionError:
        raise InputError(f"{path}: may not be read; change its permissions") from None
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: {_unopened(name)} ({_reason(error)}); {REPAIR}") from None
    with container:
        kind = container.format.name
        # FFmpeg also opens pictures and text art, as videos of one frame.
        if not container.streams.video or kind.startswith(("tty", "image2")) or kind.endswith("_pipe"):
            raise InputError(f"{path}: not a video but {container.format.long_name}; take it out")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise InputError(f"{path}: FFmpeg has no decoder for it; convert it with another program, to H.264 say")
        yield container, stream


def _unopened(name: str) -> str:
    """What is wrong with a file that FFmpeg cannot open."""
    with open(name, "rb") as file:
        start = file.read(12)
    if not start:
        return "empty"
    if start[4:8] == b"ftyp" or start[:4] == b"RIFF":
        return "cut short, or its recording was never finished: its index is missing"
    return "not a video"


def _packets(path: str | os.PathLike[str], container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets, and at their end InputError if the file promises more."""
    packets = container.demux(stream)
    stored = 0
    end = 0.0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: damaged or cut short after {stored} frames ({_reason(error)}); "
                             f"{REPAIR}") from None
        if packet.size > 0:
            stored += 1
            end = max(end, float(((packet.pts or 0) + (packet.duration or 0)) * stream.time_base))
        yield packet
    if stored < stream.frames:
        raise InputError(f"{path}: cut short: it should have {stream.frames} frames, and has {stored}; "
                         f"{REPAIR}")
    promised = _promised_seconds(stream)
    if end < promised - max(MISSING_SECONDS, 2 / _rate(stream)):
        raise InputError(f"{path}: cut short: it should last {promised:.2f} s, and ends at {end:.2f} s; "
                         f"{REPAIR}")


def _promised_seconds(stream: Any) -> float:
    """How long a Matroska or WebM file says that its video is, its only promise; 0 where there is none."""
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _decode(path: str | os.PathLike[str], packet: Any, index: int, seconds: float) -> list[Any]:
    try:
        return packet.decode()
    except av.error.FFmpegError as error:
        if index == 0 and isinstance(error, av.error.InvalidDataError):
            return []  # A file cut out of a longer one may start between two key frames.
        raise InputError(f"{path}: frame {index} (after {seconds:.2f} s) or one soon after cannot be decoded "
                         f"({_reason(error)}): damaged or cut short; {REPAIR}") from None


def _timestamp(frame: Any, stream: Any) -> float | None:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None else float(ticks * stream.time_base)


def _rate(stream: Any) -> float:
    return float(stream.average_rate or stream.base_rate or 25)


def _grey(frame: Any, quarters: int, own: local) -> np.ndarray:
    """Grey levels of a decoder's frame, turned by so many right angles."""
    converter = own.__dict__.setdefault("converter", VideoReformatter())
    grey = converter.reformat(frame, format="gray").to_ndarray()
    return np.ascontiguousarray(np.rot90(grey, quarters)) if quarters else grey


def _shape(frame: Any, stream: Any) -> tuple[int, int]:
    """Height and width of a frame as `_grey` turns it, in pixels."""
    return (frame.width, frame.height) if _quarters(frame, stream) % 2 else (frame.height, frame.width)


def _quarters(frame: Any, stream: Any) -> int:
    """Right angles, counterclockwise, by which a frame is turned for showing."""
    return _rotation(frame, stream) // 90 % 4


def _rotation(frame: Any, stream: Any) -> int:
    """Degrees, counterclockwise, by which a frame is turned for showing."""
    turned = getattr(frame, "rotation", None)
    if turned is None:  # PyAV before 14: FFmpeg before 5 says it clockwise in the stream's metadata
        turned = -int(stream.metadata.get("rotate", 0))
    return round(turned)


def _reason(error: Exception) -> str:
    """FFmpeg's own words."""
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()
