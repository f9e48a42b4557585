"""Which blobs of a net have a row per frame, and of what shape."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from data_prep.errors import InputError


def row_shape(
    shapes: Mapping[str, tuple[int, ...]], blob: str, frames: int, sequences: tuple[int, ...] | None, path: Path
) -> tuple[int, ...]:
    """The shape of a frame's row in a blob of a net with blobs of these shapes, which shows `frames` frames at a time.

    A blob's first axis is the frames, as in most, or its first two are (steps, sequences), as a recurrent layer's are;
    either way rows are time-major. Raises InputError for a blob that is not there, or has no row for each frame.
    """
    if blob not in shapes:
        known = [name for name in shapes if "_split_" not in name]  # those that Caffe itself puts in
        near = difflib.get_close_matches(blob, known, 1)
        hint = f"; did you mean {near[0]!r}? Name" if near else "; name"
        raise InputError(f"{path}: there is no blob {blob!r}{hint} one of {', '.join(known)}")
    shape = shapes[blob]
    if sequences and shape[:2] == sequences:
        return shape[2:]
    if shape[:1] == (frames,):
        return shape[1:]
    raise InputError(
        f"{path}: blob {blob!r} is {'×'.join(map(str, shape))} for {frames} frames, so there is no row for each frame "
        "in it; name another blob"
    )
