"""The database's tables. Times are seconds since 1970 in UTC; frames count from 0, intervals are half-open."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ROLES = ("annotator", "expert", "manager")  # each may do what those before it may
STATES = ("draft", "submitted", "returned", "accepted")
PERSON, MODEL, CONSENSUS = "person", "model", "consensus"
TRAIN, PREDICT = "train", "predict"


class Base(DeclarativeBase):
    """What all tables share."""


class User(Base):
    """A person. password: Argon2's hash. admin: may do everything everywhere."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password: Mapped[str] = mapped_column(String(200))
    admin: Mapped[bool] = mapped_column(Boolean, default=False)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Login(Base):
    """A browser that is signed in: the SHA-256 of its cookie, and the token that its changes must carry."""

    __tablename__ = "logins"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    expires: Mapped[float] = mapped_column(Float)


class Token(Base):
    """A key to the API for programs, by its SHA-256."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    created: Mapped[float] = mapped_column(Float, default=time.time)
    used: Mapped[float | None] = mapped_column(Float)


class Project(Base):
    """A dataset's folder and its behaviours, `[{"name", "key", "colour"}]`. exclusive: one behaviour at a time."""

    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    folder: Mapped[str] = mapped_column(Text, unique=True)
    behaviours: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    exclusive: Mapped[bool] = mapped_column(Boolean, default=True)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Member(Base):
    """A person's role, of ROLES, in a project."""

    __tablename__ = "members"
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(20))


class Invitation(Base):
    """A link that lets one person in, by the SHA-256 of its secret; without a project it makes an admin."""

    __tablename__ = "invitations"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"))
    role: Mapped[str] = mapped_column(String(20))
    expires: Mapped[float] = mapped_column(Float)
    used_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class Video(Base):
    """A video of a project's dataset. file: in its videos/. playable: the file that browsers get, in the dataset."""

    __tablename__ = "videos"
    __table_args__ = (UniqueConstraint("project_id", "stem"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    stem: Mapped[str] = mapped_column(String(255))
    file: Mapped[str] = mapped_column(String(255))
    bytes: Mapped[int] = mapped_column(BigInteger)
    playable: Mapped[str] = mapped_column(Text)
    frames: Mapped[int] = mapped_column(Integer)
    fps: Mapped[float] = mapped_column(Float)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)


class Track(Base):
    """A labelling of a video: a person's, a model's, or a consensus. annotated: spans of frames that were looked at,
    `[[start, stop]]`; everything else is not annotated. version rises with every change."""

    __tablename__ = "tracks"
    __table_args__ = (UniqueConstraint("video_id", "author_id", "kind", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20), default=PERSON)
    name: Mapped[str] = mapped_column(String(120), default="")
    state: Mapped[str] = mapped_column(String(20), default="draft")
    annotated: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    version: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[float] = mapped_column(Float, default=time.time)


class Bout(Base):
    """Frames [start, stop) of a behaviour in a track; `id` is the browser's own."""

    __tablename__ = "bouts"
    __table_args__ = (Index("bouts_by_behaviour", "behaviour", "track_id"),)
    track_id: Mapped[int] = mapped_column(ForeignKey("tracks.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    behaviour: Mapped[str] = mapped_column(String(80))
    start: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str] = mapped_column(Text, default="")
    confidence: Mapped[float | None] = mapped_column(Float)


class Mark(Base):
    """A named box or point in a track (`data_prep.marks`); `id` is the browser's own. keyframes: `[[frame, x, y]]` or
    `[[frame, x, y, width, height]]` in the video's pixels, by frame; size: how many they are."""

    __tablename__ = "marks"
    track_id: Mapped[int] = mapped_column(ForeignKey("tracks.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(10))
    keyframes: Mapped[list[list[float]]] = mapped_column(JSON)
    size: Mapped[int] = mapped_column(Integer)


class Edit(Base):
    """The trail: who changed what in which track, and what was there before. Nothing here is ever changed.

    `edit` is the browser's own name of the change, so that one that is sent twice is done once.
    """

    __tablename__ = "edits"
    __table_args__ = (UniqueConstraint("track_id", "edit"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("tracks.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    edit: Mapped[str] = mapped_column(String(40))
    at: Mapped[float] = mapped_column(Float, default=time.time)
    action: Mapped[str] = mapped_column(String(20))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Assignment(Base):
    """A video that somebody is to annotate. blind: without seeing others' labels."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("video_id", "user_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    blind: Mapped[bool] = mapped_column(Boolean, default=False)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Work(Base):
    """Seconds that somebody spent on a video on a day (ISO date)."""

    __tablename__ = "work"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)


class Job(Base):
    """A command that the server runs, one after the other: kind TRAIN or PREDICT, with what was asked for. log: the
    name of its log, and but for the ending of its folders. state: waiting, running, done, failed or stopped. result:
    what it ran, and what came of it, or `error`."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(20))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    created: Mapped[float] = mapped_column(Float, default=time.time)
    started: Mapped[float | None] = mapped_column(Float)
    ended: Mapped[float | None] = mapped_column(Float)
    log: Mapped[str] = mapped_column(String(80), default="")
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
