"""Labellings: reading, changing, their history, and taking them in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import edits, exports, mark_edits, secrets, taking
from annotation.people import DatabaseOf, Person, PersonOf, track_for
from annotation.tables import Bout, Edit, Mark, Track, User
from data_prep import formats
from data_prep.errors import InputError

router = APIRouter(prefix="/api", tags=["labellings"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
MOST_BYTES = 32 << 20  # of an annotation file


@router.get("/tracks/{track_id}")
def track(track_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A labelling with its bouts, by their start, and its marks: boxes and points with their keyframes."""
    with database.reading() as session:
        found, _, _ = track_for(session, person, track_id)
        bouts = session.scalars(select(Bout).where(Bout.track_id == found.id).order_by(Bout.start, Bout.id))
        marks = session.scalars(select(Mark).where(Mark.track_id == found.id).order_by(Mark.id))
        return {
            **track_json(session, found, person),
            "reason": _reason(session, found),
            "bouts": [edits.as_json(one) for one in bouts],
            "marks": [mark_edits.as_json(one) for one in marks],
        }


def _reason(session: Session, found: Track) -> str:
    """Why a labelling was returned, where it was and its reviewer said so."""
    if found.state != "returned":
        return ""
    last = session.scalars(
        select(Edit.after).where(Edit.track_id == found.id, Edit.action == "state").order_by(Edit.id.desc()).limit(1)
    ).first()
    return (last or {}).get("reason", "")


@router.post("/tracks/{track_id}/edits")
def change(track_id: Id, body: edits.Changes, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Change one's own labelling: all of the request or, where something is wrong, nothing.

    A change whose name was there before is not done again, so a request whose answer was lost can be repeated. 409
    where `version` is given and other changes came since.
    """
    with database.writing() as session:
        found, video, project = track_for(session, person, track_id, locked=True)
        must_be_open(found, person)
        return {"version": edits.apply(session, found, video, project, person.id, body.edits, body.version)}


@router.get("/tracks/{track_id}/history")
def history(
    track_id: Id,
    person: PersonOf,
    database: DatabaseOf,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    most: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Who changed what, oldest first, after the entry of that number: `most` entries, fewer where they are large. Ask
    again after the last one, until none comes."""
    with database.reading() as session:
        found, _, _ = track_for(session, person, track_id)
        rows = session.execute(
            select(Edit, User.name).join(User, User.id == Edit.user_id)
            .where(Edit.track_id == found.id, Edit.id > after).order_by(Edit.id).limit(most)
        )  # fmt: skip
        out, numbers = [], 0
        for edit, name in rows.yield_per(20):
            out.append({"id": edit.id, "by": name, "at": edit.at, "action": edit.action, "before": edit.before,
                        "after": edit.after})  # fmt: skip
            numbers += mark_edits.weight(edit.before) + mark_edits.weight(edit.after)
            if numbers > mark_edits.MOST_KEYFRAMES:
                break
        return out


@router.get("/tracks/{track_id}/export", response_class=Response)
def export(
    track_id: Id,
    person: PersonOf,
    database: DatabaseOf,
    kind: Annotated[str, Query(max_length=40)] = "labels",
) -> Response:
    """A labelling as a file: `labels`, as in a dataset, or another format that `ethocaffe convert` writes."""
    if kind not in ("labels", *formats.writable()):
        raise HTTPException(422, f"there is no format {kind!r}; there are {', '.join(formats.writable())}")
    with database.reading() as session:
        found, video, project = track_for(session, person, track_id)
        try:
            content, ending = exports.export(session, found, video, project, kind)
        except InputError as error:
            raise HTTPException(422, str(error)) from None
    headers = {"Content-Disposition": f'attachment; filename="{kind}_{found.id}{ending}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


async def received(request: Request) -> bytes:
    """The file of annotations that a request's body is. 413 where it is too large."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BYTES:
            raise HTTPException(413, f"files of annotations of up to {MOST_BYTES >> 20} MB are taken")
    return bytes(content)


@router.post("/tracks/{track_id}/import")
async def take(
    track_id: Id,
    request: Request,
    person: PersonOf,
    database: DatabaseOf,
    name: Annotated[str, Query(max_length=200)] = "given.csv",
) -> dict[str, Any]:
    """Put a file's bouts, and boxes and points where it has some, into one's own labelling, as drafts: of any format
    that `ethocaffe convert` reads. Bouts that are there give way, as where somebody paints. The body is the file;
    `name` its name, whose ending may say what it is."""
    content = await received(request)
    return await run_in_threadpool(_take, database, person, track_id, content, name)


def _take(database: Any, person: Person, track_id: int, content: bytes, name: str) -> dict[str, Any]:
    with database.writing() as session:
        found, video, project = track_for(session, person, track_id, locked=True)
        must_be_open(found, person)
        try:
            given = exports.read(content, name, video, project)
            changes = taking.changes(session, found, video, project, given, secrets.new_secret()[:8])
        except InputError as error:
            raise HTTPException(422, str(error)) from None
        version = edits.apply(session, found, video, project, person.id, changes) if changes else found.version
        return {"version": version, "bouts": len(given.bouts), "marks": len(given.marks)}


def must_be_open(found: Track, person: Person) -> None:
    """403 or 409 where a labelling is not for this person to change now."""
    if found.author_id != person.id:
        raise HTTPException(403, "only its author changes a labelling")
    if found.state not in ("draft", "returned"):
        raise HTTPException(409, f"this labelling is {found.state}; take it back to change it")


def track_json(session: Session, found: Track, person: Person) -> dict[str, Any]:
    """A labelling as the API gives it, without its bouts."""
    author = session.get(User, found.author_id) if found.author_id else None
    return {
        "id": found.id,
        "video": found.video_id,
        "author": author.name if author else None,
        "mine": found.author_id == person.id,
        "kind": found.kind,
        "name": found.name,
        "state": found.state,
        "annotated": found.annotated,
        "version": found.version,
        "labels": found.id == labels_of(session, found.video_id),
        "updated": found.updated,
    }


def labels_of(session: Session, video_id: int) -> int | None:
    """The labelling that the dataset's labels of a video are: of the accepted ones, the one accepted last."""
    return session.scalars(
        select(Track.id).where(Track.video_id == video_id, Track.state == "accepted").order_by(Track.updated.desc())
        .limit(1)
    ).first()  # fmt: skip
