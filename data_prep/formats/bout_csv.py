"""Tidy bout tables, CSV or TSV: a row per bout. Written with the columns of our `bouts.csv`, and `video`, `subject`,
`modifiers`, `comment`, `annotator`, `observation` after them.

The header says the unit: `start_frame`, `stop_frame` (from 0; the frame at `stop_frame` is no longer in the bout) or
`start_time`, `stop_time` (seconds; also `start (s)`, `start_seconds`). `end` means `stop`; `last_frame` is inclusive.
The behaviour's column is called label, behaviour, behavior, class or event. Where both units are there, frames count.
Lost: behaviours and videos without bouts, what was not annotated, and, without the video, the number of its frames.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from data_prep.annotations import Annotation, Bout, make
from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.formats.source import DELIMITERS, Known, number, read_rows, read_text

NAMES = {
    "behaviour": ("label", "behaviour", "behavior", "class", "event"),
    "start_frame": ("start_frame", "start frame", "start (frame)", "start (frames)", "first_frame"),
    "stop_frame": ("stop_frame", "stop frame", "stop (frame)", "stop (frames)",
                   "end_frame", "end frame", "end (frame)"),
    "last_frame": ("last_frame", "last frame"),
    "start_time": ("start_time", "start time", "start (s)", "start_s", "start_seconds", "start_sec"),
    "stop_time": ("stop_time", "stop time", "stop (s)", "stop_s", "stop_seconds", "stop_sec", "end_time", "end (s)",
                  "end_s", "end_seconds", "end_sec"),
    "confidence": ("mean_probability", "confidence"),
    "video": ("video", "file", "filename"),
    "subject": ("subject", "animal"),
    "modifiers": ("modifiers",),
    "comment": ("comment",),
    "annotator": ("annotator",),
    "observation": ("observation", "observation id"),
}  # fmt: skip
APART = ("video", "annotator", "observation")  # what tells annotations in one file apart
BARE = ("start", "stop", "end", "onset", "offset")
WRITTEN = ("label", "start_frame", "stop_frame", "start_time", "stop_time", "frames", "duration", "mean_probability",
           "video", "subject", "modifiers", "comment", "annotator", "observation")  # fmt: skip


def _columns(cells: Sequence[str]) -> dict[str, int]:
    lower = [cell.strip().strip('"').lower() for cell in cells]
    return {key: lower.index(name) for key, names in NAMES.items() for name in reversed(names) if name in lower}


def _delimiter(head: str) -> str | None:
    line = head.split("\n", 1)[0]
    for delimiter in DELIMITERS:
        cells = [cell.strip().strip('"').lower() for cell in line.split(delimiter)]
        known = _columns(cells)
        bare = len(set(cells) & set(BARE)) > 1
        if "behaviour" in known and (bare or {"start_frame", "start_time"} & set(known)) and "frame" not in cells:
            return delimiter
    return None


def sniff(head: str, path: Path) -> bool:
    return _delimiter(head) is not None


def read(path: Path, known: Known) -> list[Annotation]:
    delimiter = _delimiter(read_text(path))
    if delimiter is None:
        raise InputError(f"{path}, line 1: not a header of bouts; write label,start_frame,stop_frame")
    rows = read_rows(path, delimiter)
    columns = _columns(rows[0][1])
    unit = _unit(columns, f"{path}, line 1")
    by_video: dict[tuple[str, ...], list[tuple[str, dict[str, str]]]] = {}
    for line, cells in rows[1:]:
        place = f"{path}, line {line}"
        if len(cells) != len(rows[0][1]):
            raise InputError(f"{place}: {len(cells)} columns where the header has {len(rows[0][1])}; mend the line")
        row = {key: cells[at] for key, at in columns.items()}
        by_video.setdefault(tuple(row.get(part, "") for part in APART), []).append((place, row))
    if not by_video:
        by_video[("", "", "")] = []
    return [
        _annotation(video, annotator, name or path.stem, found, unit, path, known)
        for (video, annotator, name), found in by_video.items()
        if known.wants(video, name or path.stem)
    ]


def _unit(columns: dict[str, int], place: str) -> tuple[str, str]:
    for pair in (("start_frame", "stop_frame"), ("start_frame", "last_frame"), ("start_time", "stop_time")):
        if set(pair) <= set(columns):
            return pair
    raise InputError(
        f"{place}: the header does not say whether start and stop are frames or seconds; call the columns "
        "start_frame and stop_frame, or start_time and stop_time"
    )


def _annotation(
    video: str,
    annotator: str,
    name: str,
    rows: Sequence[tuple[str, dict[str, str]]],
    unit: tuple[str, str],
    path: Path,
    known: Known,
) -> Annotation:
    values = [(place, number(row[unit[0]], place), number(row[unit[1]], place), row) for place, row in rows]
    last = max((stop for _, _, stop, _ in values), default=0.0)
    seconds = unit[0] == "start_time"
    if seconds:
        timeline = known.timeline(video, name, seconds=last)
    else:
        last += unit[1] == "last_frame"
        timeline = known.timeline(video, name, seconds=last / known.fps if known.fps else None)
    if seconds and timeline is None:
        raise InputError(f"{path}: its times are seconds; give the frame rate with --fps, or the video with --video")
    bouts = []
    for place, start, stop, row in values:
        if seconds:
            assert timeline is not None
            span = timeline.span(start, stop, place)
        elif start != int(start) or stop != int(stop):
            raise InputError(f"{place}: {start:g} or {stop:g} is not a whole frame; correct it")
        else:
            span = int(start), int(stop) + (unit[1] == "last_frame")
            if not 0 <= span[0] < span[1]:
                raise InputError(f"{place}: from frame {start:g} to {stop:g} there is no frame; correct it")
        text = row.get("confidence", "")
        bouts.append(
            Bout(row["behaviour"], *span, row.get("subject", ""), row.get("comment", ""),
                 number(text, place) if text else None, row.get("modifiers", ""))
        )  # fmt: skip
    frames = timeline.frames if timeline is not None else max((bout.stop for bout in bouts), default=0)
    return make(bouts, frames, place=str(path), video=video, annotator=annotator, name=name, timeline=timeline)


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(WRITTEN)
        for annotation in annotations:
            for bout in annotation.bouts:
                times = ["", "", ""]
                if annotation.timeline is not None:
                    start, stop = (annotation.timeline.seconds(frame) for frame in (bout.start, bout.stop))
                    times = [f"{value:.6f}" for value in (start, stop, stop - start)]
                confidence = "" if bout.confidence is None else f"{bout.confidence:.6f}"
                writer.writerow(
                    [bout.behaviour, bout.start, bout.stop, *times[:2], bout.stop - bout.start, times[2], confidence,
                     annotation.video, bout.subject, bout.modifiers, bout.comment, annotation.annotator,
                     annotation.name]
                )  # fmt: skip
