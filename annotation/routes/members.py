"""Who is in a project: invitations, roles, and which videos are whose to annotate."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from annotation import secrets
from annotation.people import DatabaseOf, Person, PersonOf, project_for
from annotation.tables import ROLES, Assignment, Invitation, Member, User, Video

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


@router.get("/{project_id}/invitations")
def invitations(project_id: Id, person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """The invitations that still let somebody in, without their secrets."""
    with database.reading() as session:
        project_for(session, person, project_id, "manager")
        wanted = select(Invitation).where(
            Invitation.project_id == project_id, Invitation.used_by.is_(None), Invitation.expires > time.time()
        )
        found = session.scalars(wanted.order_by(Invitation.expires))
        return [{"id": one.digest, "role": one.role, "expires": one.expires} for one in found]


@router.delete("/{project_id}/invitations/{invitation}", status_code=204)
def withdraw(
    project_id: Id, invitation: Annotated[str, Path(max_length=64)], person: PersonOf, database: DatabaseOf
) -> None:
    """Make an invitation that nobody has used let nobody in."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        found = session.get(Invitation, invitation, with_for_update=True) if invitation.isalnum() else None
        if found is None or found.project_id != project_id or found.used_by is not None:
            raise HTTPException(404, "there is no such invitation, or it is used")
        session.delete(found)


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
    """Give a member another role. 409 for the last manager, but not for an administrator."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        member = _member(session, project_id, user_id)
        if body.role != ROLES[-1]:
            _must_not_be_last(session, member, person)
        member.role = body.role


@router.delete("/{project_id}/members/{user_id}", status_code=204)
def remove(project_id: Id, user_id: Id, person: PersonOf, database: DatabaseOf) -> None:
    """Take somebody out of a project, with their assignments; their labellings stay. 409 for the last manager, but not
    for an administrator."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        member = _member(session, project_id, user_id)
        _must_not_be_last(session, member, person)
        own = select(Video.id).where(Video.project_id == project_id)
        session.execute(delete(Assignment).where(Assignment.user_id == user_id, Assignment.video_id.in_(own)))
        session.delete(member)


def _member(session: Session, project_id: int, user_id: int) -> Member:
    member = session.get(Member, (project_id, user_id))
    if member is None:
        raise HTTPException(404, "there is no such member; invite them")
    return member


def _must_not_be_last(session: Session, member: Member, person: Person) -> None:
    if member.role != ROLES[-1] or person.admin:
        return
    others = select(func.count()).where(
        Member.project_id == member.project_id, Member.role == ROLES[-1], Member.user_id != member.user_id
    )
    if not session.scalar(others):
        raise HTTPException(409, "this is the project's last manager; make somebody else one first")


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


@router.delete("/{project_id}/assignments/{assignment_id}", status_code=204)
def unassign(project_id: Id, assignment_id: Id, person: PersonOf, database: DatabaseOf) -> None:
    """Take an assignment back; what was labelled stays."""
    with database.writing() as session:
        project_for(session, person, project_id, "manager")
        found = session.get(Assignment, assignment_id)
        if found is None or session.get_one(Video, found.video_id).project_id != project_id:
            raise HTTPException(404, "there is no such assignment in this project")
        session.delete(found)
