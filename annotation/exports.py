"""Labellings as files and from files: the dataset's labels, and every format of `data_prep.formats`."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import footage, mark_edits
from annotation.tables import Bout, Project, Track, User, Video
from data_prep import formats
from data_prep.annotations import Annotation, make
from data_prep.annotations import Bout as Neutral
from data_prep.errors import InputError
from data_prep.timeline import Timeline


def as_annotation(session: Session, track: Track, video: Video, project: Project) -> Annotation:
    """A labelling in the form that all formats are written from."""
    author = session.get(User, track.author_id) if track.author_id else None
    found = session.scalars(select(Bout).where(Bout.track_id == track.id).order_by(Bout.start, Bout.id))
    return make(
        [Neutral(one.behaviour, one.start, one.stop, comment=one.comment, confidence=one.confidence) for one in found],
        video.frames,
        behaviours=[one["name"] for one in project.behaviours],
        annotated=[(start, stop) for start, stop in track.annotated],
        place=video.stem,
        video=video.file,
        annotator=author.name if author else track.name,
        name=video.stem,
        timeline=Timeline(footage.times(Path(project.folder), video.stem)),
        marks=tuple(mark_edits.of_track(session, track.id)),
    )


def export(session: Session, track: Track, video: Video, project: Project, kind: str) -> tuple[bytes, str]:
    """A labelling in a format of that name, and the file's ending. Raises InputError where it does not fit that."""
    if kind == "labels":  # also where behaviours are at once, which this dataset's form allows
        return labels(session, track, video, project).encode(), ".csv"
    chosen = formats.find(kind)
    ending = chosen.extensions[0] if chosen.extensions else ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{video.stem}{ending}"
        try:
            formats.write(file, [as_annotation(session, track, video, project)], kind)
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from None
        return file.read_bytes(), ending


def read(content: bytes, name: str, video: Video, project: Project) -> Annotation:
    """The one annotation of a video in a file's content. Raises InputError as `formats.read`, and for several."""
    timeline = Timeline(footage.times(Path(project.folder), video.stem))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"given{Path(name).suffix[:10]}"
        file.write_bytes(content)
        try:
            found = formats.read(file, formats.Known(timelines={video.stem: timeline, "given": timeline}))
        except InputError as error:  # the file's name here says nothing to whoever sent it
            raise InputError(str(error).replace(str(file), name)) from None
    ours = [one for one in found if one.stem == video.stem] or found
    if len(ours) != 1:
        raise InputError(f"{name}: holds {len(ours)} annotations, none of them named {video.stem!r}")
    if ours[0].frames != video.frames:
        raise InputError(f"{name}: has {ours[0].frames} frames, and this video {video.frames}")
    return ours[0]


def labels(session: Session, track: Track, video: Video, project: Project) -> str:
    """A dataset's labels file: 1, 0 or −1 (not annotated) of every frame and behaviour."""
    names = [one["name"] for one in project.behaviours]
    columns = np.full((video.frames, len(names)), -1, np.int8)
    for start, stop in track.annotated:
        columns[start:stop] = 0
    for bout in session.scalars(select(Bout).where(Bout.track_id == track.id)):
        if bout.behaviour in names:
            part = columns[bout.start : bout.stop]
            part[part < 0] = 0  # a frame with a bout was looked at
            part[:, names.index(bout.behaviour)] = 1
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["frame", *names])
    writer.writerows([frame, *row] for frame, row in enumerate(columns.tolist()))
    return out.getvalue()
