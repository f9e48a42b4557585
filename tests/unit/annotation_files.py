"""The real annotation files that tests read, and annotations drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep import formats
from data_prep.annotations import Annotation, Bout, make
from data_prep.marks import Mark
from data_prep.timeline import Timeline, steady

VIDEOS = {"video_test_25fps_180s": steady(25, 4499), "video_test_25fps_360s": steady(25, 8999)}  # their real lengths
FILES = [
    "boris/otx_import_test.boris", "boris/test.boris", "boris/test2.boris",
    "boris/test_export_aggregated_events_test_full_1.tsv", "boris/test_export_aggregated_events_test_full_3.tsv",
    "boris/test_export_events_tabular.csv", "boris/test_export_events_tabular.tsv",
    "boris/test_with_leading_trailing_spaces_in_modifiers.boris", "boris/test_without_media_files_paths.boris",
    "boris_csv/e3v813a-20210610T120637-121213_reencode.csv", "boris_csv/e3v813a-20210610T121558-122141_reencode.csv",
    "boris_csv/e3v813a-20210610T122332-122642_reencode.csv", "boris_csv/e3v813a-20210610T122758-123309_reencode.csv",
    "boris_csv/e3v813a-20210610T123521-124106_reencode.csv", "boris_csv/test-multi-behaviors.boris",
    "boris_csv/simultaneous_events__test-simultaneous-events.csv", "per_frame/fly2.csv",
]  # fmt: skip
RATES = (23.976, 25, 29.97, 30, 59.94, 240)


def known(found=(), **others) -> formats.Known:
    timelines = {one.stem: one.timeline for one in found if one.timeline is not None}
    return formats.Known({**VIDEOS, **timelines}, **others)


def read_real(shared: Path, name: str) -> list[Annotation]:
    """A real file; live observations of BORIS have no rate, and one of them a state that never stops."""
    return formats.read(shared / "annotations" / name, known(fps=30, unpaired="end"))


def spans(one: Annotation, behaviour: str) -> list[tuple[int, int]]:
    return [(bout.start, bout.stop) for bout in one.bouts if bout.behaviour == behaviour]


def need(name: str) -> None:
    if name == "nwb":
        pytest.importorskip("pynwb", reason="NWB needs `pip install pynwb ndx-ethogram`")
        pytest.importorskip("ndx_ethogram", reason="NWB needs `pip install pynwb ndx-ethogram`")


def random_marks(rng: np.random.Generator, frames: int) -> tuple[Mark, ...]:
    """A box and a point, each with keyframes on some frames."""
    out = []
    for name, kind, columns in (("left, ear", "box", 4), ("nose", "point", 2)):
        at = np.sort(rng.choice(frames, 5, replace=False)).tolist()
        rows = rng.uniform(0, 100, (5, columns)).tolist()
        out.append(Mark(f"{kind}-1", name, kind, tuple((frame, *row) for frame, row in zip(at, rows))))
    return tuple(out)


def random_annotation(seed: int, timeline: Timeline, exclusive: bool) -> Annotation:
    rng = np.random.default_rng(seed)
    names = ["drink", "eat", 'a "quoted", name', "Fressen; größer"]
    edges = np.sort(rng.choice(np.arange(timeline.frames + 1), 40, replace=False)).tolist()
    bouts = [
        Bout(names[rng.integers(3)], start, stop, rng.choice(["", "mouse 1"]), rng.choice(["", "sure, yes"]),
             (None, 0.25, 0.987654)[rng.integers(3)], rng.choice(["", "left|None"]))
        for start, stop in zip(edges, edges[1:])
        if rng.random() < 0.6
    ]  # fmt: skip
    if not exclusive:
        bouts += [Bout(names[0], start, start + 1) for start in rng.integers(0, timeline.frames, 5).tolist()]
    bouts = [
        bout._replace(subject=str(bout.subject), comment=str(bout.comment), modifiers=str(bout.modifiers))
        for bout in bouts
    ]
    watched = [(start, stop) for start, stop in zip(edges[::3], edges[1::3])]
    return make(
        dict.fromkeys(bouts), timeline.frames, behaviours=names, annotated=watched, video="cage 1.mp4",
        annotator="anna", name="first look", timeline=timeline, marks=random_marks(rng, timeline.frames),
    )  # fmt: skip
