"""Who is in a project: invitations, roles, and which videos are whose to annotate."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field
from sqlalchemy import select

from annotation import secrets
from annotation.people import DatabaseOf, PersonOf, project_for
from annotation.tables import Assignment, Invitation, Member, User, Video

router = APIRouter(prefix="/api/projects", tags=["members"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
DAYS = 7  # that an invitation holds


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
