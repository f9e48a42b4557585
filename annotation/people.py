"""Who is asking, and what they may do."""

from __future__ import annotations

import time
from typing import Annotated, NamedTuple

from fastapi import Depends, HTTPException, Request
from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from annotation import secrets
from annotation.database import Database
from annotation.tables import MODEL, PERSON, ROLES, Assignment, Login, Member, Project, Token, Track, User, Video

COOKIE, CSRF = "ethocaffe_login", "X-CSRF-Token"
DAYS = 14  # that a browser stays signed in
SAFE = ("GET", "HEAD", "OPTIONS")


# Statements that every save needs, made once: to build them takes as long as to run them.
BY_LOGIN = (
    select(Login.expires, Login.csrf, User.id, User.name, User.admin)
    .join(User, User.id == Login.user_id).where(Login.digest == bindparam("digest"))
)  # fmt: skip
BY_TOKEN = (
    select(User.id, User.name, User.admin)
    .join(Token, Token.user_id == User.id).where(Token.digest == bindparam("digest"))
)  # fmt: skip
LABELLING = (
    select(Track, Video, Project, Member.role)
    .join(Video, Video.id == Track.video_id)
    .join(Project, Project.id == Video.project_id)
    .outerjoin(Member, (Member.project_id == Project.id) & (Member.user_id == bindparam("person")))
    .where(Track.id == bindparam("track"))
)
LABELLING_LOCKED = LABELLING.with_for_update(of=Track)


class Person(NamedTuple):
    """Who is asking. csrf: what a browser's changes carry; None for a program with a token."""

    id: int
    name: str
    admin: bool
    csrf: str | None


async def database_of(request: Request) -> Database:
    """The server's database."""
    return request.app.state.database


DatabaseOf = Annotated[Database, Depends(database_of)]


def person_of(request: Request, database: DatabaseOf) -> Person:
    """The person behind a request's cookie or `Authorization: Bearer` token. 401 where there is none, 403 for a change
    that another site's page might have sent."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return _by_token(database, secret.strip())
    secret = request.cookies.get(COOKIE, "")
    with database.reading() as session:
        found = session.execute(BY_LOGIN, {"digest": secrets.digest(secret)}).first() if secret else None
    if found is None or found.expires < time.time():
        raise HTTPException(401, "sign in first")
    if request.method not in SAFE and request.headers.get(CSRF) != found.csrf:
        raise HTTPException(403, f"a change needs the header {CSRF} that GET /api/me tells")
    return Person(found.id, found.name, found.admin, found.csrf)


PersonOf = Annotated[Person, Depends(person_of)]


def _by_token(database: Database, secret: str) -> Person:
    with database.reading() as session:
        found = session.execute(BY_TOKEN, {"digest": secrets.digest(secret)}).first()
    if found is None:
        raise HTTPException(401, "this token is not known; make another one")
    return Person(found.id, found.name, found.admin, None)


def role_of(session: Session, person: Person, project_id: int) -> str | None:
    """The role in a project; an admin manages all."""
    if person.admin:
        return ROLES[-1]
    member = session.get(Member, (project_id, person.id))
    return member.role if member else None


def project_for(session: Session, person: Person, project_id: int, role: str = ROLES[0]) -> Project:
    """A project, for whom has at least that role in it. 404 for strangers, who must not learn that it exists."""
    project = session.get(Project, project_id) if 0 < project_id < 2**31 else None
    own = role_of(session, person, project_id) if project else None
    if project is None or own is None:
        raise HTTPException(404, "there is no such project, or you are not in it")
    if ROLES.index(own) < ROLES.index(role):
        raise HTTPException(403, f"only {role}s may do this, and you are {own} in this project")
    return project


def video_for(session: Session, person: Person, video_id: int, role: str = ROLES[0]) -> tuple[Video, Project]:
    """A video and its project, by the rules of `project_for`."""
    video = session.get(Video, video_id) if 0 < video_id < 2**31 else None
    if video is None or role_of(session, person, video.project_id) is None:
        raise HTTPException(404, "there is no such video, or you are not in its project")
    return video, project_for(session, person, video.project_id, role)


def track_for(
    session: Session, person: Person, track_id: int, locked: bool = False
) -> tuple[Track, Video, Project]:
    """A labelling with its video and project, for whom may see it. locked: nobody else changes it meanwhile."""
    wanted = LABELLING_LOCKED if locked else LABELLING
    found = session.execute(wanted, {"track": track_id, "person": person.id}).first()
    role = (ROLES[-1] if person.admin else found[3]) if found else None
    if found is None or role is None or not may_see(session, person, found[0], role):
        raise HTTPException(404, "there is no such labelling, or you may not see it")
    return found[0], found[1], found[2]


def may_see(session: Session, person: Person, track: Track, role: str) -> bool:
    """Own labellings always. Others' by one's role, and none while one's assignment to that video is blind and not
    handed in."""
    if track.author_id == person.id:
        return True
    if role == ROLES[0] and track.kind != MODEL and track.state != "accepted":
        return False
    if not is_blind(session, person, track.video_id):
        return True
    own = session.scalar(
        select(Track.state).where(
            Track.video_id == track.video_id, Track.author_id == person.id, Track.kind == PERSON
        )
    )
    return own is not None and own != "draft"


def is_blind(session: Session, person: Person, video_id: int) -> bool:
    """Whether somebody is to annotate a video without seeing others' labels."""
    assigned = select(Assignment.blind).where(Assignment.video_id == video_id, Assignment.user_id == person.id)
    return bool(session.scalar(assigned))


def hidden_videos(session: Session, person: Person, project_id: int) -> list[int]:
    """The videos of a project of which `may_see` shows nobody else's labellings: assigned blind, and not handed in."""
    own = select(Track.video_id).where(Track.author_id == person.id, Track.kind == PERSON, Track.state != "draft")
    return list(
        session.scalars(
            select(Assignment.video_id).join(Video, Video.id == Assignment.video_id)
            .where(Video.project_id == project_id, Assignment.user_id == person.id, Assignment.blind,
                   Assignment.video_id.notin_(own))
        )
    )  # fmt: skip


def set_password(session: Session, user: User, password: str, kept: str = "") -> None:
    """Give somebody a password, and sign all their browsers out but the one of a cookie that is kept."""
    user.password = secrets.hash_password(password)
    session.execute(delete(Login).where(Login.user_id == user.id, Login.digest != secrets.digest(kept)))


def reset_password(session: Session, name: str) -> str | None:
    """A new password for somebody; None where there is nobody of that name."""
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        return None
    password = secrets.new_secret()[:20]
    set_password(session, user, password)
    return password
