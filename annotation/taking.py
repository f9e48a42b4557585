"""A file's bouts, boxes and points as changes of a labelling: what is there gives way, as where somebody paints."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import edits, mark_edits
from annotation.tables import Bout, Project, Track, Video
from data_prep.annotations import Annotation, joined
from data_prep.errors import InputError

Span = tuple[int, int]


def changes(session: Session, track: Track, video: Video, project: Project, given: Annotation, new: str) -> list[Any]:
    """The changes that put what a file gives, named `new` and a number. Raises InputError for bouts at once where the
    project has one behaviour at a time, and for a mark that is not in the video."""
    if project.exclusive:
        at_once = first_at_once((one.behaviour, one.start, one.stop) for one in given.bouts)
        if at_once:
            raise InputError(f"the file has {at_once}; this project has one behaviour at a time")
    there = session.scalars(select(Bout).where(Bout.track_id == track.id)).all()
    out: list[Any] = list(mark_edits.of_file(given.marks, video, f"m{new}"))
    taken: dict[str, list[Span]] = {}  # by the behaviour that gives way; "": every one
    for one in given.bouts:
        taken.setdefault("" if project.exclusive else one.behaviour, []).append((one.start, one.stop))
    spans = {name: joined(given) for name, given in taken.items()}
    for bout in there:
        out += _giving_way(bout, spans.get("" if project.exclusive else bout.behaviour, ()), f"o{new}-{len(out)}")
    out += [
        _put(f"i{new}-{at}", f"i{new}-{at}", one.behaviour, (one.start, one.stop), one.comment[:2000], one.confidence)
        for at, one in enumerate(given.bouts)
    ]
    looked = [*((start, stop) for start, stop in track.annotated), *given.annotated]
    return [*out, edits.Annotated_(edit=f"i{new}-spans", action="annotated", spans=looked)] if looked else out


def first_at_once(bouts: Iterable[tuple[str, int, int]]) -> str | None:
    """Two behaviours of bouts (behaviour, start, stop) that are at once, and where; None where there are none."""
    last = ("", 0, 0)  # of those before, the one that ends last
    for bout in sorted(bouts, key=lambda one: one[1]):
        if bout[1] < last[2] and bout[0] != last[0]:
            return f"{last[0]} and {bout[0]} at once at frame {bout[1]}"
        last = max(last, bout, key=lambda one: one[2])
    return None


def _giving_way(bout: Bout, spans: Sequence[Span], name: str) -> list[Any]:
    """What becomes of a bout that gives way to spans, which are in order and apart."""
    left, at = [], bout.start
    for start, stop in spans[bisect_right(spans, bout.start, key=lambda span: span[1]) :]:
        if start >= bout.stop:
            break
        left.append((at, start))
        at = stop
    left = [span for span in (*left, (at, bout.stop)) if span[0] < span[1]]
    if left == [(bout.start, bout.stop)]:
        return []
    if not left:
        return [edits.Delete(edit=name, action="delete", id=bout.id)]
    return [
        _put(f"{name}-{at}", f"{name}-{at}" if at else bout.id, bout.behaviour, span, bout.comment, bout.confidence)
        for at, span in enumerate(left)
    ]


def _put(edit: str, name: str, behaviour: str, span: Span, comment: str, confidence: float | None) -> edits.Put:
    start, stop = span
    body = edits.BoutBody(id=name, behaviour=behaviour, start=start, stop=stop, comment=comment, confidence=confidence)
    return edits.Put(edit=edit, action="put", bout=body)
