"""Videos: their pictures in ranges of bytes, and when each frame is shown."""

from __future__ import annotations

import time
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from annotation import footage
from annotation.people import DatabaseOf, Person, PersonOf, may_see, role_of, video_for
from annotation.routes.tracks import track_json
from annotation.tables import PERSON, Track, Work

router = APIRouter(prefix="/api/videos", tags=["videos"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
MOST_AT_ONCE = 60.0  # seconds of work that a page may tell of at once


class WorkBody(BaseModel):
    """Seconds since the page last told."""

    seconds: float = Field(gt=0, le=MOST_AT_ONCE)


@router.get("/{video_id}")
def video(video_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A video's properties, and when its frames are shown.

    times: `{"step": seconds}` where every frame is shown as long (to a microsecond); else null, and
    `/api/videos/N/times` has them.
    """
    with database.reading() as session:
        found, project = video_for(session, person, video_id)
        times = footage.times(FilePath(project.folder), found.stem)
        step = footage.steady_step(times)
        return {
            "id": found.id,
            "name": found.stem,
            "project": project.id,
            "frames": found.frames,
            "fps": found.fps,
            "width": found.width,
            "height": found.height,
            "times": {"step": step} if step else None,
        }


@router.get("/{video_id}/times", response_class=Response)
def times(video_id: Id, person: PersonOf, database: DatabaseOf) -> Response:
    """When each frame is shown: seconds from the first one, float64, little-endian."""
    with database.reading() as session:
        found, project = video_for(session, person, video_id)
        content = footage.times(FilePath(project.folder), found.stem).astype("<f8").tobytes()
        return Response(content, media_type="application/octet-stream")


@router.get("/{video_id}/file", response_class=FileResponse)
def file(video_id: Id, person: PersonOf, database: DatabaseOf) -> FileResponse:
    """The video as browsers play it; ranges of bytes are answered."""
    with database.reading() as session:
        found, project = video_for(session, person, video_id)
        path = FilePath(project.folder) / found.playable
    if not path.is_file():
        raise HTTPException(404, "the video's file is gone; ask whoever runs the server")
    kind = {".webm": "video/webm", ".ogv": "video/ogg"}.get(path.suffix.lower(), "video/mp4")
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


@router.get("/{video_id}/tracks")
def tracks(video_id: Id, person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """The labellings of a video that one may see, without their bouts."""
    with database.reading() as session:
        found, project = video_for(session, person, video_id)
        role = role_of(session, person, project.id) or ""
        all_of_it = session.scalars(select(Track).where(Track.video_id == found.id).order_by(Track.id))
        return [track_json(session, one, person) for one in all_of_it if may_see(session, person, one, role)]


@router.post("/{video_id}/tracks", status_code=201)
def my_track(video_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """One's own labelling of a video: made, where there is none."""
    try:
        with database.writing() as session:
            found, _ = video_for(session, person, video_id)
            own = _own(session, found.id, person)
            if own is None:
                own = Track(video_id=found.id, author_id=person.id, kind=PERSON, annotated=[])
                session.add(own)
                session.flush()
            return track_json(session, own, person)
    except IntegrityError:  # another window of the same person made it just now
        with database.reading() as session:
            own = _own(session, video_id, person)
            assert own is not None
            return track_json(session, own, person)


def _own(session: Session, video_id: int, person: Person) -> Track | None:
    wanted = select(Track).where(Track.video_id == video_id, Track.author_id == person.id, Track.kind == PERSON)
    return session.scalar(wanted)


@router.post("/{video_id}/work", status_code=204)
def work(video_id: Id, body: WorkBody, person: PersonOf, database: DatabaseOf) -> None:
    """Count time that one spent on a video."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    with database.writing() as session:
        found, _ = video_for(session, person, video_id)
        row = session.get(Work, (person.id, found.id, day))
        if row is None:
            session.add(Work(user_id=person.id, video_id=found.id, day=day, seconds=body.seconds))
        else:
            row.seconds += body.seconds
