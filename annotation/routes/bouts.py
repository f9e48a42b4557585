"""Bouts over all videos of a project, or of all projects that one is an expert in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from annotation import edits
from annotation.database import Database
from annotation.people import DatabaseOf, Person, PersonOf, hidden_videos, project_for, role_of
from annotation.tables import Bout, Member, Project, Track, User, Video

router = APIRouter(prefix="/api", tags=["reports"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
COLUMNS = ("project", "video", "track", "by", "kind", "state", "id", "behaviour", "start", "stop", "seconds",
           "confidence", "comment")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how one begins in a spreadsheet
PIECE = 1000  # rows that are read and sent at once


def _wanted(
    behaviour: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    least_seconds: Annotated[float, Query(ge=0, le=1e9)] = 0.0,
    state: Annotated[Literal["draft", "submitted", "accepted", "returned"] | None, Query()] = None,
    role: Annotated[Literal["annotator", "expert", "manager"] | None, Query()] = None,
) -> Select[Any]:
    """The bouts that a request's filters choose, in order. role: what their author is in the project."""
    wanted: Any = (
        select(Bout, Project.name, Video.stem, Video.fps, Track, User.name)
        .join(Track, Track.id == Bout.track_id)
        .join(Video, Video.id == Track.video_id)
        .join(Project, Project.id == Video.project_id)
        .outerjoin(User, User.id == Track.author_id)
        .where((Bout.stop - Bout.start) / Video.fps >= least_seconds)
        .order_by(Project.name, Video.stem, Track.id, Bout.start, Bout.id)
    )
    if behaviour is not None:
        wanted = wanted.where(Bout.behaviour == behaviour)
    if state is not None:
        wanted = wanted.where(Track.state == state)
    if role is not None:
        author = (Member.user_id == Track.author_id) & (Member.project_id == Video.project_id)
        wanted = wanted.join(Member, author).where(Member.role == role)
    return wanted


Wanted = Annotated[Select[Any], Depends(_wanted)]
After = Annotated[int, Query(ge=0, lt=2**31)]
Most = Annotated[int, Query(ge=1, le=10_000)]
As = Annotated[Literal["json", "csv"] | None, Query(alias="as")]


@router.get("/projects/{project_id}/bouts")
def of_project(
    project_id: Id,
    request: Request,
    person: PersonOf,
    database: DatabaseOf,
    wanted: Wanted,
    after: After = 0,
    most: Most = 1000,
    form: As = None,
) -> Response:
    """Bouts over all videos of a project, such as all of groom over 2 s by experts; `after` skips so many. With
    `as=csv` or `Accept: text/csv` all of them, as a table."""
    with database.reading() as session:
        project_for(session, person, project_id, "expert")
        wanted = _visible(session, person, wanted, [project_id])
    return _answer(database, wanted, after, most, form or _accepted(request))


@router.get("/bouts")
def of_all(
    request: Request,
    person: PersonOf,
    database: DatabaseOf,
    wanted: Wanted,
    after: After = 0,
    most: Most = 1000,
    form: As = None,
) -> Response:
    """As of a project, over all projects in which one is an expert or more."""
    with database.reading() as session:
        everything = session.scalars(select(Project.id)).all()
        projects = [one for one in everything if role_of(session, person, one) not in (None, "annotator")]
        wanted = _visible(session, person, wanted, projects)
    return _answer(database, wanted, after, most, form or _accepted(request))


def _visible(session: Session, person: Person, wanted: Select[Any], projects: list[int]) -> Select[Any]:
    """Only what one may see: nothing of others' on a video that is one's own to annotate blindly."""
    hidden = [video for project_id in projects for video in hidden_videos(session, person, project_id)]
    wanted = wanted.where(Video.project_id.in_(projects))
    return wanted.where(or_(Video.id.notin_(hidden), Track.author_id == person.id)) if hidden else wanted


def _accepted(request: Request) -> str:
    return "csv" if request.headers.get("Accept", "").startswith("text/csv") else "json"


def _answer(database: Database, wanted: Select[Any], after: int, most: int, form: str) -> Response:
    if form == "csv":
        headers = {"Content-Disposition": 'attachment; filename="bouts.csv"'}
        return StreamingResponse(_csv(database, wanted.offset(after)), media_type="text/csv", headers=headers)
    with database.reading() as session:
        return JSONResponse(list(_rows(session, wanted.offset(after).limit(most))))


def _rows(session: Session, wanted: Select[Any]) -> Iterator[dict[str, Any]]:
    for bout, project, stem, fps, track, author in session.execute(wanted.execution_options(yield_per=PIECE)):
        yield {
            **edits.as_json(bout), "project": project, "video": stem, "track": track.id,
            "author": track.author_id, "by": author,
            "kind": track.kind, "state": track.state, "seconds": (bout.stop - bout.start) / fps,
        }  # fmt: skip


def _csv(database: Database, wanted: Select[Any]) -> Iterator[str]:
    """A table of bouts, in pieces."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    with database.reading() as session:
        for count, row in enumerate(_rows(session, wanted), 1):
            writer.writerow({name: _as_text(value) for name, value in row.items()})
            if count % PIECE == 0:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def _as_text(value: Any) -> Any:
    """A value that a spreadsheet does not take for a formula, which a comment of anybody's could be."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
