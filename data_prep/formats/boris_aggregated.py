"""Writing BORIS's table of aggregated events; boris_tables.py reads it.

It is written with the columns of BORIS 8. `Image index start` and `stop` are our frames: from 0, and
half-open. Lost: behaviours and videos without bouts, what was not annotated, confidence, the annotator.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from data_prep.annotations import Annotation, Bout
from data_prep.files import atomic_path
from data_prep.formats.boris_observation import NOBODY
from data_prep.timeline import Timeline

WRITTEN = (
    "Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)",
    "Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject",
    "Observation duration by subject by observation", "Behavior", "Behavioral category", "Modifiers", "Behavior type",
    "Start (s)", "Stop (s)", "Duration (s)", "Media file name", "Image index start", "Image index stop",
    "Image file path start", "Image file path stop", "Comment start", "Comment stop",
)  # fmt: skip


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(WRITTEN)
        for annotation in annotations:
            assert annotation.timeline is not None  # the registry sees to it
            for bout in annotation.bouts:
                writer.writerow(_row(annotation, bout, annotation.timeline))


def _row(annotation: Annotation, bout: Bout, timeline: Timeline) -> list[object]:
    start, stop = timeline.seconds(bout.start), timeline.seconds(bout.stop)
    ours = {
        "Observation id": annotation.name or annotation.stem,
        "Observation type": "Media file" if annotation.video else "Live observation",
        "Source": f"player #1:{annotation.video}" if annotation.video else "NA",
        "Time offset (s)": "0",
        "Media duration (s)": f"{timeline.end:.6f}" if annotation.video else "NA",
        "FPS (frame/s)": f"{timeline.fps:.6f}" if annotation.video else "NA",
        "Subject": bout.subject or NOBODY,
        "Behavior": bout.behaviour,
        "Modifiers": bout.modifiers,
        "Behavior type": "STATE",
        "Start (s)": f"{start:.6f}",
        "Stop (s)": f"{stop:.6f}",
        "Duration (s)": f"{stop - start:.6f}",
        "Media file name": annotation.video or "NA",
        "Image index start": bout.start,
        "Image index stop": bout.stop,
        "Comment start": bout.comment,
    }
    return [ours.get(name, "") for name in WRITTEN]
