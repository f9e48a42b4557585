"""`predictions.csv`, which `predict` and `evaluate` write: frame, time, label and a probability per class. Read only.

Its bouts, with the mean probability of their class as confidence, are drafts for a person to correct. Frames that are
not in it were not annotated; their times are spread evenly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_prep.annotations import Annotation, Bout, make, runs
from data_prep.errors import InputError
from data_prep.formats.source import Known, number, read_rows
from data_prep.timeline import Timeline

FIRST = ["frame", "time", "label"]


def sniff(head: str, path: Path) -> bool:
    return head.split("\n", 1)[0].strip().split(",")[:3] == FIRST


def read(path: Path, known: Known) -> list[Annotation]:
    name = path.parent.resolve().name if path.stem == "predictions" else path.stem  # predict's folders: <stem>/
    if not known.wants(name):
        return []
    rows = read_rows(path, ",")
    header = rows[0][1] if rows else []
    classes = header[3:]
    if header[:3] != FIRST or not classes or len(set(classes)) != len(classes):
        raise InputError(f"{path}, line 1: not the header of predictions (frame,time,label and a column per class)")
    if len(rows) == 1:
        raise InputError(f"{path}: no row below the header; predict again")
    numbers: list[int] = []
    times, labels, shares = [], [], []
    for line, cells in rows[1:]:
        place = f"{path}, line {line}"
        if len(cells) != len(header) or cells[2] not in classes or not cells[0].isdecimal():
            raise InputError(f"{place}: not a row of predictions; predict again")
        if numbers and int(cells[0]) <= numbers[-1]:
            raise InputError(f"{place}: frame {cells[0]} after frame {numbers[-1]}; predict again")
        at = classes.index(cells[2])
        numbers.append(int(cells[0]))
        times.append(number(cells[1], place))
        labels.append(at)
        shares.append(number(cells[3 + at], place))
    timeline = known.timeline("", name) or Timeline(_times(np.array(numbers), np.array(times)))
    if numbers[-1] >= timeline.frames:
        raise InputError(f"{path}: a frame {numbers[-1]}, but the video has {timeline.frames}; it is another video's")
    every, confidence = np.full(timeline.frames, -1), np.zeros(timeline.frames)
    every[numbers], confidence[numbers] = labels, shares
    bouts = [
        Bout(label, start, stop, confidence=round(float(confidence[start:stop].mean()), 6))
        for at, label in enumerate(classes)
        for start, stop in runs(every == at)
    ]
    return [
        make(bouts, timeline.frames, behaviours=classes, annotated=runs(every >= 0), place=str(path), name=name,
             timeline=timeline)
    ]  # fmt: skip


def _times(numbers: np.ndarray, times: np.ndarray) -> np.ndarray:
    if numbers[0] > 0:
        numbers, times = np.append(0, numbers), np.append(0.0, times)
    return np.interp(np.arange(numbers[-1] + 1), numbers, times)
