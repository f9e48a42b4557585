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
from annotation.people import COOKIE, DAYS, DatabaseOf, PersonOf
from annotation.tables import Invitation, Login, Member, Token, User

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


class TokenBody(BaseModel):
    """What a token is for."""

    name: str = Field(min_length=1, max_length=80)


@router.post("/sign-in")
def sign_in(body: Credentials, request: Request, response: Response, database: DatabaseOf) -> dict[str, Any]:
    """Sign a browser in. 429 after several wrong passwords within a minute."""
    brake = request.app.state.brake
    keys = [f"name {body.name.casefold()}", f"address {request.client.host if request.client else ''}"]
    wait = max(brake.wait(key) for key in keys)
    if wait > 0:
        raise HTTPException(429, "too many wrong passwords; wait a minute", {"Retry-After": str(int(wait) + 1)})
    with database.reading() as session:
        user = session.scalar(select(User).where(User.name == body.name))
    if not secrets.is_password(user.password if user else None, body.password) or user is None:
        for key in keys:
            brake.failed(key)
        raise HTTPException(401, "wrong name or password")
    with database.writing() as session:
        return _signed_in(session, user, request, response)


@router.post("/join", status_code=201)
def join(body: Joining, request: Request, response: Response, database: DatabaseOf) -> dict[str, Any]:
    """Use an invitation: a new person, or one who gives their own password, is let in."""
    with database.writing() as session:
        invitation = session.get(Invitation, secrets.digest(body.invitation))
        if invitation is None or invitation.used_by is not None or invitation.expires < time.time():
            raise HTTPException(403, "this invitation is not known, used, or too old; ask for another one")
        user = session.scalar(select(User).where(User.name == body.name))
        if user is not None and not secrets.is_password(user.password, body.password):
            raise HTTPException(409, "this name is taken; choose another one, or give its password")
        if user is None:
            user = User(name=body.name, password=secrets.hash_password(body.password), admin=False)
            session.add(user)
            session.flush()
        if invitation.project_id is None:
            user.admin = True
        elif session.get(Member, (invitation.project_id, user.id)) is None:
            session.add(Member(project_id=invitation.project_id, user_id=user.id, role=invitation.role))
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


def _signed_in(session: Session, user: User, request: Request, response: Response) -> dict[str, Any]:
    secret, csrf, now = secrets.new_secret(), secrets.new_secret(), time.time()
    session.execute(delete(Login).where(Login.expires < now))
    login = Login(digest=secrets.digest(secret), user_id=user.id, csrf=csrf, expires=now + DAYS * 86400)
    session.add(login)
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409, "somebody else just took this name") from None
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, secret, DAYS * 86400, path="/", httponly=True, samesite="strict", secure=secure)
    return _about(user.id, user.name, user.admin, csrf)


def _about(number: int, name: str, admin: bool, csrf: str | None) -> dict[str, Any]:
    return {"id": number, "name": name, "admin": admin, "csrf": csrf}
