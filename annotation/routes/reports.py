"""What a project has come to: who has done how much."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import func, select

from annotation.people import DatabaseOf, PersonOf, project_for
from annotation.tables import PERSON, Track, User, Video, Work

router = APIRouter(prefix="/api", tags=["reports"])
DONE = ("submitted", "accepted")
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/projects/{project_id}/progress")
def progress(project_id: Id, person: PersonOf, database: DatabaseOf) -> list[dict[str, Any]]:
    """Per person: labellings by state, seconds of work, and, of the videos that they handed in, the minutes and how
    many minutes of work each took. Work on other videos, such as a review, is no part of the latter."""
    with database.reading() as session:
        project_for(session, person, project_id, "expert")
        minutes = func.sum(Video.frames / Video.fps / 60)
        states = session.execute(
            select(Track.author_id, Track.state, func.count(), minutes).join(Video)
            .where(Video.project_id == project_id, Track.kind == PERSON, Track.version > 0)  # not a mere look
            .group_by(Track.author_id, Track.state)
        ).all()  # fmt: skip
        work = session.execute(
            select(Work.user_id, Track.state, func.sum(Work.seconds))
            .join(Video, Video.id == Work.video_id)
            .outerjoin(
                Track,
                (Track.video_id == Video.id) & (Track.author_id == Work.user_id) & (Track.kind == PERSON),
            )
            .where(Video.project_id == project_id)
            .group_by(Work.user_id, Track.state)
        ).all()
        names = dict(session.execute(select(User.id, User.name)).all())
        out = []
        for user_id in sorted({row[0] for row in states if row[0]} | {row[0] for row in work}):
            own = [row for row in states if row[0] == user_id]
            done = float(sum(row[3] for row in own if row[1] in DONE))
            spent = {state: float(seconds) for user, state, seconds in work if user == user_id}
            out.append({
                "user": user_id, "name": names[user_id], "states": {row[1]: row[2] for row in own},
                "work_seconds": sum(spent.values()), "video_minutes": done,
                "minutes_per_minute": sum(spent.get(one, 0.0) for one in DONE) / 60 / done if done else None,
            })  # fmt: skip
        return out
