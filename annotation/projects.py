"""From datasets to projects: behaviours from classes.txt, and every video with the times of its frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import footage, secrets
from annotation.database import Database
from annotation.tables import Invitation, Project, Track, User, Video
from data_prep import dataset as datasets
from data_prep import video as videos
from data_prep.errors import InputError
from data_prep.transfer import checking

HOURS = 24  # that an administrator's invitation holds
# Okabe and Ito's colours, as in the plots.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#8A8A8A")


def make(database: Database, given: Sequence[str | Path]) -> list[Path]:
    """Make a project of each dataset that is none yet; returns their folders. Raises InputError for a dataset that is
    wrong, or two of the same name."""
    out = []
    for path in given:
        folder = Path(path).resolve()
        dataset = datasets.open_dataset(folder)
        with database.writing() as session:
            if session.scalar(select(Project).where(Project.folder == str(folder))) is None:
                taken = session.scalar(select(Project).where(Project.name == folder.name))
                if taken is not None:
                    raise InputError(f"{path}: there is another project of the name {folder.name!r}, {taken.folder}")
                session.add(Project(name=folder.name, folder=str(folder), behaviours=behaviours(dataset.classes)))
        out.append(folder)
    return out


def unknown(database: Database, folder: Path) -> tuple[int, list[Path]]:
    """A dataset's project, and the videos that are new in it or have changed. Raises InputError where the dataset is
    wrong."""
    there = datasets.open_dataset(folder).videos
    with database.reading() as session:
        number = session.scalars(select(Project.id).where(Project.folder == str(folder))).one()
        known = {one.stem: one.bytes for one in session.scalars(select(Video).where(Video.project_id == number))}
    return number, [file for stem, file in there.items() if not _is_taken(file, folder, known.get(stem))]


def is_known(database: Database, project_id: int, file: Path) -> bool:
    """Whether a video of a dataset is in its project as it is now."""
    wanted = select(Video.bytes, Project.folder).join(Project, Project.id == Video.project_id)
    with database.reading() as session:
        found = session.execute(wanted.where(Project.id == project_id, Video.stem == file.stem)).first()
    return found is not None and _is_taken(file, Path(found.folder), found.bytes)


def _is_taken(file: Path, folder: Path, size: int | None) -> bool:
    return size == file.stat().st_size and footage.times_file(folder, file.stem).is_file()


def made_in(database: Database, parent: Path | None) -> list[Path]:
    """The folders of the projects that were made in a folder, where there is one, and have videos."""
    if parent is None:
        return []
    with database.reading() as session:
        folders = [Path(folder) for folder in session.scalars(select(Project.folder).order_by(Project.id))]
    return [one for one in folders if one.parent == parent and any((one / "videos").glob("*"))]


def folders(database: Database) -> list[Path]:
    """The folders of all projects."""
    with database.reading() as session:
        return [Path(folder) for folder in session.scalars(select(Project.folder))]


def videos_of(session: Session, project_id: int) -> Sequence[Video]:
    """A project's videos, by name."""
    return session.scalars(select(Video).where(Video.project_id == project_id).order_by(Video.stem)).all()


def register(
    database: Database, project_id: int, folder: Path, file: Path, checked: checking.Facts | None = None
) -> None:
    """Bring a video of a dataset, or a changed one, into its project. Raises InputError where it cannot be decoded."""
    fps = videos.probe(file).fps
    facts = checked or checking.check(file, str(file), lambda frames: None)
    with database.reading() as session:
        _must_fit(session, project_id, file, facts.frames)
    shown = footage.take(folder, file, facts)
    with database.writing() as session:
        found = session.scalar(select(Video).where(Video.project_id == project_id, Video.stem == file.stem))
        video = found or Video(project_id=project_id, stem=file.stem)
        video.file, video.bytes, video.playable = file.name, file.stat().st_size, str(shown.relative_to(folder))
        video.frames, video.fps, video.width, video.height = facts.frames, fps, facts.width, facts.height
        session.add(video)


def _must_fit(session: Session, project_id: int, file: Path, frames: int) -> None:
    """Raises InputError where a video that people labelled was replaced by one of other frames."""
    found = session.scalar(select(Video).where(Video.project_id == project_id, Video.stem == file.stem))
    if found is None or found.frames == frames:
        return
    if session.scalar(select(Track.id).where(Track.video_id == found.id, Track.version > 0).limit(1)) is not None:
        raise InputError(
            f"{file}: has {frames} frames now, and people labelled the {found.frames} that it had; put the old file "
            "back, or give the new one another name"
        )


def behaviours(classes: Sequence[str]) -> list[dict[str, str]]:
    """Behaviours with a key and a colour each: the first letter of the name that is free, else a digit."""
    out: list[dict[str, str]] = []
    taken: set[str] = set()
    for index, name in enumerate(classes):
        free = [letter for letter in (*name.lower(), *"1234567890") if letter.isalnum() and letter not in taken]
        key = free[0] if free else ""
        taken.add(key)
        out.append({"name": name, "key": key, "colour": COLOURS[index % len(COLOURS)]})
    return out


def admin_invitation(session: Session) -> str:
    """A secret that makes one person an administrator."""
    secret = secrets.new_secret()
    expires = time.time() + 3600 * HOURS
    session.add(Invitation(digest=secrets.digest(secret), project_id=None, role="manager", expires=expires))
    return secret


def has_people(session: Session) -> bool:
    """Whether anybody is there yet."""
    return session.scalar(select(User.id).limit(1)) is not None
