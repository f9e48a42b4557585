"""Projects, their behaviours and their videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation import behaviours, models
from annotation.people import DatabaseOf, Person, PersonOf, project_for, role_of
from annotation.projects import videos_of
from annotation.tables import PERSON, ROLES, Assignment, Project, Track, User, Video
from data_prep.errors import InputError

router = APIRouter(prefix="/api/projects", tags=["projects"])
Id = Annotated[int, Path(ge=1, lt=2**31)]


def _a_class(name: str) -> str:
    if name == "frame" or name != name.strip():
        raise ValueError("a behaviour's name is not 'frame', and has no spaces around it")
    return name


BehaviourName = Annotated[
    str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$"), AfterValidator(_a_class)
]


class Behaviour(BaseModel):
    """A behaviour's name, the key that starts and stops it, and its colour."""

    name: BehaviourName
    key: str = Field("", max_length=1)
    colour: str = Field("", pattern=r"^(#[0-9A-Fa-f]{6})?$")


class ProjectBody(BaseModel):
    """What a manager may change. exclusive: whether only one behaviour can be at a time; left out, it stays."""

    behaviours: list[Behaviour] = Field(min_length=1, max_length=200)
    exclusive: bool | None = None


@router.get("")
def projects(person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """The projects that one is in."""
    with database.reading() as session:
        found = session.scalars(select(Project).order_by(Project.name))
        roles = [(one, role_of(session, person, one.id)) for one in found]
        return [project_json(one, role) for one, role in roles if role]


@router.get("/{project_id}")
def project(project_id: Id, person: PersonOf, database: DatabaseOf, request: Request) -> dict[str, Any]:
    """A project with its videos, one's assignments, how many labellings are in which state, the video to annotate
    next: that of which a model is least sure; and the names of files that are being checked, or cannot be used and
    why."""
    intake = request.app.state.intake
    with database.reading() as session:
        found = project_for(session, person, project_id)
        role = role_of(session, person, project_id) or ""
        videos, sure = videos_of(session, project_id), models.confidences(session, project_id)
        following = models.least_sure(session, videos, sure)
        return {
            **project_json(found, role),
            "videos": _videos(session, project_id, person, role, videos, sure),
            "next": [] if following is None else [following],
            "checking": intake.checking.get(project_id, []),
            "refused": intake.refused.get(project_id, {}),
        }


@router.patch("/{project_id}")
def change(project_id: Id, body: ProjectBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Change a project's behaviours: keys and colours, names of those that have no bouts, and further ones at the end;
    the dataset's classes.txt follows. 409 where that cannot be, and where bouts overlap that are to be exclusive."""
    names = [one.name for one in body.behaviours]
    keys = [one.key for one in body.behaviours if one.key]
    if len(set(names)) < len(names) or len(set(keys)) < len(keys):
        raise HTTPException(422, "two behaviours have the same name or key")
    with database.writing() as session:
        found = project_for(session, person, project_id, "manager")
        before = [one["name"] for one in found.behaviours]
        if body.exclusive and not found.exclusive:
            many = behaviours.overlapping(session, project_id)
            if many:
                raise HTTPException(409, f"{many} bouts overlap others, which cannot be with one behaviour at a time")
        if names != before:
            try:
                behaviours.check(before, names, behaviours.used(session, project_id))
                behaviours.write_classes(found, before, names)
            except InputError as error:
                raise HTTPException(409, str(error)) from None
        found.behaviours = [one.model_dump() for one in body.behaviours]
        found.exclusive = found.exclusive if body.exclusive is None else body.exclusive
        return project_json(found, role_of(session, person, project_id) or "")


def project_json(project: Project, role: str | None) -> dict[str, Any]:
    """A project as the API gives it, without its videos."""
    return {
        "id": project.id,
        "name": project.name,
        "role": role,
        "behaviours": project.behaviours,
        "exclusive": project.exclusive,
    }


def _videos(
    session: Session, project_id: int, person: Person, role: str, videos: Sequence[Video], sure: Mapping[int, float]
) -> list[dict[str, Any]]:
    """A project's videos. assigned_to: everybody's assignments for experts, one's own for annotators. confidence: of
    `sure`, the mean of the latest model's over the frames."""
    states: dict[int, dict[str, int]] = {}
    for video_id, state, count in session.execute(
        select(Track.video_id, Track.state, func.count()).join(Video)
        .where(Video.project_id == project_id, Track.kind == PERSON, Track.version > 0)  # more than a look
        .group_by(Track.video_id, Track.state)
    ):  # fmt: skip
        states.setdefault(video_id, {})[state] = count
    assigned: dict[int, list[dict[str, Any]]] = {}
    for one, name in session.execute(
        select(Assignment, User.name).join(User, User.id == Assignment.user_id)
        .join(Video, Video.id == Assignment.video_id).where(Video.project_id == project_id).order_by(User.name)
    ):  # fmt: skip
        told = {"id": one.id, "user": one.user_id, "name": name, "blind": one.blind}
        if role != ROLES[0] or one.user_id == person.id:
            assigned.setdefault(one.video_id, []).append(told)
    return [
        {
            "id": one.id,
            "name": one.stem,
            "frames": one.frames,
            "fps": one.fps,
            "states": states.get(one.id, {}),
            "assigned": any(who["user"] == person.id for who in assigned.get(one.id, [])),
            "assigned_to": assigned.get(one.id, []),
            "confidence": sure.get(one.id),
        }
        for one in videos
    ]
