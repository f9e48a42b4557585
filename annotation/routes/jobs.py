"""Training on accepted labellings and predicting the videos left, as jobs of the server."""

from __future__ import annotations

import time
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import jobs, projects
from annotation.networks import NETWORKS, USUAL
from annotation.people import DatabaseOf, PersonOf, project_for
from annotation.tables import PREDICT, TRAIN, Job, Project

router = APIRouter(prefix="/api/projects", tags=["jobs"])
Id = Annotated[int, Path(ge=1, lt=2**31)]
Number = Annotated[int, Field(ge=1, lt=2**31)]


class JobBody(BaseModel):
    """What is to be run.

    To train: network, of those that `GET` lists; iterations (null: the usual ones); hold_out, the labelled videos to
    measure on and not to train on (null: the server chooses one; empty: none); then_predict, whether the videos left
    are predicted with it afterwards. To predict: model, the number of a training that is done; videos (null: all that
    nobody has handed in). gpu: the GPU's number, null for the processor.
    """

    kind: Literal["train", "predict"]
    network: str = Field(USUAL, max_length=80)
    iterations: int | None = Field(None, ge=1, le=100_000)
    hold_out: list[Number] | None = Field(None, max_length=1000)
    then_predict: bool = False
    model: Number | None = None
    videos: list[Number] | None = Field(None, min_length=1, max_length=jobs.MOST_VIDEOS)
    gpu: int | None = Field(None, ge=0, le=63)


@router.get("/{project_id}/jobs")
def all_jobs(project_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A project's newest jobs, the newest first; the networks to choose from; which videos have labels, and which
    nobody has handed in."""
    with database.reading() as session:
        project = project_for(session, person, project_id, "expert")
        videos = projects.videos_of(session, project_id)
        found = session.scalars(
            select(Job).where(Job.project_id == project_id).order_by(Job.id.desc()).limit(jobs.MOST_SHOWN)
        )
        return {
            "jobs": [jobs.as_json(session, one, FilePath(project.folder)) for one in found],
            "networks": [
                {"name": name, "says": one.says, "iterations": one.iterations, "most": one.most}
                for name, one in NETWORKS.items()
            ],
            "labelled": jobs.labelled(project, videos),
            "left": jobs.left(session, project, videos),
        }


@router.post("/{project_id}/jobs", status_code=201)
def add(
    project_id: Id, body: JobBody, request: Request, person: PersonOf, database: DatabaseOf
) -> list[dict[str, Any]]:
    """Let the server train a model on the videos that have labels, or predict videos with one; what is predicted
    becomes labellings of the model's. Jobs run one after the other. 409 where nothing could be trained on or
    predicted, or too many wait."""
    with database.writing() as session:
        project = project_for(session, person, project_id, "manager")
        try:
            asked = _training(session, project, body) if body.kind == TRAIN else _prediction(session, project, body)
            made = [jobs.add(session, project, person.id, body.kind, asked)]
            if body.kind == TRAIN and body.then_predict:
                after = {"model": made[0].id, "videos": None, "gpu": asked["gpu"]}
                made.append(jobs.add(session, project, person.id, PREDICT, after))
        except jobs.Refused as error:
            raise HTTPException(409, str(error)) from None
        out = [jobs.as_json(session, one, FilePath(project.folder)) for one in made]
    request.app.state.runner.wake()
    return out


def _training(session: Session, project: Project, body: JobBody) -> dict[str, Any]:
    network = NETWORKS.get(body.network)
    if network is None:
        raise HTTPException(422, f"there is no network {body.network!r} here; there are {', '.join(NETWORKS)}")
    iterations = body.iterations or network.iterations
    if network.most and iterations > network.most:
        raise HTTPException(422, f"at most {network.most} iterations of {body.network}")
    videos = projects.videos_of(session, project.id)
    labelled = set(jobs.labelled(project, videos))
    if not labelled:
        raise jobs.Refused("no video has labels: accept a labelling first")
    held_out = None if body.hold_out is None else sorted(set(body.hold_out))
    if held_out is not None and not (set(held_out) <= labelled and set(held_out) != labelled):
        raise HTTPException(422, "hold out videos of this project that have labels, and leave one to train on")
    if body.then_predict and not jobs.left(session, project, videos):
        raise jobs.Refused("every video is handed in: there is none left to predict")
    iterations = iterations if network.iterations else 0
    return {"network": body.network, "iterations": iterations, "hold_out": held_out, "gpu": body.gpu}


def _prediction(session: Session, project: Project, body: JobBody) -> dict[str, Any]:
    by = session.get(Job, body.model) if body.model else None
    if by is None or by.project_id != project.id or by.kind != TRAIN:
        raise HTTPException(422, "model: name the number of a training of this project")
    if by.state != "done":
        raise jobs.Refused(f"training {by.id} is {by.state}: it has no model to predict with")
    videos = projects.videos_of(session, project.id)
    if body.videos is not None and not set(body.videos) <= {one.id for one in videos}:
        raise HTTPException(422, "videos: not all of them are in this project")
    if body.videos is None and not jobs.left(session, project, videos):
        raise jobs.Refused("every video is handed in: there is none left to predict")
    return {"model": by.id, "videos": body.videos, "gpu": body.gpu}


@router.get("/{project_id}/jobs/{job_id}")
def job(project_id: Id, job_id: Id, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """A job with the end of its log."""
    with database.reading() as session:
        project = project_for(session, person, project_id, "expert")
        found = _job(session, project_id, job_id)
        folder = FilePath(project.folder)
        return {**jobs.as_json(session, found, folder), "log": jobs.log_tail(found, folder)}


@router.post("/{project_id}/jobs/{job_id}/stop")
def stop(project_id: Id, job_id: Id, request: Request, person: PersonOf, database: DatabaseOf) -> dict[str, Any]:
    """Stop a job that waits or runs. 409 where it has ended."""
    with database.writing() as session:
        project = project_for(session, person, project_id, "manager")
        found = _job(session, project_id, job_id)
        if found.state not in jobs.UNFINISHED:
            raise HTTPException(409, f"this job is {found.state} already")
        found.state, found.ended = "stopped", time.time()
        found.result = {**found.result, "error": f"stopped by {person.name}"}
        out = jobs.as_json(session, found, FilePath(project.folder))
    request.app.state.runner.wake()
    return out


def _job(session: Session, project_id: int, job_id: int) -> Job:
    found = session.get(Job, job_id)
    if found is None or found.project_id != project_id:
        raise HTTPException(404, "there is no such job in this project")
    return found
