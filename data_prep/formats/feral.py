"""FERAL's label JSON (Skovorodnikov et al.; github.com/Skovorp/feral, dataset.py and the BORIS plugin that exports to
it): `class_names` {"0": "other", …}, `is_multilabel`, `labels` {video: one class index per frame, or, with
`is_multilabel`, a row of 0 and 1 per frame}, `splits` {train, val, test, inference: videos}.

Class 0 called other (or background, none) is *looked at, no behaviour*. Written as exclusive where no bouts overlap.
`splits` is written with every video in `train`; divide them. Kept: behaviours, overlaps, several videos.
Lost: what was not annotated (FERAL needs every frame: it becomes other), subjects, comments, confidence, the border
between two bouts of one behaviour that touch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.annotations import Annotation, Bout, make, mask, runs
from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.formats.source import Known, read_json

NOTHING = ("other", "background", "none", "no_behavior", "no behavior")


def sniff(head: str, path: Path) -> bool:
    return head.lstrip().startswith("{") and ('"is_multilabel"' in head or '"class_names"' in head)


def read(path: Path, known: Known) -> list[Annotation]:
    data = read_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("labels"), dict):
        raise InputError(f'{path}: no "labels" by video in it, as FERAL has; name another file')
    names = _names(data.get("class_names"), path)
    return [
        _annotation(video, labels, names, path, known) for video, labels in data["labels"].items() if known.wants(video)
    ]


def _names(given: Any, path: Path) -> list[str]:
    pairs = given.items() if isinstance(given, dict) else enumerate(given or [])
    by_index = {int(index): str(name) for index, name in pairs}
    if not by_index or sorted(by_index) != list(range(len(by_index))) or len(set(by_index.values())) != len(by_index):
        raise InputError(f'{path}: "class_names" does not name the classes 0, 1, … differently; correct it')
    return [by_index[index] for index in range(len(by_index))]


def _annotation(video: str, labels: Any, names: list[str], path: Path, known: Known) -> Annotation:
    place = f"{path}, labels of {video!r}"
    try:
        lengths = {len(row) if isinstance(row, list) else 0 for row in labels}
        values = np.array(labels if len(lengths) == 1 else [])
        several = values.ndim == 2
        wrong = values.dtype.kind not in "iub" or not values.size or (several and values.shape[1] != len(names))
        wrong = wrong or values.ndim > 2 or values.min() < 0 or values.max() >= (2 if several else len(names))
    except (TypeError, ValueError):
        wrong = True
    if wrong:
        raise InputError(f"{place}: not one class index, or one row of 0 and 1 for all classes, per frame; correct it")
    shown = values == 1 if several else values[:, np.newaxis] == np.arange(len(names))
    kept = [at for at, name in enumerate(names) if at or name.lower() not in NOTHING]
    bouts = [Bout(names[at], *span) for at in kept for span in runs(shown[:, at])]
    timeline = known.timeline(video, "", seconds=len(values) / known.fps if known.fps else None)
    return make(bouts, len(values), behaviours=[names[at] for at in kept], place=place, video=video, timeline=timeline)


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    behaviours = list(dict.fromkeys(name for annotation in annotations for name in annotation.behaviours))
    several = not all(annotation.exclusive for annotation in annotations)
    names = behaviours if several else [NOTHING[0], *(name for name in behaviours if name.lower() != NOTHING[0])]
    labels: dict[str, Any] = {}
    for annotation in annotations:
        shown = np.zeros((annotation.frames, len(names)), np.int64)
        for at, name in enumerate(names):
            spans = [(bout.start, bout.stop) for bout in annotation.bouts if bout.behaviour == name]
            shown[:, at] = mask(spans, annotation.frames)
        video = annotation.video or annotation.name
        if video in labels:
            raise InputError(f"{path}: two annotations of {video!r}, and FERAL takes one; choose with --only")
        labels[video] = (shown if several else shown.argmax(axis=1)).tolist()
    content = {
        "class_names": {str(at): name for at, name in enumerate(names)},
        "is_multilabel": several,
        "labels": labels,
        "splits": {"train": list(labels), "val": [], "test": [], "inference": []},
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
