"""What a project has come to: who has done how much, and bouts over all its videos."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, select

from annotation import edits
from annotation.people import DatabaseOf, PersonOf, project_for
from annotation.tables import PERSON, Bout, Member, Track, User, Video, Work

router = APIRouter(prefix="/api", tags=["reports"])
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/projects/{project_id}/progress")
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


@router.get("/projects/{project_id}/bouts")
def bouts(
    project_id: Id,
    person: PersonOf,
    database: DatabaseOf,
    behaviour: Annotated[str | None, Query(max_length=80)] = None,
    least_seconds: Annotated[float, Query(ge=0, le=1e9)] = 0.0,
    state: Annotated[Literal["draft", "submitted", "accepted", "returned"] | None, Query()] = None,
    role: Annotated[Literal["annotator", "expert", "manager"] | None, Query()] = None,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    most: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[dict[str, Any]]:
    """Bouts over all videos of a project, such as all of groom over 2 s by experts; `after` skips so many."""
    with database.reading() as session:
        project_for(session, person, project_id, "expert")
        wanted = (
            select(Bout, Video.stem, Video.fps, Track.author_id, Track.state)
            .join(Track, Track.id == Bout.track_id)
            .join(Video, Video.id == Track.video_id)
            .where(Video.project_id == project_id, (Bout.stop - Bout.start) / Video.fps >= least_seconds)
            .order_by(Video.stem, Track.id, Bout.start, Bout.id)
            .offset(after)
            .limit(most)
        )
        if behaviour is not None:
            wanted = wanted.where(Bout.behaviour == behaviour)
        if state is not None:
            wanted = wanted.where(Track.state == state)
        if role is not None:
            wanted = wanted.join(Member, (Member.user_id == Track.author_id) & (Member.project_id == project_id)).where(
                Member.role == role
            )
        return [
            {**edits.as_json(bout), "video": stem, "track": bout.track_id, "author": author, "state": state_of,
             "seconds": (bout.stop - bout.start) / fps}
            for bout, stem, fps, author, state_of in session.execute(wanted)
        ]  # fmt: skip
