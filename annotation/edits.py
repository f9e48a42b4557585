"""Changes of a labelling: applied once, in order, all of a request or none, each with its trace."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.tables import Bout, Edit, Project, Track, Video
from data_prep.annotations import joined

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]


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
    """Which spans of frames, `[[start, stop]]`, were looked at."""

    edit: Name
    action: Literal["annotated"]
    spans: list[tuple[Annotated[int, Field(ge=0, lt=2**31)], Annotated[int, Field(gt=0, lt=2**31)]]] = Field(
        max_length=100_000
    )


Change = Annotated[Put | Delete | Annotated_, Field(discriminator="action")]


class Changes(BaseModel):
    """A request's changes, in order."""

    edits: list[Change] = Field(min_length=1, max_length=50_000)


def apply(session: Session, track: Track, video: Video, project: Project, user_id: int, changes: list[Any]) -> int:
    """Apply changes that were not applied before; returns the labelling's version. 422 for one that cannot be."""
    names = [change.edit for change in changes]
    known = set(session.scalars(select(Edit.edit).where(Edit.track_id == track.id, Edit.edit.in_(names))))
    behaviours = {one["name"] for one in project.behaviours}
    for change in changes:
        if change.edit in known:
            continue
        known.add(change.edit)
        before, after = APPLY[change.action](session, track, video, behaviours, change)
        session.add(
            Edit(track_id=track.id, user_id=user_id, edit=change.edit, action=change.action, before=before, after=after)
        )
        track.version += 1
    track.updated = time.time()
    session.flush()
    return track.version


def _put(session: Session, track: Track, video: Video, behaviours: set[str], change: Put) -> tuple[Any, Any]:
    given = change.bout
    if given.behaviour not in behaviours:
        raise HTTPException(422, f"there is no behaviour {given.behaviour!r} in this project")
    if not given.start < given.stop <= video.frames:
        raise HTTPException(422, f"frames {given.start} to {given.stop}: not inside the video's {video.frames}")
    there = session.get(Bout, (track.id, given.id))
    before = as_json(there) if there else None
    if there is None:
        session.add(Bout(track_id=track.id, **given.model_dump()))
    else:
        for name, value in given.model_dump(exclude={"id"}).items():
            setattr(there, name, value)
    return before, given.model_dump()


def _delete(session: Session, track: Track, video: Video, behaviours: set[str], change: Delete) -> tuple[Any, Any]:
    there = session.get(Bout, (track.id, change.id))
    if there is None:
        return None, None
    before = as_json(there)
    session.delete(there)
    session.flush()  # a bout of the same id may come next
    return before, None


def _annotated(
    session: Session, track: Track, video: Video, behaviours: set[str], change: Annotated_
) -> tuple[Any, Any]:
    if any(not 0 <= start < stop <= video.frames for start, stop in change.spans):
        raise HTTPException(422, f"annotated spans must lie inside the video's {video.frames} frames")
    spans = joined(change.spans)
    before = {"spans": track.annotated}
    track.annotated = [list(span) for span in spans]
    return before, {"spans": track.annotated}


APPLY: dict[str, Any] = {"put": _put, "delete": _delete, "annotated": _annotated}


def as_json(bout: Bout) -> dict[str, Any]:
    """A bout as the API gives it."""
    return {name: getattr(bout, name) for name in ("id", "behaviour", "start", "stop", "comment", "confidence")}
