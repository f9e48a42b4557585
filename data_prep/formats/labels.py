"""The labels of our datasets, `labels/<stem>.csv`: a row per frame, `frame` and a column per class with 0, 1 or −1.

Exclusive: one class per frame, or −1 for not annotated. Classes without bouts and what was not annotated are kept.
Lost: frames that were looked at and show no behaviour (they become not annotated), subjects, comments, confidence,
and where one bout of a class directly follows another. A file says nothing of its video but its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep import dataset
from data_prep.annotations import Annotation, from_labels, to_labels
from data_prep.errors import InputError
from data_prep.formats.source import Known


def sniff(head: str, path: Path) -> bool:
    header = head.split("\n", 1)[0].strip().split(",")
    return header[0] == "frame" and len(header) > 1 and header[1:3] != ["time", "label"]


def read(path: Path, known: Known) -> list[Annotation]:
    if not known.wants(path.stem):
        return []
    classes = dataset.read_label_classes(path)
    timeline = known.timeline("", path.stem)
    labels = dataset.read_labels(path, classes, None if timeline is None else timeline.frames)
    timeline = timeline or known.timeline("", path.stem, seconds=len(labels) / known.fps if known.fps else None)
    return [from_labels(labels, classes, name=path.stem, timeline=timeline)]


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    (annotation,) = annotations
    if not annotation.behaviours:
        raise InputError(f"{path}: no behaviour to write a column for; add bouts, or leave the video out")
    dataset.write_labels(path, annotation.behaviours, to_labels(annotation, annotation.behaviours))
