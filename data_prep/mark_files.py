"""Marks as files: a CSV with a row per frame and mark, and a JSON of their keyframes; both come back without loss.

The CSV's columns: frame, seconds, mark (its id), name, kind, x, y, width, height (empty for a point), keyframe (1, or 0
where the numbers are interpolated). Read again, rows with keyframe 0 are left out; without the column `keyframe` every
row is one, and without `mark` rows of one name and kind are one mark.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_prep import marks
from data_prep.errors import InputError
from data_prep.marks import NUMBERS, Mark

HEADER = ("frame", "seconds", "mark", "name", "kind", "x", "y", "width", "height", "keyframe")
NEEDED = ("frame", "name", "kind", "x", "y")
PIECE = 5_000  # rows made at once


def csv_pieces(found: Sequence[Mark], times: np.ndarray) -> Iterator[str]:
    """The CSV in pieces, so that one of any length fits the memory. times: seconds of every frame."""
    yield ",".join(HEADER) + "\r\n"
    for mark in found:
        frames, numbers, keys = marks.rows(mark)
        for start in range(0, len(frames), PIECE):
            part = slice(start, start + PIECE)
            out = io.StringIO()
            writer = csv.writer(out)
            for frame, values, key in zip(frames[part].tolist(), numbers[part].tolist(), keys[part].tolist()):
                # float's own text, which comes back as the same number
                cells = [*values, *([""] * (4 - len(values)))]
                writer.writerow([frame, f"{times[frame]:.6f}", mark.id, mark.name, mark.kind, *cells, int(key)])
            yield out.getvalue()


def as_json(found: Sequence[Mark], video: str, frames: int, width: int, height: int) -> dict[str, Any]:
    """The keyframes of marks, with what they are of."""
    listed = [{**one._asdict(), "keyframes": [list(key) for key in one.keyframes]} for one in found]
    return {"video": video, "frames": frames, "width": width, "height": height, "marks": listed}


def read(content: bytes, frames: int, width: int, height: int) -> list[Mark]:
    """The marks of either file, checked as `marks.checked`. Raises InputError for anything else.

    An id is empty where the file has none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("marks: not a text in UTF-8; save it so, or take the JSON") from None
    found = _from_json(text, frames, width, height) if text.lstrip().startswith(("{", "[")) else _from_csv(text)
    ids = [one.id for one in found if one.id]
    if len(set(ids)) < len(ids):
        raise InputError("marks: two of them have the same id; each has its own")
    return [marks.checked(one, frames, width, height, f"mark {at} ({str(one.name)[:40]})")
            for at, one in enumerate(found, 1)]  # fmt: skip


def _from_json(text: str, frames: int, width: int, height: int) -> list[Mark]:
    try:
        given = json.loads(text)
        if isinstance(given, dict):
            of = [given.get(name) for name in ("frames", "width", "height")]
            if of != [None] * 3 and of != [frames, width, height]:
                raise InputError(f"marks: made for a video of {of[0]} frames of {of[1]} × {of[2]} pixels, and this one "
                                 f"has {frames} of {width} × {height}; check that it is the same video")  # fmt: skip
            given = given["marks"]
        return [Mark(str(one.get("id", "")), one["name"], one["kind"], tuple(one["keyframes"])) for one in given]
    except (ValueError, RecursionError) as error:
        raise InputError(f"marks: damaged JSON ({str(error)[:80]}); export it again") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"marks: not a list of id, name, kind and keyframes ({error}); export it again") from None


def _from_csv(text: str) -> list[Mark]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in reader.fieldnames or []]
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError(f"marks: no column {', '.join(missing)}; the first line has the columns' names, which are "
                         f"{', '.join(HEADER)}")  # fmt: skip
    reader.fieldnames = columns
    keyframes: dict[tuple[str, str, str], list[tuple[float, ...]]] = {}
    try:
        for row in reader:
            if (row.get("keyframe") or "1").strip() in ("0", "0.0"):
                continue
            name, kind = (row["name"] or "").strip(), (row["kind"] or "").strip()
            cells = [row.get(column) for column in ("frame", *NUMBERS.get(kind, ("x", "y")))]
            key = (row.get("mark") or "").strip(), name, kind
            keyframes.setdefault(key, []).append(tuple(float(cell or "") for cell in cells))
    except (ValueError, csv.Error) as error:
        raise InputError(f"marks, line {reader.line_num}: {str(error)[:80]}; correct it") from None
    return [Mark(mark, name, kind, tuple(sorted(keys))) for (mark, name, kind), keys in keyframes.items()]
