"""Projects, their behaviours and their videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation import models
from annotation.people import DatabaseOf, PersonOf, project_for, role_of
from annotation.tables import PERSON, Assignment, Bout, Project, Track, Video

router = APIRouter(prefix="/api/projects", tags=["projects"])
Id = Annotated[int, Path(ge=1, lt=2**31)]


class Behaviour(BaseModel):
    """A behaviour's name, the key that starts and stops it, and its colour."""

    name: str = Field(min_length=1, max_length=80)
    key: str = Field("", max_length=1)
    colour: str = Field("", pattern=r"^(#[0-9A-Fa-f]{6})?$")


class ProjectBody(BaseModel):
    """What a manager may change. exclusive: whether only one behaviour can be at a time."""

    behaviours: list[Behaviour] = Field(min_length=1, max_length=200)
    exclusive: bool = True


@router.get("")
def projects(person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """The projects that one is in."""
    with database.reading() as session:
        found = session.scalars(select(Project).order_by(Project.name))
        roles = [(one, role_of(session, person, one.id)) for one in found]
        return [_as_json(one, role) for one, role in roles if role]


@router.get("/{project_id}")
def project(project_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A project with its videos, one's assignments, how many labellings are in which state, and the video to annotate
    next: that of which a model is least sure."""
    with database.reading() as session:
        found = project_for(session, person, project_id)
        return {
            **_as_json(found, role_of(session, person, project_id) or ""),
            "videos": _videos(session, project_id, person.id),
            "next": [video for video, _ in models.least_sure(session, _all(session, project_id))][:1],
        }


@router.patch("/{project_id}")
def change(project_id: Id, body: ProjectBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Change a project's behaviours. 409 where one that is used would go."""
    names = [one.name for one in body.behaviours]
    keys = [one.key for one in body.behaviours if one.key]
    if len(set(names)) < len(names) or len(set(keys)) < len(keys):
        raise HTTPException(422, "two behaviours have the same name or key")
    with database.writing() as session:
        found = project_for(session, person, project_id, "manager")
        used = session.scalars(
            select(Bout.behaviour).distinct().join(Track, Track.id == Bout.track_id).join(Video)
            .where(Video.project_id == project_id)
        )  # fmt: skip
        gone = sorted(set(used) - set(names))
        if gone:
            raise HTTPException(409, f"bouts of {', '.join(gone)} are there; delete or rename them first")
        found.behaviours = [one.model_dump() for one in body.behaviours]
        found.exclusive = body.exclusive
        return _as_json(found, role_of(session, person, project_id) or "")


def _as_json(project: Project, role: str | None) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "role": role,
        "behaviours": project.behaviours,
        "exclusive": project.exclusive,
    }


def _all(session: Session, project_id: int) -> Sequence[Video]:
    return session.scalars(select(Video).where(Video.project_id == project_id).order_by(Video.stem)).all()


def _videos(session: Session, project_id: int, user_id: int) -> list[dict[str, Any]]:
    states: dict[int, dict[str, int]] = {}
    for video_id, state, count in session.execute(
        select(Track.video_id, Track.state, func.count()).join(Video)
        .where(Video.project_id == project_id, Track.kind == PERSON).group_by(Track.video_id, Track.state)
    ):  # fmt: skip
        states.setdefault(video_id, {})[state] = count
    mine = set(session.scalars(select(Assignment.video_id).where(Assignment.user_id == user_id)))
    return [
        {
            "id": one.id,
            "name": one.stem,
            "frames": one.frames,
            "fps": one.fps,
            "states": states.get(one.id, {}),
            "assigned": one.id in mine,
        }
        for one in _all(session, project_id)
    ]
