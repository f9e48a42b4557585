"""What a project has come to: who has done how much."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import func, select

from annotation.people import DatabaseOf, PersonOf, project_for
from annotation.tables import PERSON, Track, User, Video, Work

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
