"""Changing a project's behaviours, and the dataset's classes.txt and labels with them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.tables import Bout, Project, Track, Video
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path


def used(session: Session, project_id: int) -> set[str]:
    """The behaviours of which a project has bouts."""
    return set(
        session.scalars(
            select(Bout.behaviour).distinct().join(Track, Track.id == Bout.track_id)
            .join(Video, Video.id == Track.video_id).where(Video.project_id == project_id)
        )
    )  # fmt: skip


def overlapping(session: Session, project_id: int) -> int:
    """How many bouts of a project begin before another one of the same labelling ends."""
    wanted = (
        select(Bout.track_id, Bout.start, Bout.stop)
        .join(Track, Track.id == Bout.track_id)
        .join(Video, Video.id == Track.video_id)
        .where(Video.project_id == project_id)
        .order_by(Bout.track_id, Bout.start)
    )
    count, track, end = 0, None, 0
    for track_id, start, stop in session.execute(wanted.execution_options(yield_per=10_000)):
        if track_id != track:
            track, end = track_id, 0
        count += start < end
        end = max(end, stop)
    return count


def check(before: Sequence[str], after: Sequence[str], have_bouts: set[str]) -> None:
    """Whether names may be changed: new ones come last, and only what has no bouts is renamed, since models, prepared
    videos and labels know classes by their order and names. Raises InputError."""
    gone = sorted((set(before) - set(after)) & have_bouts)
    if gone:
        raise InputError(f"bouts of {', '.join(gone)} are there; delete them first")
    if len(after) < len(before):
        raise InputError("behaviours are renamed or added, never removed: models and labels know them by their order")
    for old, new in zip(before, after):
        if new != old and (new in before or old in after):
            raise InputError("the order of the behaviours stays, and new ones come last")


def write_classes(project: Project, before: Sequence[str], after: Sequence[str]) -> None:
    """Write classes.txt, and give the dataset's labels files the columns of these names; a new one is −1 (not
    annotated) throughout. Raises InputError where classes.txt is neither the names before nor those after."""
    folder = Path(project.folder)
    there = list(datasets.read_classes(folder / "classes.txt"))
    if there == list(after):
        return
    if there != list(before):
        raise InputError(
            f"the dataset's classes.txt says {', '.join(there)}, which this project does not; make them the same there"
        )
    for file in sorted((folder / "labels").glob("*.csv")):
        _follow(file, before, after)
    with atomic_path(folder / "classes.txt") as temporary:
        temporary.write_text("\n".join(after) + "\n", encoding="utf-8")


def _follow(file: Path, before: Sequence[str], after: Sequence[str]) -> None:
    try:
        header = datasets.read_label_classes(file)
    except InputError:
        return  # of no use before, and so left alone
    if set(header) != set(before):
        return
    names = dict(zip(before, after))
    new = list(after[len(before) :])
    with (
        atomic_path(file) as temporary,
        open(file, newline="", encoding="utf-8-sig") as old,
        open(temporary, "w", newline="", encoding="utf-8") as out,
    ):
        rows, writer = csv.reader(old), csv.writer(out, lineterminator="\n")
        next(rows)
        writer.writerow(["frame", *(names[name] for name in header), *new])
        writer.writerows([*row, *["-1"] * len(new)] for row in rows if row)
