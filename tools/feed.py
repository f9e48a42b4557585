"""From a video's file to what a network reads, streaming: the same values as from the prepared dataset."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import video
from data_prep.errors import InputError
from data_prep.ordered import ahead, ordered
from data_prep.stages import Stages
from data_prep.streams import LEAD, Frame, of_piece, pieces, stored_frames
from tools.backend import cores

WORKERS = 4  # threads that make the streams' values, at most


class Batch(NamedTuple):
    """Consecutive frames: the number of the first, their times in seconds (n,), and per stream uint8 images
    (n, channels, size, size), or float32 rows (n, numbers): (n, 11) of the position."""

    first: int
    times: np.ndarray
    streams: dict[str, np.ndarray]


class Piece(NamedTuple):
    """What a batch is made of: its frames' times, and a list of `data_prep.streams.pieces`."""

    times: np.ndarray
    frames: list[Frame]


def batches(
    path: Path,
    preprocessing: dict[str, Any],
    streams: list[str],
    size: int,
    start: int = 0,
    stages: Stages | None = None,
) -> Generator[Batch, None, None]:
    """The frames of a video from frame `start` on, `size` at a time (fewer at the end), made ahead by threads of their
    own: decoding is the stage `decode`, the rest `features`."""
    kept = stages or Stages()
    decoded = ahead(_pieces(path, preprocessing, streams, size, start), 2, kept, "decode")
    workers = min(WORKERS, cores())
    return ordered(decoded, lambda piece: _batch(piece, streams), workers, workers + 1, kept, "features")


def network_input(stored: np.ndarray, mean: Sequence[float], crop: int, out: np.ndarray) -> None:
    """Stored images, uint8 (n, c, size, size), as the network reads them in the TEST phase, into `out`, float32
    (n, channels, crop, crop): the central crop less the mean; one stored channel is repeated."""
    free = stored.shape[-1] - crop
    top = left = free // 2
    window = stored[:, :, top : top + crop, left : left + crop]
    np.subtract(window, np.array(mean, np.float32).reshape(1, -1, 1, 1), out=out, dtype=np.float32)


def check_region(path: Path, region: list[int] | None) -> None:
    """Raise InputError where a video's frames do not hold the region that a model was trained on."""
    info = video.probe(path)
    if region and (info.height < region[2] or info.width < region[3]):
        raise InputError(
            f"{path}: {info.width}×{info.height} pixels, but the model was trained on the region "
            f"{','.join(map(str, region))} (top, left, bottom, right) of larger frames"
        )


def _pieces(path: Path, preprocessing: dict[str, Any], streams: list[str], size: int, start: int) -> Iterator[Piece]:
    region = preprocessing["region"]
    check_region(path, region)
    before = min(start, LEAD)  # frames that only the first motion image looks back at
    times: list[float] = []

    def told(index: int, seconds: float) -> None:
        if index >= start - before:
            times.append(seconds)

    track = "position" in streams
    feeder = preprocessing.get("feeder")
    frames = stored_frames(path, region, preprocessing["stored_size"], start - before, told, track, feeder)
    for piece in pieces(frames, before, size):
        count = len(piece) - 2 * LEAD
        yield Piece(np.array(times[before : before + count]), piece)
        del times[:count]


def _batch(piece: Piece, streams: Sequence[str]) -> Batch:
    made = {stream: np.stack(list(of_piece(stream, piece.frames))) for stream in streams}
    return Batch(piece.frames[LEAD].number, piece.times, made)
