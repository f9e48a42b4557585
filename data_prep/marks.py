"""Named boxes and points on a video's frames, given at keyframes and interpolated between them.

A mark is there from its first to its last keyframe, with one keyframe on that frame only. Between two keyframes every
number goes straight from the one to the other. Numbers are in the video's pixels, from the upper left corner of the
picture to the right and down, so that the whole picture is the box 0, 0, width, height.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, NamedTuple

import numpy as np

from data_prep.errors import InputError

NUMBERS = {"box": ("x", "y", "width", "height"), "point": ("x", "y")}  # of a keyframe, after its frame
LONGEST_NAME = 80
LETTERS = r"[^\x00-\x1f\x7f\ud800-\udfff]+"  # in one line, and none of them half a letter
MOST_KEYFRAMES = 20_000  # of a mark
SLACK = 1e-6  # pixels that rounding may put a box over the edge


class Mark(NamedTuple):
    """id: what tells it from others of its name. kind: box or point. keyframes: (frame, x, y[, width, height])."""

    id: str
    name: str
    kind: str
    keyframes: tuple[tuple[float, ...], ...]


def checked(mark: Mark, frames: int, width: float, height: float, place: str = "") -> Mark:
    """A mark with whole frames and numbers as float. Raises InputError, which begins with `place`, where keyframes are
    not in order, or not inside a video of so many frames of that size, or a name cannot be one."""
    start = f"{place or 'mark'}: "
    if not isinstance(mark.name, str) or not re.fullmatch(LETTERS, mark.name) or len(mark.name) > LONGEST_NAME:
        raise InputError(f"{start}a name has 1 to {LONGEST_NAME} letters in one line; give it one")
    if not isinstance(mark.kind, str) or mark.kind not in NUMBERS:
        raise InputError(f"{start}{str(mark.kind)[:40]!r} is no kind of mark; it is {' or '.join(NUMBERS)}")
    columns = ("frame", *NUMBERS[mark.kind])
    table = _table(mark.keyframes, len(columns), f"{start}a {mark.kind} has keyframes of {', '.join(columns)}")
    if not 1 <= len(table) <= MOST_KEYFRAMES:
        raise InputError(f"{start}{len(table)} keyframes; a mark has 1 to {MOST_KEYFRAMES}")
    times = table[:, 0]
    if (times != np.floor(times)).any() or times.min() < 0 or times.max() >= frames:
        raise InputError(f"{start}keyframes are whole frames, 0 to {frames - 1} in this video")
    if (np.diff(times) <= 0).any():
        raise InputError(f"{start}keyframes come in order, each frame once")
    low = table[:, 1:3]
    size = table[:, 3:5] if mark.kind == "box" else np.zeros_like(low)
    if low.min() < 0 or (low + size > np.array([width, height]) + SLACK).any():
        raise InputError(f"{start}not inside the picture of {width:g} × {height:g} pixels; move it")
    if mark.kind == "box" and size.min() <= 0:
        raise InputError(f"{start}a box without width or height; a place without size is a point")
    whole = tuple((int(frame), *numbers) for frame, *numbers in table.tolist())
    return mark._replace(keyframes=whole)


def _table(keyframes: Any, columns: int, wrong: str) -> np.ndarray:
    """Keyframes as float64 (keyframes, columns)."""
    try:
        table = np.asarray(list(keyframes), np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(wrong) from None
    if table.size and (table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all()):
        raise InputError(wrong)
    return table.reshape(-1, columns)


def at(mark: Mark, frame: int) -> tuple[float, ...] | None:
    """x, y (and width, height of a box) at a frame; None where the mark is not there."""
    times = [one[0] for one in mark.keyframes]
    if not times[0] <= frame <= times[-1]:
        return None
    index = bisect_right(times, frame) - 1
    before = mark.keyframes[index]
    if before[0] == frame:
        return tuple(before[1:])
    after = mark.keyframes[index + 1]
    share = (frame - before[0]) / (after[0] - before[0])
    return tuple(one + (other - one) * share for one, other in zip(before[1:], after[1:]))


def rows(mark: Mark) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All frames that a mark is on, int64 (n,); its numbers there, float64 (n, 2 or 4); which are keyframes, bool (n,).

    The numbers are to the last bit those of `at`.
    """
    table = np.asarray(mark.keyframes, np.float64)
    times = table[:, 0].astype(np.int64)
    frames = np.arange(times[0], times[-1] + 1)
    index = np.searchsorted(times, frames, side="right") - 1
    following = np.minimum(index + 1, len(times) - 1)
    length = np.maximum(times[following] - times[index], 1)
    share = ((frames - times[index]) / length)[:, np.newaxis]
    before, after = table[index, 1:], table[following, 1:]
    return frames, before + (after - before) * share, frames == times[index]
