"""New projects, and videos that come in through the page."""

from __future__ import annotations

from pathlib import Path as FilePath
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.requests import ClientDisconnect

from annotation import projects, uploads
from annotation.database import Database
from annotation.people import DatabaseOf, Person, PersonOf, project_for
from annotation.routes.projects import BehaviourName, project_json
from annotation.tables import ROLES, Project, Video
from data_prep.errors import InputError
from data_prep.transfer.checking import check

router = APIRouter(prefix="/api/projects", tags=["projects"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
FILE = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}  # fmt: skip # noqa: E501


class NewProject(BaseModel):
    """A project's name, which becomes a folder's, and its behaviours' names in order."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")
    behaviours: list[BehaviourName] = Field(min_length=1, max_length=200)
    exclusive: bool = True


@router.post("", status_code=201)
def make(body: NewProject, request: Request, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Make a project without videos, as an administrator. 409 where there is one of the name, or the server was not
    told where new ones go."""
    if not person.admin:
        raise HTTPException(403, "only administrators make projects")
    if len(set(body.behaviours)) < len(body.behaviours):
        raise HTTPException(422, "two behaviours have the same name")
    parent: FilePath | None = request.app.state.projects
    if parent is None:
        raise HTTPException(409, "start the server with `ethocaffe annotate … --projects DIR` to make projects in DIR")
    with database.writing() as session:
        if session.scalar(select(Project.id).where(Project.name == body.name)) is not None:
            raise HTTPException(409, f"there is a project {body.name!r} already")
        made = Project(
            name=body.name,
            folder=str(parent / body.name),
            behaviours=projects.behaviours(body.behaviours),
            exclusive=body.exclusive,
        )
        session.add(made)
        session.flush()
        try:
            uploads.make_dataset(parent / body.name, body.behaviours)
        except uploads.Exists as error:
            raise HTTPException(409, str(error)) from None
        return project_json(made, ROLES[-1])


@router.post("/{project_id}/videos", status_code=201, openapi_extra=FILE)
async def upload(
    project_id: Id,
    request: Request,
    person: PersonOf,
    database: DatabaseOf,
    name: Annotated[str, Query(max_length=400)] = "",
) -> dict[str, Any]:
    """Put a video into a project; the body is the file, `name` its name. It is received whole and every frame decoded
    before it is there. 409 where there is one of that name, 413 for more than the server takes, 422 for what is no
    video."""
    folder, stem, ending = await run_in_threadpool(_place, database, person, project_id, name)
    partial = uploads.partial_path(folder, ending)
    try:
        await uploads.receive(request.stream(), partial, int(request.headers.get("Content-Length", "0")))
        return await run_in_threadpool(
            _take, request.app.state.intake.turn, database, project_id, folder, partial, stem + ending
        )
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    except uploads.Exists as error:
        raise HTTPException(409, str(error)) from None
    except OSError as error:
        raise HTTPException(507, f"the server cannot keep it ({error.strerror}); tell whoever runs it") from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended before the file did") from None
    finally:
        partial.unlink(missing_ok=True)


def _place(database: Database, person: Person, project_id: int, name: str) -> tuple[FilePath, str, str]:
    with database.reading() as session:
        folder = FilePath(project_for(session, person, project_id, ROLES[-1]).folder)
    try:
        stem, ending = uploads.safe_name(name)
        uploads.must_be_new(folder, stem)
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    except uploads.Exists as error:
        raise HTTPException(409, str(error)) from None
    return folder, stem, ending


def _take(
    turn: Lock, database: Database, project_id: int, folder: FilePath, partial: FilePath, name: str
) -> dict[str, Any]:
    with turn:  # so that of two of the same name one is refused
        uploads.must_be_new(folder, FilePath(name).stem)
        uploads.must_be_video(partial, name)
        facts = check(partial, name, lambda frames: None)
        file = uploads.move(partial, folder, name)
        try:
            projects.register(database, project_id, folder, file, facts)
        except BaseException:
            file.unlink(missing_ok=True)  # not half there
            raise
    with database.reading() as session:
        video = session.scalars(select(Video).where(Video.project_id == project_id, Video.stem == file.stem)).one()
        return {
            "id": video.id,
            "name": video.stem,
            "frames": video.frames,
            "fps": video.fps,
            "notes": list(facts.notes),
        }
