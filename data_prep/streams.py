"""The streams of a video: what is computed of each frame, how it is stored, and what is added up over all."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Callable, NamedTuple

import cv2
import numpy as np

from data_prep.datum import encode_floats, encode_raw
from data_prep.images import crop_grey, resize_grey
from data_prep.motion import FRAMES, middle_images, repeat_ends
from data_prep.patches import working
from data_prep.position import FEEDER, MOMENTS, ROW, SAMPLES, START, Tracker, moments
from data_prep.video import read_frames, read_lazily

# A motion image spans this many frames before its own, so that many are read again when work is taken up.
LEAD = FRAMES // 2


class Frame:
    """A frame as the streams take it: its number, grey uint8, cropped and squashed, and its row of
    `data_prep.position`. The grey picture is made when it is first asked for, by the thread that asks."""

    def __init__(self, number: int, make: Callable[[], np.ndarray], position: np.ndarray):
        self.number, self.position = number, position
        self._make: Callable[[], np.ndarray] | None = make
        self._making = threading.Lock()

    @property
    def grey(self) -> np.ndarray:
        with self._making:
            if self._make is not None:
                self._grey = self._make()
                self._make = None  # it holds the whole frame
            return self._grey


class Stream(NamedTuple):
    """How a stream's values come from the frames, one array per frame, and how one is stored.

    images: of consecutive frames to uint8 C×size×size, or float32 (values,), of each; of all but the first and the last
    `around`, which it only looks at. totals: what of an array is summed over the frames, `sums` numbers; their mean,
    per pixel if `pictures`, goes into meta.json.
    """

    images: Callable[[Iterable[Frame]], Iterator[np.ndarray]]
    around: int
    encode: Callable[[np.ndarray], bytes]
    pictures: bool
    sums: int
    totals: Callable[[np.ndarray], np.ndarray]


def whole(stream: str, frames: Iterable[Frame]) -> Iterator[np.ndarray]:
    """A stream's values of each of a video's frames; the first and the last repeat beyond the ends."""
    return STREAMS[stream].images(repeat_ends(frames, STREAMS[stream].around))


def pieces(frames: Iterable[Frame], before: int, size: int) -> Iterator[list[Frame]]:
    """Consecutive frames of a video in lists of `size`, fewer at the end, each with LEAD more in front and behind that
    are only looked at: `of_piece` can compute each by itself. Of the `frames`, the first `before` (at most LEAD) are in
    front of the first list's own; beyond the ends the first and the last repeat."""
    around = itertools.islice(repeat_ends(frames, LEAD), before, None)
    window = list(itertools.islice(around, 2 * LEAD))
    while True:
        window += itertools.islice(around, size)
        count = len(window) - 2 * LEAD
        if count <= 0:
            return
        yield list(window)
        del window[:count]


def of_piece(stream: str, piece: Sequence[Frame]) -> Iterator[np.ndarray]:
    """A stream's values of a piece's own frames."""
    outside = LEAD - STREAMS[stream].around
    return STREAMS[stream].images(piece[outside : len(piece) - outside])


def _motion_images(frames: Iterable[Frame]) -> Iterator[np.ndarray]:
    rest = iter(frames)
    head = list(itertools.islice(rest, LEAD + 1))
    if len(head) <= LEAD:
        return iter(())
    return middle_images((frame.grey for frame in itertools.chain(head, rest)), head[-1].number - LEAD)


def _channel_sums(image: np.ndarray) -> np.ndarray:
    return np.array([cv2.sumElems(channel)[0] for channel in image])


STREAMS = {
    "shape": Stream(lambda frames: (frame.grey[np.newaxis] for frame in frames), 0,
                    encode_raw, True, 1, _channel_sums),
    "motion": Stream(_motion_images, LEAD,
                     encode_raw, True, 4, _channel_sums),
    "position": Stream(lambda frames: (frame.position for frame in frames), 0,
                       encode_floats, False, MOMENTS, moments),
}  # fmt: skip


def stored_frames(
    video: str | os.PathLike[str],
    region: tuple[int, int, int, int] | None,
    size: int,
    first: int = 0,
    told: Callable[[int, float], None] | None = None,
    track: bool = False,
    feeder: Sequence[float] | None = None,
) -> Iterator[Frame]:
    """A video's frames from number `first` on, each cropped to `region` and squashed to size×size.

    `told` hears the number and the time of every frame, from 0. With `track` the animal is followed from frame 0,
    whatever `first` is, since a position depends on all frames before; else the rows are zeros. `feeder`: where it is
    in the region, in its widths and heights; None for `data_prep.position.FEEDER`.
    """
    tracker = Tracker(start_pictures(video, region), feeder or FEEDER) if track else None
    row = np.zeros(ROW, np.float32)
    for index, seconds, grey in read_lazily(video):
        if told:
            told(index, seconds)
        if tracker is not None:
            picture = crop_grey(grey(), region)
            row = tracker.row(picture, seconds)
            stored = partial(resize_grey, picture, size)
        else:
            stored = partial(_stored, grey, region, size)
        if index >= first:
            yield Frame(index, stored, row)


def _stored(grey: Callable[[], np.ndarray], region: tuple[int, int, int, int] | None, size: int) -> np.ndarray:
    return resize_grey(crop_grey(grey(), region), size)


def start_pictures(
    video: str | os.PathLike[str], region: tuple[int, int, int, int] | None = None
) -> list[np.ndarray]:
    """Pictures for `data_prep.position.Tracker`, evenly spaced over a video's first START seconds, at most twice
    SAMPLES, cropped to `region` and made `working`. Raises InputError as `read_frames` does."""
    kept: list[np.ndarray] = []
    every = 1
    for index, seconds, grey in read_frames(video):
        if seconds >= START:
            break
        if index % every == 0:
            kept.append(working(crop_grey(grey, region)))
        if len(kept) > 2 * SAMPLES:
            kept, every = kept[::2], 2 * every
    return kept
