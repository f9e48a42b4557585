"""DeepEthogram's label CSV (Bohnslav et al. 2021): a row per frame, an index, and a column per behaviour with 0, 1, −1.

The first behaviour is `background`: 1 where no other is. Several may be 1 at once. A row of −1 was not annotated.
Kept: behaviours in order, overlaps, not annotated. Lost: subjects, comments, confidence, the border between two bouts
of one behaviour that touch. The video is not named; DeepEthogram calls the file `<video>_labels.csv`.
A row that has −1 beside a 1 counts as annotated, one with −1 and no 1 does not.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.annotations import Annotation, Bout, make, mask, runs
from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.formats.source import Known, read_rows

BACKGROUND = "background"
CELLS = {"0": 0, "1": 1, "-1": -1, "0.0": 0, "1.0": 1, "-1.0": -1}
SUFFIX = "_labels"


def sniff(head: str, path: Path) -> bool:
    return head.split("\n", 1)[0].strip().lower().split(",")[:2] == ["", BACKGROUND]


def read(path: Path, known: Known) -> list[Annotation]:
    name = path.stem[: -len(SUFFIX)] if path.stem.endswith(SUFFIX) else path.stem
    if not known.wants(name, path.stem):
        return []
    rows = read_rows(path, ",")
    header = rows[0][1] if rows else []
    names = header[1:]
    if len(names) < 1 or len(set(names)) != len(names) or not all(names):
        raise InputError(f"{path}, line 1: not a header of an index and differently named behaviours; correct it")
    values = np.empty((len(rows) - 1, len(names)), np.int8)
    for frame, (line, cells) in enumerate(rows[1:]):
        place = f"{path}, line {line}"
        if len(cells) != len(header):
            raise InputError(f"{place}: {len(cells)} columns where the header has {len(header)}; mend the line")
        if cells[0] not in (str(frame), f"{frame}.0"):
            raise InputError(f"{place}: frame {cells[0]!r} where {frame} should come; write a row per frame, in order")
        try:
            values[frame] = [CELLS[cell] for cell in cells[1:]]
        except KeyError as error:
            raise InputError(f"{place}: {str(error)[1:-1][:40]!r} where 0, 1 or -1 should be; correct it") from None
    if not len(values):
        raise InputError(f"{path}: no row below the header; write a row per frame")
    timeline = known.timeline("", name, seconds=len(values) / known.fps if known.fps else None)
    annotated = ~(values == -1).any(axis=1) | (values == 1).any(axis=1)
    bouts = [
        Bout(behaviour, *span)
        for at, behaviour in enumerate(names)
        if behaviour.lower() != BACKGROUND
        for span in runs(values[:, at] == 1)
    ]
    behaviours = [behaviour for behaviour in names if behaviour.lower() != BACKGROUND]
    found = make(
        bouts,
        len(values),
        behaviours=behaviours,
        annotated=runs(annotated),
        place=str(path),
        name=name,
        timeline=timeline,
    )
    return [found]


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    (annotation,) = annotations
    names = [name for name in annotation.behaviours if name.lower() != BACKGROUND]
    values = np.zeros((annotation.frames, 1 + len(names)), np.int8)
    for at, name in enumerate(names, 1):
        spans = [(bout.start, bout.stop) for bout in annotation.bouts if bout.behaviour == name]
        values[:, at] = mask(spans, annotation.frames)
    values[:, 0] = ~values[:, 1:].any(axis=1)
    values[~mask(annotation.annotated, annotation.frames)] = -1
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", BACKGROUND, *names])
        writer.writerows([frame, *row] for frame, row in enumerate(values.tolist()))
