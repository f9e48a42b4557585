"""Labellings as files: a dataset's labels, a row per frame, or bouts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation import footage
from annotation.tables import Bout, Project, Track, Video


def label_columns(session: Session, track: Track, video: Video, project: Project) -> np.ndarray:
    """1, 0 or −1 (not annotated) of every frame and behaviour, int8 (frames, behaviours)."""
    names = [one["name"] for one in project.behaviours]
    columns = np.full((video.frames, len(names)), -1, np.int8)
    for start, stop in track.annotated:
        columns[start:stop] = 0
    for bout in session.scalars(select(Bout).where(Bout.track_id == track.id)):
        if bout.behaviour in names:
            part = columns[bout.start : bout.stop]
            part[part < 0] = 0  # a frame with a bout was looked at
            part[:, names.index(bout.behaviour)] = 1
    return columns


def labels(session: Session, track: Track, video: Video, project: Project) -> str:
    """A dataset's labels file."""
    names = [one["name"] for one in project.behaviours]
    columns = label_columns(session, track, video, project)
    return _csv(["frame", *names], ([frame, *row] for frame, row in enumerate(columns.tolist())))


def bouts(session: Session, track: Track, video: Video, project: Project) -> str:
    """A row per bout, in frames from 0, half-open, and in seconds."""
    times = footage.times(Path(project.folder), video.stem)
    ends = np.append(times, times[-1] + 1 / video.fps)
    found = session.scalars(select(Bout).where(Bout.track_id == track.id).order_by(Bout.start, Bout.id))
    rows = (
        [one.behaviour, one.start, one.stop, f"{ends[one.start]:.6f}", f"{ends[one.stop]:.6f}", one.comment]
        for one in found
    )
    return _csv(["label", "start_frame", "stop_frame", "start_time", "stop_time", "comment"], rows)


KINDS: dict[str, Callable[[Session, Track, Video, Project], str]] = {"labels": labels, "bouts": bouts}


def _csv(header: list[str], rows: Any) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return out.getvalue()


def _plain(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
