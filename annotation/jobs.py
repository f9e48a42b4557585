"""Jobs: what may be asked for, what the runner is to run for it, and what is told of it."""

from __future__ import annotations

import csv
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation import footage, models, networks, projects, training_set
from annotation.apart import Apart
from annotation.database import Database
from annotation.tables import MODEL, PREDICT, TRAIN, Job, Project, Track, User, Video
from data_prep.errors import InputError
from data_prep.files import read_json

MOST_WAITING = 10  # jobs of a project that wait or run
MOST_VIDEOS = 1000  # that a job predicts
MOST_SHOWN = 50  # jobs of a project, the newest
LOG_TAIL = 16 << 10  # bytes of a log that are told
UNFINISHED = ("waiting", "running")


class Refused(Exception):
    """What was asked for cannot be. Its text says why."""


class Order(NamedTuple):
    """A job as it stands in the database, and its project: all that is needed without it."""

    number: int
    project: int
    kind: str
    arguments: dict[str, Any]
    folder: Path  # the dataset's
    name: str  # of its log and folders
    behaviours: list[str]
    videos: dict[int, Video]
    left: list[int]  # videos to predict, where none are named
    model: str | None  # name of the training whose model predicts; None where it is not done

    def place(self, kind: str) -> Path:
        """The folder of this job's models, predictions or training (what it is trained on)."""
        return self.folder / footage.FOLDER / kind / self.name


class Plan(NamedTuple):
    """`ethocaffe`'s arguments, a list for each command, and what is known of them before they are run."""

    commands: list[list[str]]
    about: dict[str, Any]


def labelled(project: Project, videos: Sequence[Video]) -> list[int]:
    """The videos that have a labels file."""
    return [one.id for one in videos if training_set.labels_file(Path(project.folder), one.stem).is_file()]


def left(session: Session, project: Project, videos: Sequence[Video]) -> list[int]:
    """The videos that nobody has handed in, and that have no labels."""
    handed_in = (
        select(Track.video_id).join(Video)
        .where(Video.project_id == project.id, Track.kind != MODEL, Track.state.in_(("submitted", "accepted")))
    )  # fmt: skip
    done = {*session.scalars(handed_in), *labelled(project, videos)}
    return [one.id for one in videos if one.id not in done]


def add(session: Session, project: Project, user_id: int, kind: str, arguments: dict[str, Any]) -> Job:
    """Let a job wait for its turn. Raises Refused where too many do."""
    waiting = session.scalar(
        select(func.count()).select_from(Job).where(Job.project_id == project.id, Job.state.in_(UNFINISHED))
    )
    if (waiting or 0) >= MOST_WAITING:
        raise Refused(f"{waiting} jobs of this project are waiting already; stop one, or wait")
    made = Job(project_id=project.id, user_id=user_id, kind=kind, arguments=arguments, result={})
    session.add(made)
    session.flush()
    return made


def order_of(session: Session, job: Job) -> Order:
    """What a job needs from the database."""
    project = session.get_one(Project, job.project_id)
    videos = projects.videos_of(session, project.id)
    by = session.get(Job, job.arguments["model"]) if job.kind == PREDICT else None
    return Order(
        job.id,
        project.id,
        job.kind,
        job.arguments,
        Path(project.folder),
        Path(job.log).stem,
        [one["name"] for one in project.behaviours],
        {one.id: one for one in videos},
        left(session, project, videos),
        Path(by.log).stem if by and by.state == "done" else None,
    )


def free_name(folder: Path, number: int) -> str:
    """A name for a job's log and folders that is free: another database may have been used with this dataset."""
    place = folder / footage.FOLDER
    name, again = str(number), 1
    while any((place / one).exists() for one in (f"jobs/{name}.log", *(f"{kind}/{name}" for kind in KINDS))):
        again += 1
        name = f"{number}_{again}"
    return name


KINDS = ("models", "predictions", "training")


def plan(order: Order, apart: Apart) -> Plan:
    """What is to be run for a job. Writes what it is trained on. Raises InputError where it cannot be."""
    return PLANS[order.kind](order, apart)


def _plan_training(order: Order, apart: Apart) -> Plan:
    name, gpu = order.arguments["network"], order.arguments["gpu"]
    network, target = networks.NETWORKS[name], order.place("training")
    files = {one.stem: one.file for one in order.videos.values()}
    written = apart("training set", {
        "target": str(target), "dataset": str(order.folder), "classes": order.behaviours, "network": name,
        "videos": [[one.stem, one.file, one.frames] for one in order.videos.values()],
    })  # fmt: skip
    counts, prepared = written["counts"], training_set.Prepared(**written["prepared"])
    asked = order.arguments["hold_out"]
    if asked is None:
        stem = training_set.to_hold_out(counts)
        held_out = [] if stem is None else [stem]
    else:
        held_out = [order.videos[one].stem for one in asked if one in order.videos]
    prepare = ["prepare", str(target), "--streams", network.streams, "--size", str(prepared.size), "--quiet"]
    if prepared.crop is not None:
        prepare += ["--crop", ",".join(map(str, prepared.crop))]
    if prepared.feeder is not None and "position" in network.streams:
        prepare += ["--feeder", ",".join(map(str, prepared.feeder))]
    # A video of the name "none" would be taken for no video.
    told = ",".join(files[stem] if stem == "none" else stem for stem in held_out) or "none"
    iterations = order.arguments["iterations"]
    train = networks.training(name, target, told, order.place("models"), iterations, gpu)
    about = {"videos": list(counts), "held_out": held_out, "simulated": (target / "simulation.json").is_file()}
    return Plan([prepare, train], about)


def _plan_prediction(order: Order, apart: Apart) -> Plan:
    if order.model is None:
        raise InputError(f"job {order.arguments['model']}, whose model was to predict, has none")
    asked = order.arguments["videos"]
    found = [order.videos[one] for one in (order.left if asked is None else asked) if one in order.videos]
    chosen = [one for one in found if (order.folder / "videos" / one.file).is_file()][:MOST_VIDEOS]
    if not chosen:
        raise InputError("every video is handed in: there is none left to predict")
    files = [str(order.folder / "videos" / one.file) for one in chosen]
    model = order.folder / footage.FOLDER / "models" / order.model
    gpu = order.arguments["gpu"]
    more = [] if gpu is None else ["--gpu", str(gpu)]
    predict = ["predict", str(model), *files, "--output", str(order.place("predictions")), *more]
    return Plan([predict], {"videos": [one.stem for one in chosen]})


def outcome(database: Database, order: Order, apart: Apart) -> dict[str, Any]:
    """What came of a job whose commands are done, or where some videos failed, of the others; predictions become
    labellings. Raises InputError where there is no model."""
    if order.kind == PREDICT:
        taken, faults = [], []
        for file in sorted(order.place("predictions").glob(f"*/{models.FILE}")):
            try:
                taken += models.bring_in(database, file.parent, order.project, apart)
            except InputError as error:
                faults.append(str(error))
        return {"brought_in": taken, **({"state": "failed", "error": " | ".join(faults)[:2000]} if faults else {})}
    info = read_json(order.place("models") / "model.json")
    kept = ("trained_on", "held_out", "best_iteration", "seed")
    scores = {name: info["validation"].get(name) for name in ("balanced_accuracy", "classes_present", "classes")}
    return {**{name: info.get(name) for name in kept}, **scores}


PLANS = {TRAIN: _plan_training, PREDICT: _plan_prediction}


def as_json(session: Session, job: Job, folder: Path) -> dict[str, Any]:
    """A job as the API gives it, without its log."""
    user = session.get(User, job.user_id)
    result = {name: value for name, value in job.result.items() if name not in ("commands",)}
    return {
        "id": job.id, "kind": job.kind, "state": job.state, "by": user.name if user else None,
        "created": job.created, "started": job.started, "ended": job.ended, "arguments": job.arguments,
        "commands": [shlex.join(["ethocaffe", *one]) for one in job.result.get("commands", [])],
        "progress": progress(job, folder) if job.state == "running" else None,
        **{"error": None, **result},
    }  # fmt: skip


def progress(job: Job, folder: Path) -> dict[str, Any] | None:
    """How far a running job is, by the files that its command leaves on its way; None where there are none to count."""
    name, now = Path(job.log).stem, time.time()
    place = folder / footage.FOLDER
    commands, step = job.result.get("commands", []), job.result.get("step", 0)
    told = {"step": commands[step][0] if commands else "", "seconds": now - (job.started or now)}
    if job.kind == PREDICT:
        done = len(list((place / "predictions" / name).glob(f"*/{models.RUN}")))
        return {**told, "done": done, "of": len(job.result.get("videos", [])), "unit": "videos"}
    curve = place / "models" / name / "learning_curve.csv"
    if not curve.is_file():
        return told
    with open(curve, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    last = (
        {"done": int(rows[-1]["iteration"]), "balanced_accuracy": float(rows[-1]["balanced_accuracy"])} if rows else {}
    )
    return {**told, "done": 0, "of": job.arguments["iterations"], "unit": "iterations", **last}


def log_tail(job: Job, folder: Path) -> str:
    """The end of a job's log."""
    path = folder / footage.FOLDER / "jobs" / job.log
    if not job.log or not path.is_file():
        return ""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_TAIL))
        return file.read().decode("utf-8", "replace")
