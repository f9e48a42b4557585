"""Boxes and points in projects of VIA 3: its spatial regions in a video frame, `z` one time and `xy` a rectangle
(`[2, x, y, width, height]`) or a point (`[1, x, y]`) in the video's pixels. Other shapes are left out.

VIA says of a region neither which animal of several it is nor where that is between two frames. Written, every keyframe
is a region with the text attributes `name` and `mark` (the mark's id); read, regions of one `mark` are one mark's
keyframes, and a region of somebody else's is a mark of one frame, named by `name` or else by all its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from data_prep.errors import InputError
from data_prep.marks import LONGEST_NAME, NUMBERS, Mark
from data_prep.timeline import Timeline

REGION = "FILE1_Z1_XY1"  # VIA's name for an attribute of a region in a video frame
SHAPES = {1: "point", 2: "box"}  # VIA's numbers
NAME, MARK = "name", "mark"


class Region(NamedTuple):
    """view and values as of a segment; xy: VIA's numbers, the shape first."""

    view: str
    seconds: float
    xy: list[float]
    values: list[tuple[str, str]]
    place: str


def is_region(z: Any, xy: Any) -> bool:
    """Whether an entry is a box or a point in a frame."""
    return len(z) == 1 and len(xy) > 0 and xy[0] in SHAPES


def read(regions: Iterable[Region], timeline: Timeline) -> tuple[Mark, ...]:
    """The marks that regions of one video are; those of one frame have no id. Raises InputError for a region that is
    damaged or not in the video."""
    alone: list[Mark] = []
    joined: dict[tuple[str, str, str], dict[int, tuple[float, ...]]] = {}
    for one in regions:
        kind = SHAPES[int(one.xy[0])]
        numbers = tuple(float(number) for number in one.xy[1:])
        if len(numbers) != len(NUMBERS[kind]):
            raise InputError(f"{one.place}: a {kind} with {len(numbers)} numbers; export it again")
        values = dict(one.values)
        told = values.get(NAME) or ", ".join(value for name, value in one.values if name != MARK) or kind
        name = re.sub(r"[\x00-\x1f\x7f]", " ", told)[:LONGEST_NAME]
        frame, _ = timeline.span(one.seconds, one.seconds, one.place)
        if values.get(MARK):
            joined.setdefault((values[MARK], name, kind), {})[frame] = numbers
        else:
            alone.append(Mark("", name, kind, ((frame, *numbers),)))
    marks = [
        Mark(mark, name, kind, tuple((frame, *keys[frame]) for frame in sorted(keys)))
        for (mark, name, kind), keys in joined.items()
    ]
    return (*marks, *alone)


def written(marks: Iterable[Mark], timeline: Timeline) -> Iterator[tuple[float, list[float], list[tuple[str, str]]]]:
    """Seconds, VIA's numbers and values by attribute of every keyframe."""
    shapes = {kind: number for number, kind in SHAPES.items()}
    for mark in marks:
        for frame, *numbers in mark.keyframes:
            yield timeline.seconds(int(frame)), [shapes[mark.kind], *numbers], [(NAME, mark.name), (MARK, mark.id)]
