"""What an animal did, from the class of every frame and its time: time budget, bouts, transitions, daily profile.

Times are seconds, and exact for variable frame rates: a frame lasts until the next one is shown. −1 is *not annotated*:
it is no class, has no bouts, and nothing is concluded across it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tools.bouts import absorb_short, find_bouts

DAY = 86400.0
# Lengths of bins that people read well, in seconds.
BINS = (3600.0, 1800.0, 900.0, 600.0, 300.0, 120.0, 60.0, 30.0, 15.0, 10.0, 5.0, 2.0, 1.0)
ENOUGH_BINS = 6
# Seconds: shorter than any frame, and longer than what times written to the microsecond are off by. A recording that
# reaches only so far into a bin is not in it.
SLIVER = 1e-5


class Runs(NamedTuple):
    """A recording as runs of equal labels that cover it: class indices (runs,), −1 where not annotated; the frames in
    each (runs,); and the seconds at which they begin, and the last one ends (runs + 1,)."""

    labels: np.ndarray
    frames: np.ndarray
    edges: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """How long each run lasts (runs,)."""
        return np.diff(self.edges)


class Bouts(NamedTuple):
    """The bouts of one class: their seconds (bouts,); whether the begin or the end of each was not seen, since there
    the recording, or its annotation, begins or ends (bouts,); when the first one begins, or None."""

    seconds: np.ndarray
    cut: np.ndarray
    first: float | None


class Bins(NamedTuple):
    """Bins of time, by their edges in seconds (bins + 1,): of a day's clock, or since the begin of a recording."""

    edges: np.ndarray
    clock: bool


def every_frame(frames: np.ndarray, times: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times and labels of all frames 0 … frames[-1], of which those given (n,), with numbers that rise, may be some.

    The others are not annotated, and spread evenly over the time that they have; frame 0 is at 0 s.
    """
    if frames[0] > 0:
        frames, times, labels = np.append(0, frames), np.append(0.0, times), np.append(-1, labels)
    if frames[-1] == len(frames) - 1:
        return times, labels
    every = np.full(frames[-1] + 1, -1)
    every[frames] = labels
    return np.interp(np.arange(len(every)), frames, times), every


def smooth(labels: np.ndarray, shortest: int) -> np.ndarray:
    """`bouts.absorb_short`, but what is not annotated stays as it is, and nothing is given to a bout beyond it."""
    out = np.array(labels)
    if shortest > 1:
        for annotated, start, stop in find_bouts(out >= 0):
            if annotated:
                out[start:stop] = absorb_short(out[start:stop], shortest)
    return out


def runs_of(labels: np.ndarray, times: np.ndarray, last: float) -> Runs:
    """The runs of labels (frames,) at times (frames,); the last frame is shown for `last` seconds."""
    found = np.array(find_bouts(labels)).reshape(-1, 3)
    ends = np.append(times, times[-1] + last)
    return Runs(found[:, 0], found[:, 2] - found[:, 1], ends[np.append(found[:, 1], len(labels))])


def time_budget(runs: Runs, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and frames of every class, and, last, of what is not annotated: (classes + 1,) each."""
    where = np.where(runs.labels < 0, classes, runs.labels)
    seconds = np.bincount(where, runs.seconds, classes + 1)
    return seconds, np.bincount(where, runs.frames, classes + 1).astype(np.int64)


def bouts_of(runs: Runs, label: int) -> Bouts:
    """The bouts of class `label`. A bout that is cut lasted at least the seconds given."""
    ours = runs.labels == label
    outside = np.concatenate(([True], runs.labels < 0, [True]))
    cut = outside[:-2] | outside[2:]
    starts = runs.edges[:-1][ours]
    return Bouts(runs.seconds[ours], cut[ours], float(starts[0]) if len(starts) else None)


def observed_from(runs: Runs) -> float | None:
    """When the first annotated frame is shown, in seconds; None where there is none."""
    annotated = np.flatnonzero(runs.labels >= 0)
    return float(runs.edges[annotated[0]]) if len(annotated) else None


def transitions(runs: Runs, classes: int) -> np.ndarray:
    """How often each class (row) was followed by each other (column), with nothing between them: int64 (classes,
    classes), 0 on the diagonal."""
    before, after = runs.labels[:-1], runs.labels[1:]
    known = (before >= 0) & (after >= 0)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (before[known], after[known]), 1)
    return counts


def shares(amounts: np.ndarray) -> np.ndarray:
    """Amounts (…, n), 0 or more, as shares of the sum over their last axis: NaN where that is 0."""
    amounts = np.asarray(amounts, float)
    total = amounts.sum(axis=-1, keepdims=True)
    return np.divide(amounts, total, out=np.full(amounts.shape, np.nan), where=total > 0)


def bins_of(width: float, spans: Sequence[tuple[float, float]], clock: bool) -> Bins:
    """Bins of `width` seconds: from midnight to midnight, the last one shorter where `width` does not divide a day; or
    from 0 to the end of the longest of `spans`, which are (begin, end) of recordings in seconds."""
    end = DAY if clock else max(stop for _, stop in spans)
    count = max(1, math.ceil((end - SLIVER) / width))
    edges = width * np.arange(count + 1)
    return Bins(np.append(edges[:-1], DAY) if clock else edges, clock)


def fitting_width(spans: Sequence[tuple[float, float]], clock: bool) -> float:
    """The longest of BINS of which the recordings meet ENOUGH_BINS, in seconds; the shortest where none is."""
    return next((width for width in BINS if _met(width, spans, clock) >= ENOUGH_BINS), BINS[-1])


def profile(runs: Runs, classes: int, bins: Bins, begin: float = 0.0) -> np.ndarray:
    """Seconds of every class and, last, of what is not annotated, in every bin: (bins, classes + 1).

    A bout that crosses an edge is divided there. `begin` is the time of day, in seconds since midnight, at second 0 of
    the recording, for bins of the clock; each day of a recording adds to the same bins.
    """
    count = len(bins.edges) - 1
    where = runs.edges + begin
    days = range(int(where[0] // DAY), int(where[-1] // DAY) + 1) if bins.clock else range(1)
    edges = np.concatenate([*(bins.edges[:-1] + DAY * day for day in days), [bins.edges[-1] + DAY * days[-1]]])
    out = np.zeros((count, classes + 1))
    for column in range(classes + 1):
        ours = runs.labels == (column if column < classes else -1)
        until = np.append(0.0, np.cumsum(np.where(ours, runs.seconds, 0.0)))
        out[:, column] = np.diff(np.interp(edges, where, until)).reshape(len(days), count).sum(axis=0)
    out[out.sum(axis=1) < SLIVER] = 0
    return out


def _met(width: float, spans: Sequence[tuple[float, float]], clock: bool) -> int:
    """How many bins of `width` have a part of a recording in them."""
    day = math.ceil(DAY / width)
    met: set[int] = set()
    for start, stop in spans:
        first = int((start + SLIVER) // width)
        touched = range(first, max(math.ceil((stop - SLIVER) / width), first + 1))
        met.update((number % day for number in touched[:day]) if clock else touched)
    return len(met)
