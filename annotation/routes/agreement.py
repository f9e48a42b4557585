"""How far labellings agree, and a consensus of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation import agreement, edits, secrets, sides
from annotation.people import DatabaseOf, Person, PersonOf, may_see, project_for, role_of, video_for
from annotation.routes.tracks import track_json
from annotation.tables import CONSENSUS, PERSON, Edit, Project, Track, Video

router = APIRouter(prefix="/api", tags=["agreement"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
Number = Annotated[int, Field(ge=1, lt=2**31)]
MOST = 20  # labellings beside each other
DONE = ("submitted", "accepted")


class ConsensusBody(BaseModel):
    """Which labellings, and whether all must agree or more than half of them."""

    tracks: list[Number] = Field(min_length=2, max_length=MOST)
    rule: Literal["all", "majority"] = "all"


@router.get("/videos/{video_id}/agreement")
def of_video(
    video_id: Id,
    person: PersonOf,
    database: DatabaseOf,
    tracks: Annotated[str, Query(max_length=250, pattern=r"^(\d{1,10}(,\d{1,10})*)?$")] = "",
) -> dict[str, Any]:
    """How far labellings of a video agree: those of `tracks=1,2,3`, or all that people handed in. Shares of frames,
    Cohen's kappa per pair, Fleiss' kappa over all, the same per behaviour, and where they differ: the first 1000 spans
    of frames. In a project with several behaviours at once there is no one class of a frame: `agreement`,
    `fleiss_kappa` and `pairs` stand per behaviour only, of yes and no. 409 where there are fewer than two."""
    with database.reading() as session:
        video, project = video_for(session, person, video_id, "expert")
        numbers = [int(one) for one in tracks.split(",") if one]
        found = (
            _named(session, person, project, video, numbers) if numbers else _handed_in(session, person, project, video)
        )
        if len(found) < 2:
            raise HTTPException(409, f"{len(found)} labellings of this video are handed in; two or more are needed")
        laid = sides.lay(session, found, video, [one["name"] for one in project.behaviours])
        shown = [
            {"id": one.id, "title": title, "kind": one.kind, "state": one.state}
            for one, title in zip(found, laid.names)
        ]
        return {
            "video": video.id,
            "name": video.stem,
            "labellings": shown,
            **agreement.of_video(laid, project.exclusive),
        }


@router.get("/projects/{project_id}/agreement")
def of_project(project_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """How far people agree over the videos that two or more have handed in: per pair of people, Fleiss' kappa per
    number of annotators, the same per behaviour, and the videos."""
    with database.reading() as session:
        project = project_for(session, person, project_id, "expert")
        behaviours = [one["name"] for one in project.behaviours]
        laid, videos = [], []
        for video in session.scalars(_doubled(project_id)).all():
            found = _handed_in(session, person, project, video)
            if len(found) < 2:
                continue
            one = sides.lay(session, found, video, behaviours)
            laid.append(one)
            told = agreement.of_video(one, project.exclusive)
            kept = ("frames", "all_agree", "agreement", "fleiss_kappa", "pairs")
            videos.append({"video": video.id, "name": video.stem, "annotators": list(one.names),
                           **{name: told[name] for name in kept},
                           "differences": len(told["differences"]) + told["differences_more"]})  # fmt: skip
        return {**agreement.of_project(laid, project.exclusive, behaviours), "videos": videos}


@router.post("/videos/{video_id}/consensus", status_code=201)
def consensus(video_id: Id, body: ConsensusBody, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A labelling of one's own from others': what all agree on, or more than half. The rest is not annotated, and for
    its author to decide, who may accept it without another review. 409 where one of them is still a draft."""
    with database.writing() as session:
        video, project = video_for(session, person, video_id, "expert")
        found = _named(session, person, project, video, body.tracks)
        if any(one.kind != PERSON for one in found):
            raise HTTPException(422, "a consensus is of people's own labellings")
        if any(one.state not in DONE for one in found):
            raise HTTPException(409, "a labelling that is not handed in may still change; ask its author to hand it in")
        laid = sides.lay(session, found, video, [one["name"] for one in project.behaviours])
        bouts, decided = sides.agreed(laid, project.exclusive, body.rule)
        before = session.scalar(
            select(func.count()).where(
                Track.video_id == video.id, Track.kind == CONSENSUS, Track.author_id == person.id
            )
        )
        made = Track(video_id=video.id, author_id=person.id, kind=CONSENSUS, name=str((before or 0) + 1), annotated=[])
        session.add(made)
        session.flush()
        how = {
            "rule": body.rule,
            "of": list(laid.names),
            "tracks": [one.id for one in found],
            "versions": [one.version for one in found],
        }
        session.add(Edit(track_id=made.id, user_id=person.id, edit="consensus", action="consensus", after=how))
        session.flush()  # first in the history
        edits.apply(session, made, video, project, person.id, _changes(bouts, decided))
        return track_json(session, made, person)


def _changes(bouts: Sequence[tuple[str, int, int]], decided: Sequence[tuple[int, int]]) -> list[Any]:
    mark = f"c{secrets.new_secret()[:8]}"
    puts = [
        edits.Put(
            edit=f"{mark}-{at}", action="put",
            bout=edits.BoutBody(
                id=f"{mark}-{at}", behaviour=behaviour, start=start, stop=stop, comment="", confidence=None
            ),
        )
        for at, (behaviour, start, stop) in enumerate(bouts)
    ]  # fmt: skip
    return [*puts, edits.Annotated_(edit=f"{mark}-spans", action="annotated", spans=list(decided))]


def _named(session: Session, person: Person, project: Project, video: Video, numbers: Sequence[int]) -> list[Track]:
    """Labellings of a video by their numbers, each once. 404 for one that is not there or not to be seen."""
    if len(set(numbers)) < len(numbers) or not 2 <= len(numbers) <= MOST:
        raise HTTPException(422, f"name 2 to {MOST} labellings, each once")
    role = role_of(session, person, project.id) or ""
    there = session.scalars(
        select(Track).where(Track.video_id == video.id, Track.id.in_([one for one in numbers if one < 2**31]))
    )
    found = {one.id: one for one in there if may_see(session, person, one, role)}
    if len(found) < len(numbers):
        raise HTTPException(404, "one of these is no labelling of this video, or you may not see it")
    return [found[number] for number in numbers]


def _handed_in(session: Session, person: Person, project: Project, video: Video) -> list[Track]:
    """What people have handed in of a video and one may see, oldest first."""
    role = role_of(session, person, project.id) or ""
    wanted = select(Track).where(Track.video_id == video.id, Track.kind == PERSON, Track.state.in_(DONE))
    found = session.scalars(wanted.order_by(Track.id)).all()
    return [one for one in found if may_see(session, person, one, role)][:MOST]


def _doubled(project_id: int) -> Any:
    """The videos of which people have handed in two labellings or more."""
    several = (
        select(Track.video_id)
        .where(Track.kind == PERSON, Track.state.in_(DONE))
        .group_by(Track.video_id)
        .having(func.count() > 1)
    )
    return select(Video).where(Video.project_id == project_id, Video.id.in_(several)).order_by(Video.stem)
