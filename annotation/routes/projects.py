"""Projects, who is in them, and how far their videos are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation import models, secrets
from annotation.people import DatabaseOf, PersonOf, project_for, role_of
from annotation.tables import PERSON, Assignment, Bout, Invitation, Member, Project, Track, User, Video, Work

router = APIRouter(prefix="/api/projects", tags=["projects"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
DAYS = 7  # that an invitation holds


class Behaviour(BaseModel):
    """A behaviour's name, the key that starts and stops it, and its colour."""

    name: str = Field(min_length=1, max_length=80)
    key: str = Field("", max_length=1)
    colour: str = Field("", pattern=r"^(#[0-9A-Fa-f]{6})?$")


class ProjectBody(BaseModel):
    """What a manager may change. exclusive: whether only one behaviour can be at a time."""

    behaviours: list[Behaviour] = Field(min_length=1, max_length=200)
    exclusive: bool = True


class InvitationBody(BaseModel):
    """What the invited person will be."""

    role: Literal["annotator", "expert", "manager"] = "annotator"


class RoleBody(BaseModel):
    """A member's role."""

    role: Literal["annotator", "expert", "manager"]


class AssignmentBody(BaseModel):
    """Who is to annotate a video, and whether without seeing others' labels."""

    video: int = Field(ge=1, lt=2**31)
    user: int = Field(ge=1, lt=2**31)
    blind: bool = False


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


@router.post("/{project_id}/invitations", status_code=201)
def invite(project_id: Id, body: InvitationBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A secret that lets one person in, within a week; it is told this once."""
    secret = secrets.new_secret()
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        expires = time.time() + DAYS * 86400
        session.add(Invitation(digest=secrets.digest(secret), project_id=project_id, role=body.role, expires=expires))
        return {"secret": secret, "role": body.role, "expires": expires}


@router.get("/{project_id}/members")
def members(project_id: Id, person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """Who is in a project."""
    with database.reading() as session:
        project_for(session, person, project_id)
        found = session.execute(
            select(User.id, User.name, Member.role).join(Member, Member.user_id == User.id)
            .where(Member.project_id == project_id).order_by(User.name)
        )  # fmt: skip
        return [{"id": number, "name": name, "role": role} for number, name, role in found]


@router.put("/{project_id}/members/{user_id}", status_code=204)
def change_role(project_id: Id, user_id: Id, body: RoleBody, person: PersonOf, database: DatabaseOf) -> None:
    """Give a member another role."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        member = session.get(Member, (project_id, user_id))
        if member is None:
            raise HTTPException(404, "there is no such member; invite them")
        member.role = body.role


@router.post("/{project_id}/assignments", status_code=201)
def assign(project_id: Id, body: AssignmentBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Give a member a video to annotate; two blind ones make a double annotation."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        video = session.get(Video, body.video)
        if video is None or video.project_id != project_id:
            raise HTTPException(404, "there is no such video in this project")
        if session.get(Member, (project_id, body.user)) is None:
            raise HTTPException(404, "there is no such member; invite them")
        known = session.scalar(
            select(Assignment).where(Assignment.video_id == body.video, Assignment.user_id == body.user)
        )
        made = known or Assignment(video_id=body.video, user_id=body.user)
        made.blind = body.blind
        session.add(made)
        session.flush()
        return {"id": made.id, "video": made.video_id, "user": made.user_id, "blind": made.blind}


@router.get("/{project_id}/progress")
def progress(project_id: Id, person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """Per person: labellings by state, hours of work, and minutes of work per minute of video handed in."""
    with database.reading() as session:
        project_for(session, person, project_id, "expert")
        minutes = func.sum(Video.frames / Video.fps / 60)
        states = session.execute(
            select(Track.author_id, Track.state, func.count(), minutes).join(Video)
            .where(Video.project_id == project_id, Track.kind == PERSON).group_by(Track.author_id, Track.state)
        ).all()  # fmt: skip
        work = dict(
            session.execute(
                select(Work.user_id, func.sum(Work.seconds))
                .join(Video, Video.id == Work.video_id)
                .where(Video.project_id == project_id)
                .group_by(Work.user_id)
            ).all()
        )
        names = dict(session.execute(select(User.id, User.name)).all())
        out = []
        for user_id in sorted({row[0] for row in states if row[0]} | set(work)):
            own = [row for row in states if row[0] == user_id]
            done = float(sum(row[3] for row in own if row[1] in ("submitted", "accepted")))
            seconds = float(work.get(user_id, 0.0))
            out.append({
                "user": user_id, "name": names[user_id], "states": {row[1]: row[2] for row in own},
                "work_seconds": seconds, "video_minutes": done,
                "minutes_per_minute": seconds / 60 / done if done else None,
            })  # fmt: skip
        return out


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
