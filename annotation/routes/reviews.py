"""What becomes of a labelling: handed in, taken back, accepted, returned."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import models, taking
from annotation.people import DatabaseOf, Person, PersonOf, is_blind, project_for, track_for
from annotation.routes.tracks import labels_of, track_json
from annotation.tables import CONSENSUS, Bout, Edit, Project, Track, Video

router = APIRouter(prefix="/api", tags=["labellings"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
# From which states a labelling may come to one.
BY_AUTHOR = {"submitted": ("draft", "returned"), "draft": ("submitted", "returned", "draft")}
BY_REVIEWER = ("submitted", "accepted")


class StateBody(BaseModel):
    """What becomes of a labelling: its author hands it in or takes it back, an expert accepts or returns it.
    reason: why it is returned, for its author."""

    state: Literal["draft", "submitted", "accepted", "returned"]
    reason: str = Field("", max_length=2000)


@router.post("/tracks/{track_id}/state")
def change_state(track_id: Id, body: StateBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Hand in, take back, accept or return a labelling. What is accepted becomes the dataset's labels of the video,
    in the place of what was accepted before; the histories of both say so. A consensus is a review itself: its
    author may accept it."""
    with database.writing() as session:
        found, video, project = track_for(session, person, track_id, locked=True)
        allowed = _allowed(session, found, project, person, body.state)
        if found.state not in allowed:
            raise HTTPException(409, f"this labelling is {found.state}, so it cannot become {body.state}")
        if project.exclusive and body.state in ("submitted", "accepted"):
            _must_be_one_at_a_time(session, found)
        # So that of two of a video that are accepted at once one comes after the other.
        session.execute(select(Video.id).where(Video.id == video.id).with_for_update())
        labels = labels_of(session, video.id)
        before, found.state, found.updated = found.state, body.state, time.time()
        after = {"state": body.state, **({"reason": body.reason} if body.reason and body.state == "returned" else {})}
        if body.state == "accepted" and labels not in (None, found.id):
            after["replaces"] = str(labels)
            _note(session, session.get_one(Track, labels), person, "replaced", None, {"by": found.id})
        _note(session, found, person, "state", {"state": before}, after)
        session.flush()
        now = labels_of(session, video.id)
        # Where the last accepted one is returned, the one before it counts again; where none is left the file stays.
        if now is not None and (now != labels or body.state == "accepted"):
            models.write_labels(session, session.get_one(Track, now), video, project)
        return track_json(session, found, person)


def _allowed(session: Session, found: Track, project: Project, person: Person, state: str) -> tuple[str, ...]:
    if state not in ("accepted", "returned"):
        if found.author_id != person.id:
            raise HTTPException(403, "only its author hands a labelling in or takes it back")
        if state == "draft" and found.state == "submitted" and is_blind(session, person, found.video_id):
            raise HTTPException(409, "this was to be labelled blindly, and you may have seen others' labels since you "
                                     "handed it in; ask an expert to return it")  # fmt: skip
        return BY_AUTHOR[state]
    project_for(session, person, project.id, "expert")
    if found.author_id == person.id and found.kind == CONSENSUS:
        return (*BY_REVIEWER, "draft", "returned")
    if found.author_id == person.id and not person.admin:
        raise HTTPException(403, "somebody else reviews a labelling, not its author")
    return BY_REVIEWER


def _must_be_one_at_a_time(session: Session, track: Track) -> None:
    """409 where behaviours are at once, which no page makes but a program may: such frames would have no label."""
    bouts = session.execute(select(Bout.behaviour, Bout.start, Bout.stop).where(Bout.track_id == track.id))
    at_once = taking.first_at_once((behaviour, start, stop) for behaviour, start, stop in bouts)
    if at_once:
        raise HTTPException(409, f"there are {at_once}; this project has one behaviour at a time: paint over one")


def _note(session: Session, track: Track, person: Person, action: str, before: Any, after: Any) -> None:
    track.version += 1
    edit = f"{action} {track.version}"  # with a space, so that no browser's own name is the same
    session.add(Edit(track_id=track.id, user_id=person.id, edit=edit, action=action, before=before, after=after))
