"""Boxes and points of a labelling, as files and from files, and what they are called."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import or_, select

from annotation import edits, footage, mark_edits, secrets
from annotation.people import DatabaseOf, Person, PersonOf, hidden_videos, project_for, track_for
from annotation.routes.tracks import must_be_open, received
from annotation.tables import Mark, Track, Video
from data_prep import mark_files
from data_prep.errors import InputError

router = APIRouter(prefix="/api", tags=["boxes and points"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
MOST_NAMES = 500


@router.get("/tracks/{track_id}/marks", response_class=Response)
def marks(
    track_id: Id,
    person: PersonOf,
    database: DatabaseOf,
    kind: Annotated[Literal["csv", "json"], Query(alias="as")] = "csv",
) -> Response:
    """A labelling's boxes and points: as `csv` a row per frame and mark, as `json` their keyframes."""
    with database.reading() as session:
        found, video, project = track_for(session, person, track_id)
        ours = mark_edits.of_track(session, found.id)
        times = footage.times(FilePath(project.folder), video.stem)
    headers = {"Content-Disposition": f'attachment; filename="marks_{track_id}.{kind}"'}
    if kind == "json":
        content = mark_files.as_json(ours, video.file, video.frames, video.width, video.height)
        return JSONResponse(content, headers=headers)
    return StreamingResponse(mark_files.csv_pieces(ours, times), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/tracks/{track_id}/marks")
async def take(track_id: Id, request: Request, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Put the boxes and points of a file into one's own labelling. The body is the file, as `GET` gives it; a mark
    replaces the one of its id."""
    return await run_in_threadpool(_take, database, person, track_id, await received(request))


def _take(database: Any, person: Person, track_id: int, content: bytes) -> dict[str, Any]:
    with database.writing() as session:
        found, video, project = track_for(session, person, track_id, locked=True)
        must_be_open(found, person)
        try:
            given = mark_files.read(content, video.frames, video.width, video.height)
            changes = mark_edits.of_file(given, video, f"i{secrets.new_secret()[:8]}")
        except InputError as error:
            raise HTTPException(422, str(error)) from None
        version = edits.apply(session, found, video, project, person.id, changes) if changes else found.version
        return {"version": version, "marks": len(given)}


@router.get("/projects/{project_id}/mark-names")
def names(project_id: Id, person: PersonOf, database: DatabaseOf) -> list[str]:
    """What boxes and points are called in one's own labellings of a project and in the accepted ones that one may
    see."""
    with database.reading() as session:
        project_for(session, person, project_id)
        accepted = (Track.state == "accepted") & Video.id.notin_(hidden_videos(session, person, project_id))
        found = session.scalars(
            select(Mark.name).distinct().join(Track, Track.id == Mark.track_id).join(Video, Video.id == Track.video_id)
            .where(Video.project_id == project_id, or_(Track.author_id == person.id, accepted))
            .order_by(Mark.name).limit(MOST_NAMES)
        )  # fmt: skip
        return list(found)
