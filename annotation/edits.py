"""Changes of a labelling: applied once, in order, all of a request or none, each with its trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import Connection, Table, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from annotation import mark_edits
from annotation.mark_edits import Name, PutMark, Unmark
from annotation.tables import Edit, Project, Track, Video
from data_prep.annotations import joined

AT_ONCE = 5000  # names in a statement: SQLite takes 32,766 values, some builds fewer
_NAMES: Any = bindparam("names", expanding=True)


class Kept(NamedTuple):
    """A table of what labellings hold by name: its statements, made once since to build them takes as long as to run
    them; a row as the API gives it; and what of the latter is stored."""

    there: Any
    gone: Any
    new: Any
    as_json: Callable[[Any], dict[str, Any]]
    stored: Callable[[dict[str, Any]], dict[str, Any]]


def _kept(table: Table, as_json: Any, stored: Any = dict) -> Kept:
    ours = (table.c.track_id == bindparam("track")) & table.c.id.in_(_NAMES)
    return Kept(select(table).where(ours), delete(table).where(ours), insert(table), as_json, stored)


class BoutBody(BaseModel):
    """Frames [start, stop) of a behaviour."""

    id: Name
    behaviour: str = Field(min_length=1, max_length=80)
    start: int = Field(ge=0, lt=2**31)
    stop: int = Field(gt=0, lt=2**31)
    comment: str = Field("", max_length=2000)
    confidence: float | None = Field(None, ge=0, le=1)


class Put(BaseModel):
    """A bout that is new, or replaces the one of its id."""

    edit: Name
    action: Literal["put"]
    bout: BoutBody


class Delete(BaseModel):
    """A bout that goes."""

    edit: Name
    action: Literal["delete"]
    id: Name


class Annotated_(BaseModel):
    """Which spans of the frames [start, stop), of all without them, were looked at: `[[start, stop]]`, no others."""

    edit: Name
    action: Literal["annotated"]
    start: Annotated[int, Field(ge=0, lt=2**31)] = 0
    stop: Annotated[int | None, Field(gt=0, lt=2**31)] = None
    spans: list[tuple[Annotated[int, Field(ge=0, lt=2**31)], Annotated[int, Field(gt=0, lt=2**31)]]] = Field(
        max_length=100_000
    )


Change = Annotated[Put | Delete | Annotated_ | PutMark | Unmark, Field(discriminator="action")]


class Changes(BaseModel):
    """A request's changes, in order. version: the labelling's on which they were made; null where that is all the
    same."""

    edits: list[Change] = Field(min_length=1, max_length=50_000)
    version: int | None = Field(None, ge=0, lt=2**31)


class Place(NamedTuple):
    """Where changes are applied: a labelling, its video, the project's behaviours, and the bouts and marks as they
    become."""

    track: Track
    video: Video
    behaviours: set[str]
    bouts: dict[str, dict[str, Any]]
    marks: dict[str, dict[str, Any]]


def apply(
    session: Session,
    track: Track,
    video: Video,
    project: Project,
    user_id: int,
    changes: list[Any],
    version: int | None = None,
) -> int:
    """Apply changes that were not applied before; returns the labelling's version. 422 for one that cannot be, 409
    where other changes came since the version on which these were made."""
    connection = session.connection()
    known = _known(connection, track, [change.edit for change in changes])
    if version is not None and track.version != version + len(known):
        raise HTTPException(409, "this labelling was changed meanwhile, in another window or by a program")
    bouts = _there(connection, BOUTS, track, [one.bout.id if one.action == "put" else one.id
                                              for one in changes if one.action in ("put", "delete")])  # fmt: skip
    marks = _there(connection, MARKS, track, [one.mark.id if one.action == "mark" else one.id
                                              for one in changes if one.action in ("mark", "unmark")])  # fmt: skip
    place = Place(track, video, {one["name"] for one in project.behaviours}, dict(bouts), dict(marks))
    trail, now = [], time.time()
    for change in changes:
        if change.edit in known:
            continue
        known.add(change.edit)
        was, becomes = APPLY[change.action](place, change)
        trail.append({"track_id": track.id, "user_id": user_id, "edit": change.edit, "at": now,
                      "action": change.action, "before": was, "after": becomes})  # fmt: skip
    _keep(connection, BOUTS, track, bouts, place.bouts)
    _keep(connection, MARKS, track, marks, place.marks)
    if trail:
        connection.execute(TRAIL, trail)
    track.version += len(trail)
    track.updated = now
    session.flush()
    if marks or place.marks:
        mark_edits.must_fit(session, track)
    return track.version


def _put(place: Place, change: Put) -> tuple[Any, Any]:
    given = change.bout
    if given.behaviour not in place.behaviours:
        raise HTTPException(422, f"there is no behaviour {given.behaviour!r} in this project")
    if not given.start < given.stop <= place.video.frames:
        raise HTTPException(422, f"frames {given.start} to {given.stop}: not inside the video's {place.video.frames}")
    before = place.bouts.get(given.id)
    place.bouts[given.id] = given.model_dump()
    return before, place.bouts[given.id]


def _delete(place: Place, change: Delete) -> tuple[Any, Any]:
    return place.bouts.pop(change.id, None), None


def _annotated(place: Place, change: Annotated_) -> tuple[Any, Any]:
    frames, track = place.video.frames, place.track
    start, stop = change.start, frames if change.stop is None else change.stop
    if not start < stop <= frames or any(not start <= one < other <= stop for one, other in change.spans):
        raise HTTPException(422, f"annotated spans must lie in the frames {start} to {stop}, of the video's {frames}")
    before = clipped(track.annotated, start, stop)
    spans = joined(change.spans)
    outside = [*clipped(track.annotated, 0, start), *clipped(track.annotated, stop, frames)]
    track.annotated = [list(span) for span in joined([*outside, *spans])]
    return ({"start": start, "stop": stop, "spans": before}, {"start": start, "stop": stop, "spans": spans})


def clipped(spans: Sequence[Sequence[int]], start: int, stop: int) -> list[tuple[int, int]]:
    """What of spans lies in [start, stop)."""
    return [(max(one, start), min(other, stop)) for one, other in spans if one < stop and other > start]


APPLY: dict[str, Any] = {
    "put": _put, "delete": _delete, "annotated": _annotated, "mark": mark_edits.put, "unmark": mark_edits.remove,
}  # fmt: skip


def _known(connection: Connection, track: Track, names: list[str]) -> set[str]:
    """Which of these changes were applied before."""
    found: set[str] = set()
    for some in _parts(names):
        found.update(connection.execute(KNOWN, {"track": track.id, "names": some}).scalars())
    return found


def _there(connection: Connection, kept: Kept, track: Track, names: list[str]) -> dict[str, dict[str, Any]]:
    """The bouts or marks of these names that are there."""
    found: dict[str, dict[str, Any]] = {}
    for some in _parts(names):
        there = connection.execute(kept.there, {"track": track.id, "names": some})
        found.update((one.id, kept.as_json(one)) for one in there)
    return found


def _keep(connection: Connection, kept: Kept, track: Track, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Store the bouts or marks that are new or others than before, and drop those that went."""
    for some in _parts([name for name, was in before.items() if after.get(name) != was]):
        connection.execute(kept.gone, {"track": track.id, "names": some})
    new = [{"track_id": track.id, **kept.stored(one)} for name, one in after.items() if before.get(name) != one]
    if new:
        connection.execute(kept.new, new)


def _parts(names: list[str]) -> Iterator[list[str]]:
    """Names in parts that fit a statement of any database."""
    return (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE))


def as_json(bout: Any) -> dict[str, Any]:
    """A bout as the API gives it, of a `Bout` or a row of its table."""
    return {name: getattr(bout, name) for name in ("id", "behaviour", "start", "stop", "comment", "confidence")}


_TABLES = Edit.metadata.tables
_EDITS = _TABLES["edits"]
KNOWN = select(_EDITS.c.edit).where(_EDITS.c.track_id == bindparam("track"), _EDITS.c.edit.in_(_NAMES))
TRAIL = insert(_EDITS)
BOUTS = _kept(_TABLES["bouts"], as_json)
MARKS = _kept(_TABLES["marks"], mark_edits.as_json, mark_edits.stored)
