"""When each frame of a video is shown, and from seconds to frames and back: the one border between the two."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from data_prep.errors import InputError
from data_prep.progress import Progress

TOLERANCE = 0.00101  # seconds: a time this close to a frame's beginning means it (tools cut times to milliseconds)
SLACK = 1.0  # seconds after the end of a video that an event may lie (players overshoot) before it is an error
NTSC = (24, 30, 48, 60, 120, 240)  # rates that are really a thousandth slower: 29.97 is 30000/1001
USUAL_RATE = 25.0  # of a video of one frame
MOST_FRAMES = 50_000_000  # over two weeks at 30 per second; a time beyond is a mistake


class Timeline:
    """times: seconds of every frame from the first one, float64 (frames,), not falling; end: when the last one ends."""

    __slots__ = ("_edges",)

    def __init__(self, times: Sequence[float] | np.ndarray, end: float | None = None) -> None:
        times = np.asarray(times, np.float64)
        if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
            raise ValueError("a timeline needs the seconds of at least one frame")
        if end is None:  # the last frame lasts as long as the mean one
            end = times[-1] + (times[-1] / (len(times) - 1) if len(times) > 1 else 1 / USUAL_RATE)
        # A few real recordings step backwards; there the later frame counts from when the earlier one appeared.
        self._edges = np.maximum.accumulate(np.append(times, end))
        self._edges.setflags(write=False)

    @property
    def times(self) -> np.ndarray:
        return self._edges[:-1]

    @property
    def end(self) -> float:
        return float(self._edges[-1])

    @property
    def frames(self) -> int:
        return len(self._edges) - 1

    @property
    def fps(self) -> float:
        """Frames per second on average."""
        return self.frames / self.end if self.end > 0 else USUAL_RATE

    def seconds(self, frame: int) -> float:
        """When `frame` (0 … frames) is shown; `frames` is the end of the video."""
        return float(self._edges[frame])

    def frame(self, seconds: float) -> int:
        """The frame (0 … frames − 1) shown at a time, or `frames` at the end and after it; 0 before the beginning.

        A time up to a millisecond before a frame begins is that frame's: tools round or cut times to milliseconds.
        (Where frames are shorter than two milliseconds, it must also be nearer to that frame's beginning.)
        """
        after = int(np.searchsorted(self._edges, seconds, side="right"))  # the next edge
        if 0 < after < len(self._edges):
            early, late = self._edges[after] - seconds, seconds - self._edges[after - 1]
            after += int(early <= min(TOLERANCE, late))
        return min(max(after - 1, 0), self.frames)

    def span(self, start: float, stop: float, place: str) -> tuple[int, int]:
        """Seconds [start, stop) as frames [start, stop): from the frame shown at `start` to before that at `stop`.

        What begins and ends during one frame, as point events do, takes that frame: a span has at least one.
        Raises InputError, which begins with `place`, for a time that is no number, a stop before its start, and
        what lies before or after the video by more than `SLACK`.
        """
        if not np.isfinite(start) or not np.isfinite(stop):
            raise InputError(f"{place}: not a time in seconds; correct it")
        if stop < start - TOLERANCE:
            raise InputError(f"{place}: ends at {stop:g} s, before it begins at {start:g} s; correct one of them")
        if start < -SLACK or stop < -SLACK:
            raise InputError(f"{place}: begins at {start:g} s, before the video; correct it")
        if start > self.end + SLACK or stop > self.end + SLACK:
            raise InputError(
                f"{place}: at {max(start, stop):g} s, but the video ends at {self.end:.3f} s; "
                "check that it is the right video and frame rate"
            )
        first = min(self.frame(start), self.frames - 1)
        return first, max(self.frame(stop), first + 1)

    def __eq__(self, other: object) -> bool:
        """The same frames at the same times, to a microsecond."""
        if not isinstance(other, Timeline):
            return NotImplemented
        return self.frames == other.frames and bool(np.abs(self._edges - other._edges).max() <= 2e-6)

    def __hash__(self) -> int:
        return hash(self.frames)

    def __repr__(self) -> str:
        return f"Timeline({self.frames} frames, {self.end:.3f} s)"


def exact_rate(fps: float) -> float:
    """23.976 (or 23.98), 29.97 and 59.94 mean 24000/1001, 30000/1001 and 60000/1001; other rates are what they say.

    Over an hour, 29.97 and 30000/1001 are 4 milliseconds apart. Raises InputError for a rate that cannot be.
    """
    if not np.isfinite(fps) or not 0 < fps <= 100_000:
        raise InputError(f"a frame rate of {fps:g} is not possible; give the frames per second of the video")
    for rate in NTSC:
        if abs(fps - rate * 1000 / 1001) < 0.0045:
            return rate * 1000 / 1001
    return float(fps)


def steady(fps: float, frames: int) -> Timeline:
    """A video of a constant rate, where the video itself is not at hand. Raises InputError if it is endless."""
    rate = exact_rate(fps)
    if frames > MOST_FRAMES:
        raise InputError(f"{frames} frames: no video is that long; correct its length, the times or the frame rate")
    edges = np.arange(frames + 1) / rate
    return Timeline(edges[:-1], edges[-1])


def of_video(path: str | os.PathLike[str], quiet: bool = True) -> Timeline:
    """The timeline of a video file, from the timestamps of the frames that come out of its decoder.

    Raises InputError if it cannot be decoded to its end.
    """
    from data_prep import video  # needs PyAV, which what merely converts tables does not

    times: list[float] = []
    with Progress(
        video.probe(path).frames or 1, "frames", f"reading times of {os.path.basename(path)}", quiet
    ) as shown:
        for _, seconds, _ in video.read_times(path):
            times.append(seconds)
            shown.update()
    return Timeline(times)
