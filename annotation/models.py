"""A model's predictions as labellings to be corrected, and accepted labellings as the dataset's labels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from annotation import exports
from annotation.apart import Apart, here
from annotation.database import Database
from annotation.tables import MODEL, Bout, Project, Track, Video
from data_prep.errors import InputError, warn
from data_prep.files import atomic_path, read_json

FILE, RUN = "predictions.csv", "run.json"  # that `ethocaffe predict` writes


def bring_in(database: Database, folder: Path, project_id: int | None = None, apart: Apart = here) -> list[str]:
    """Take what `ethocaffe predict` wrote for videos of these names, of one project or of any; returns their names.

    A model's earlier labelling of a video is replaced. apart: what reads the files. Raises InputError where nothing
    fits, or a file is damaged.
    """
    files = [folder / FILE] if (folder / FILE).is_file() else sorted(folder.glob(f"*/{FILE}"))
    if not files:
        raise InputError(f"{folder}: no {FILE} in it; name the --output of `ethocaffe predict`")
    taken = []
    for file in files:
        wanted = select(Video).where(Video.stem == file.parent.name)
        if project_id is not None:
            wanted = wanted.where(Video.project_id == project_id)
        with database.reading() as session:
            video = session.scalar(wanted.limit(1))
        if video is None:
            warn(f"{file}: there is no video {file.parent.name!r} here; left out")
            continue
        found = apart("predictions", {"file": str(file)})  # here, since nobody else can write in the block below
        with database.writing() as session:
            _take(session, video, file, found)
            taken.append(video.stem)
    return taken


def _take(session: Session, video: Video, file: Path, found: dict[str, Any]) -> None:
    if found["frames"] != video.frames or found["spans"] != [[0, video.frames]]:
        raise InputError(f"{file}: does not hold a row for each of the video's {video.frames} frames; predict it again")
    project = session.get_one(Project, video.project_id)
    unknown = sorted(set(found["behaviours"]) - {one["name"] for one in project.behaviours})
    if unknown:
        raise InputError(f"{file}: the project has no behaviour {', '.join(unknown)}; add it there")
    run = read_json(file.parent / RUN) if (file.parent / RUN).is_file() else {}
    name = f"{run.get('network', 'model')} {run.get('model', '')}".strip()[:120]
    track = session.scalar(select(Track).where(Track.video_id == video.id, Track.kind == MODEL, Track.name == name))
    if track is None:
        track = Track(video_id=video.id, kind=MODEL, name=name)
        session.add(track)
        session.flush()
    session.execute(delete(Bout).where(Bout.track_id == track.id))
    track.annotated, track.version, track.updated = [[0, video.frames]], track.version + 1, time.time()
    session.add_all(
        Bout(track_id=track.id, id=f"m{start}", behaviour=behaviour, start=start, stop=stop, confidence=confidence)
        for behaviour, start, stop, confidence in found["bouts"]
    )


def write_labels(session: Session, track: Track, video: Video, project: Project) -> Path:
    """Write an accepted labelling where `ethocaffe prepare` and `train` read labels."""
    path = Path(project.folder) / "labels" / f"{video.stem}.csv"
    path.parent.mkdir(exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(exports.labels(session, track, video, project), encoding="utf-8")
    return path


def confidences(session: Session, project_id: int) -> dict[int, float]:
    """The mean confidence over the frames, 0 … 1, of the latest model's labelling of each video that has one."""
    frames = Bout.stop - Bout.start
    found = session.execute(
        select(Video.id, func.sum(frames * func.coalesce(Bout.confidence, 0.0)) / Video.frames)
        .join(Track, Track.video_id == Video.id)
        .join(Bout, Bout.track_id == Track.id)
        .where(Video.project_id == project_id, Track.kind == MODEL)
        .group_by(Video.id, Video.frames, Track.id, Track.updated)
        .order_by(Track.updated)
    )
    return {video_id: float(sure) for video_id, sure in found}  # the latest comes last


def least_sure(session: Session, videos: Sequence[Video], sure: Mapping[int, float]) -> int | None:
    """Of videos with a model's mean confidence the one of which it is least sure and that nobody has handed in; of
    several the first. None where there is none."""
    handed_in = select(Track.video_id).where(
        Track.video_id.in_([one.id for one in videos]), Track.state.in_(("submitted", "accepted"))
    )
    done = set(session.scalars(handed_in))
    return min((one.id for one in videos if one.id in sure and one.id not in done), key=sure.__getitem__, default=None)
