"""Formats of annotations: all that a format can hold comes back from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotation_files import FILES, RATES, known, need, random_annotation, read_real

from data_prep import formats
from data_prep.annotations import Annotation
from data_prep.formats.keeps import ASPECTS, reduced
from data_prep.timeline import Timeline, steady


def bare(one: Annotation) -> Annotation:
    """Without what a file may call otherwise: its video, observation, and the times that were given to the reader."""
    return one._replace(video="", name="", timeline=None)


def comes_back(found: list[Annotation], name: str, folder: Path) -> None:
    """Write annotations and read them, with the same timelines."""
    chosen = formats.find(name)
    if chosen.exclusive:
        found = [one for one in found if one.exclusive and one.behaviours]
    if name == "feral":  # which takes one annotation per video
        found = list({one.video or one.name: one for one in found}.values())
    if name in ("feral", "via3"):  # which have one list of behaviours for all videos of a file
        names = tuple(dict.fromkeys(behaviour for one in found for behaviour in one.behaviours))
        found = [one._replace(behaviours=names) for one in found]
    for group in [found] if chosen.many else [[one] for one in found]:
        if not group:
            continue
        path = folder / f"{group[0].stem}{chosen.extensions[0]}"
        words = formats.write(path, group, name)
        assert formats.detect(path).name == name
        back = formats.read(path, known(group))
        expected = [reduced(one, chosen.keeps) for one in group if one.bouts or "empty" in chosen.keeps]
        assert list(map(bare, back)) == list(map(bare, expected))
        assert (
            bool(words) == any(not same(one, reduced(one, chosen.keeps)) for one in group)
            or "empty" not in chosen.keeps
        )


def same(one: Annotation, other: Annotation) -> bool:
    return bare(one) == bare(other)


@pytest.mark.parametrize("name", formats.writable())
def test_every_real_file_comes_back_from_every_format(shared, tmp_path, name):
    """Bouts, behaviours, spans annotated and frames; what a format cannot hold is in the registry's `keeps`."""
    need(name)
    seen: set[Annotation] = set()
    for number, file in enumerate(FILES):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = [one for one in read_real(shared, file) if bare(one) not in seen]  # some files repeat others
        seen.update(map(bare, found))
        comes_back(found, name, folder)
    assert len(seen) > 20


def test_all_real_files_are_tried(shared):
    real = {str(file.relative_to(shared / "annotations")) for file in (shared / "annotations").glob("*/*")}
    assert real == set(FILES)


@pytest.mark.parametrize("name", formats.writable())
@pytest.mark.parametrize("rate", [*RATES, None])
def test_random_bouts_come_back_at_every_rate(tmp_path, name, rate):
    """`None` is a variable rate. Seconds are written with six decimals; test_timeline tries milliseconds."""
    need(name)
    for seed in range(4 if name != "nwb" else 2):
        steps = np.random.default_rng(seed).uniform(0.005, 0.08, 700)
        timeline = Timeline(np.cumsum(steps) - steps[0]) if rate is None else steady(rate, 700)
        comes_back([random_annotation(seed, timeline, formats.find(name).exclusive or seed % 2 == 0)], name, tmp_path)


@pytest.mark.parametrize("name", formats.writable())
def test_what_is_lost_is_said(tmp_path, name):
    need(name)
    keeps = formats.find(name).keeps
    one = random_annotation(0, steady(25, 700), exclusive=True)
    words = formats.write(tmp_path / f"x{formats.find(name).extensions[0]}", [one], name)
    for aspect in set(ASPECTS) - {"idle", "overlaps", "touching", "frames", "empty"}:
        assert (ASPECTS[aspect][0] in words) == (aspect not in keeps), aspect
    assert set(keeps) <= set(ASPECTS)
