"""Signing in and out, joining by an invitation, tokens for programs."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from annotation import secrets
from annotation.people import COOKIE, DAYS, DatabaseOf, PersonOf, set_password
from annotation.tables import ROLES, Invitation, Login, Member, Token, User

router = APIRouter(prefix="/api", tags=["people"])
Id = Annotated[int, Path(ge=1, lt=2**31)]


class Credentials(BaseModel):
    """A person's name and password."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    password: str = Field(min_length=1, max_length=secrets.LENGTH[1])


class Joining(Credentials):
    """An invitation's secret, and the name and password that its person chooses."""

    invitation: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=secrets.LENGTH[0], max_length=secrets.LENGTH[1])


class PasswordBody(BaseModel):
    """One's password, and what it is to be."""

    old: str = Field(min_length=1, max_length=secrets.LENGTH[1])
    new: str = Field(min_length=secrets.LENGTH[0], max_length=secrets.LENGTH[1])


class TokenBody(BaseModel):
    """What a token is for."""

    name: str = Field(min_length=1, max_length=80)


@router.post("/sign-in")
def sign_in(body: Credentials, request: Request, response: Response, database: DatabaseOf) -> dict[str, Any]:
    """Sign a browser in. 429 after several wrong passwords within a minute."""
    with database.reading() as session:
        user = session.scalar(select(User).where(User.name == body.name))
    if not _is_theirs(request, user, body) or user is None:
        raise HTTPException(401, "wrong name or password")
    with database.writing() as session:
        return _signed_in(session, user, request, response)


@router.post("/join", status_code=201)
def join(body: Joining, request: Request, response: Response, database: DatabaseOf) -> dict[str, Any]:
    """Use an invitation: a new person, or one who gives their own password, is let in."""
    digest = secrets.digest(body.invitation)
    with database.reading() as session:
        _open(session.get(Invitation, digest))
        known = session.scalar(select(User).where(User.name == body.name))
    # Not below, where others would wait for it.
    if known is not None and not _is_theirs(request, known, body):
        raise HTTPException(409, "this name is taken; choose another one, or give its password")
    hashed = _new_password(body) if known is None else known.password
    with database.writing() as session:
        invitation = _open(session.get(Invitation, digest, with_for_update=True))  # so that of two at once one waits
        user = session.get(User, known.id) if known else User(name=body.name, password=hashed, admin=False)
        assert user is not None  # nobody is ever removed
        session.add(user)
        _flush(session)
        if invitation.project_id is None:
            user.admin = True
        else:
            _let_in(session, invitation.project_id, user.id, invitation.role)
        invitation.used_by = user.id
        return _signed_in(session, user, request, response)


@router.post("/sign-out", status_code=204)
def sign_out(request: Request, response: Response, person: PersonOf, database: DatabaseOf) -> None:
    """Forget this browser."""
    secret = request.cookies.get(COOKIE, "")
    with database.writing() as session:
        session.execute(delete(Login).where(Login.digest == secrets.digest(secret)))
    response.delete_cookie(COOKIE, path="/")


@router.get("/me")
def me(person: PersonOf) -> dict[str, Any]:
    """Who is asking, and the token that a browser's changes carry."""
    return _about(person.id, person.name, person.admin, person.csrf)


@router.post("/password", status_code=204)
def change_password(body: PasswordBody, request: Request, person: PersonOf, database: DatabaseOf) -> None:
    """Change one's own password; one's other browsers are signed out. 403 where the old one is wrong, 429 after several
    wrong ones within a minute."""
    with database.reading() as session:
        user = session.get_one(User, person.id)
    if not _is_theirs(request, user, Credentials(name=person.name, password=body.old)):
        raise HTTPException(403, "the old password is wrong")
    with database.writing() as session:
        set_password(session, session.get_one(User, person.id), body.new, kept=request.cookies.get(COOKIE, ""))


@router.get("/tokens")
def tokens(person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """One's own tokens, without their secrets."""
    with database.reading() as session:
        found = session.scalars(select(Token).where(Token.user_id == person.id).order_by(Token.id))
        return [{"id": one.id, "name": one.name, "created": one.created} for one in found]


@router.post("/tokens", status_code=201)
def make_token(body: TokenBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A token for a program; its secret is told this once."""
    secret = secrets.new_secret()
    with database.writing() as session:
        made = Token(digest=secrets.digest(secret), user_id=person.id, name=body.name)
        session.add(made)
        session.flush()
        return {"id": made.id, "name": made.name, "secret": secret}


@router.delete("/tokens/{token_id}", status_code=204)
def remove_token(token_id: Id, person: PersonOf, database: DatabaseOf) -> None:
    """Remove one of one's own tokens."""
    with database.writing() as session:
        found = session.get(Token, token_id)
        if found is None or found.user_id != person.id:
            raise HTTPException(404, "you have no such token")
        session.delete(found)


def _open(invitation: Invitation | None) -> Invitation:
    if invitation is None or invitation.used_by is not None or invitation.expires < time.time():
        raise HTTPException(403, "this invitation is not known, used, or too old; ask for another one")
    return invitation


def _let_in(session: Session, project_id: int, user_id: int, role: str) -> None:
    """Make somebody a member; who is one already keeps the higher role."""
    member = session.get(Member, (project_id, user_id))
    if member is None:
        session.add(Member(project_id=project_id, user_id=user_id, role=role))
    elif ROLES.index(role) > ROLES.index(member.role):
        member.role = role


def _is_theirs(request: Request, user: User | None, body: Credentials) -> bool:
    """Whether a password is that of the person of this name. 429 after several wrong ones within a minute."""
    keys = [f"name {body.name.casefold()}", f"address {request.client.host if request.client else ''}"]
    try:
        return request.app.state.brake.is_password(keys, user.password if user else None, body.password)
    except secrets.Wait as wait:
        after = {"Retry-After": str(int(wait.seconds) + 1)}
        raise HTTPException(429, "too many wrong passwords; wait a minute", after) from None


def _new_password(body: Joining) -> str:
    """The hash of a new person's password. 422 for a name that looks like another one."""
    if body.name != " ".join(body.name.split()) or not body.name.isprintable():
        raise HTTPException(422, "a name has single spaces inside of it alone, and no signs that cannot be seen")
    return secrets.hash_password(body.password)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409, "somebody else just took this name") from None


def _signed_in(session: Session, user: User, request: Request, response: Response) -> dict[str, Any]:
    secret, csrf, now = secrets.new_secret(), secrets.new_secret(), time.time()
    session.execute(delete(Login).where(Login.expires < now))
    login = Login(digest=secrets.digest(secret), user_id=user.id, csrf=csrf, expires=now + DAYS * 86400)
    session.add(login)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, secret, DAYS * 86400, path="/", httponly=True, samesite="strict", secure=secure)
    return _about(user.id, user.name, user.admin, csrf)


def _about(number: int, name: str, admin: bool, csrf: str | None) -> dict[str, Any]:
    return {"id": number, "name": name, "admin": admin, "csrf": csrf}
