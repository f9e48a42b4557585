"""Annotations in one neutral form, and from it to the labels of a dataset and back.

Frames count from 0 and intervals are half-open; several behaviours may happen at once. What was not looked at is
*not annotated*, and differs from what was looked at and held no behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np

from data_prep.dataset import NOT_ANNOTATED
from data_prep.errors import InputError
from data_prep.marks import Mark
from data_prep.timeline import MOST_FRAMES, Timeline

OVERLAPS = ("error", "first", "unannotated")


class Bout(NamedTuple):
    """Frames `start` … `stop` − 1 show `behaviour`, of `subject` where there are several animals.

    confidence: 0 … 1, of predictions; modifiers: BORIS's, separated by `|`.
    """

    behaviour: str
    start: int
    stop: int
    subject: str = ""
    comment: str = ""
    confidence: float | None = None
    modifiers: str = ""


class Annotation(NamedTuple):
    """What one annotator (or program) said of one video.

    video: its file name as the format gives it, "" if it does not. behaviours: in order, also those without bouts.
    bouts: sorted by start; they may overlap. annotated: spans [start, stop) that were looked at, sorted, apart from
    each other; they hold all bouts. frames: how many the video has. name: that of the observation (BORIS), or of the
    file. timeline: None where neither the format nor the caller knew the times of the frames. marks: boxes and points
    on frames.
    """

    video: str
    behaviours: tuple[str, ...]
    bouts: tuple[Bout, ...]
    annotated: tuple[tuple[int, int], ...]
    frames: int
    annotator: str = ""
    name: str = ""
    timeline: Timeline | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def stem(self) -> str:
        """What the labels of its video are called: the file name without folders and ending, or else `name`."""
        return PurePosixPath(file_name(self.video)).stem if self.video else self.name

    @property
    def exclusive(self) -> bool:
        """Whether no two bouts are at once."""
        return all(before.stop <= after.start for before, after in zip(self.bouts, self.bouts[1:]))


def file_name(path: str) -> str:
    """The last part of a path of Windows, macOS or Linux."""
    return PureWindowsPath(path).name


def make(
    bouts: Iterable[Bout],
    frames: int,
    *,
    behaviours: Iterable[str] = (),
    annotated: Iterable[tuple[int, int]] | None = None,
    place: str = "annotation",
    **others: Any,
) -> Annotation:
    """An Annotation in order: bouts sorted, behaviours those given and then those of the bouts, spans joined.

    annotated: None for the whole video; what has a bout was looked at in any case. others: further fields.
    Raises InputError, which begins with `place`, if a bout is not within the video, or has no behaviour.
    """
    ordered = tuple(sorted(bouts, key=_order))
    if frames > MOST_FRAMES:
        raise InputError(f"{place}: {frames} frames, and no video is that long; correct it")
    for bout in ordered:
        if not bout.behaviour:
            raise InputError(f"{place}: the bout at frame {bout.start} has no behaviour; name it")
        if not 0 <= bout.start < bout.stop <= frames:
            raise InputError(
                f"{place}: {bout.behaviour!r} from frame {bout.start} to {bout.stop} is not within the "
                f"video's {frames} frames; check that it is the right video and frame rate"
            )
    spans = [(0, frames)] if annotated is None else list(annotated)
    spans += [(bout.start, bout.stop) for bout in ordered]
    names = dict.fromkeys([*behaviours, *(bout.behaviour for bout in ordered)])
    return Annotation(
        behaviours=tuple(names), bouts=ordered, annotated=joined(spans), frames=frames, **{"video": "", **others}
    )


def _order(bout: Bout) -> tuple[int, int, str, str, str]:
    return bout.start, bout.stop, bout.behaviour, bout.subject, bout.modifiers


def joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that touch or overlap as one; empty ones are left out."""
    out: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if stop <= start:
            continue
        if out and start <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], stop)
        else:
            out.append((start, stop))
    return tuple(out)


def mask(spans: Iterable[tuple[int, int]], frames: int) -> np.ndarray:
    """Whether each frame lies in one of the spans, bool (frames,)."""
    out = np.zeros(frames, bool)
    for start, stop in spans:
        out[start:stop] = True
    return out


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """The spans [start, stop) where `flags` (frames,) is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def from_labels(labels: np.ndarray, classes: Sequence[str], **others: Any) -> Annotation:
    """The annotation that exclusive labels (frames,), indices into `classes` or −1 for not annotated, stand for."""
    labels = np.asarray(labels)
    bouts = [Bout(name, *span) for at, name in enumerate(classes) for span in runs(labels == at)]
    return make(bouts, len(labels), behaviours=classes, annotated=runs(labels >= 0), **others)


def to_labels(
    annotation: Annotation, classes: Sequence[str], overlap: str = "error", background: str | None = None
) -> np.ndarray:
    """The class of every frame, int64 (frames,), −1 where not annotated: the exclusive form that networks learn from.

    A frame with several behaviours: `error` raises InputError naming it; `first` takes the behaviour that comes first
    in `classes`; `unannotated` gives −1. A frame that was looked at and has none gets the class `background`, or −1
    without one, for the form has no word for it. Raises InputError for a behaviour that is not in `classes`.
    """
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap is one of {', '.join(OVERLAPS)}")
    known = {name: at for at, name in enumerate(classes)}
    what = annotation.video or annotation.name or "annotation"
    labels = np.full(annotation.frames, NOT_ANNOTATED, np.int64)
    if background is not None:
        labels[mask(annotation.annotated, annotation.frames)] = _index(background, known, what)
    for name in {bout.behaviour for bout in annotation.bouts}:
        _index(name, known, what)
    several = np.zeros(annotation.frames, bool)
    taken = np.zeros(annotation.frames, bool)
    for bout in sorted(annotation.bouts, key=lambda bout: -known[bout.behaviour]):  # so that the first is written last
        span = slice(bout.start, bout.stop)
        several[span] |= taken[span] & (labels[span] != known[bout.behaviour])
        taken[span] = True
        labels[span] = known[bout.behaviour]
    if several.any() and overlap == "error":
        frame = int(np.flatnonzero(several)[0])
        names = dict.fromkeys(bout.behaviour for bout in annotation.bouts if bout.start <= frame < bout.stop)
        raise InputError(
            f"{what}: {int(several.sum())} frames have several behaviours at once, the first is frame "
            f"{frame} ({', '.join(names)}); say `--overlap first` or `--overlap unannotated`, or drop "
            "behaviours with --map"
        )
    if overlap == "unannotated":
        labels[several] = NOT_ANNOTATED
    return labels


def _index(name: str, known: Mapping[str, int], what: str) -> int:
    if name not in known:
        raise InputError(
            f"{what}: behaviour {name!r} is not among the classes ({', '.join(known)}); "
            "rename or drop it with --map, or add it to classes.txt"
        )
    return known[name]


def renamed(annotation: Annotation, names: Mapping[str, str]) -> Annotation:
    """With behaviours renamed, or dropped where the new name is empty; their frames stay annotated."""
    bouts = [bout._replace(behaviour=names.get(bout.behaviour, bout.behaviour)) for bout in annotation.bouts]
    behaviours = [names.get(name, name) for name in annotation.behaviours]
    ordered = sorted((bout for bout in bouts if bout.behaviour), key=_order)
    return annotation._replace(behaviours=tuple(dict.fromkeys(filter(None, behaviours))), bouts=tuple(ordered))


def of_subject(annotation: Annotation, subject: str) -> Annotation:
    """Only the bouts of one animal."""
    return annotation._replace(bouts=tuple(bout for bout in annotation.bouts if bout.subject == subject))
