"""`make bench` from its command to its page, with small networks and short videos; beside real Caffe where that is."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import tiny

from benchmarks import __main__ as benchmarks
from benchmarks import layers, machine, predict, quick, sides, startup, steps

SMALL = "mini/shape_motion/cnn"


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Everything on the smallest networks; what is made lies in the test's folder."""
    monkeypatch.setattr(benchmarks, "SCRATCH", tmp_path / "work")
    for module in (steps, layers):
        monkeypatch.setattr(module, "NETWORKS", ("mini/shape/cnn",))
    monkeypatch.setattr(steps, "BATCH", 4)
    monkeypatch.setattr(predict, "SYSTEMS", ("current_system", SMALL))
    monkeypatch.setattr(sides, "TURN", 0.01)
    monkeypatch.setattr(sides, "THREADS", 1)
    monkeypatch.setattr(startup, "TIMES", 1)
    monkeypatch.setattr(machine, "measure", lambda *_: {"products": 1e11, "bytes": 1e10, "by": {"these": 1e11}})


def rows_of(text: str, title: str) -> list[list[str]]:
    section = text.split(f"## {title}")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")]


def test_every_system_is_measured_on_the_same_video(tmp_path, small):
    video = tmp_path / "v.mp4"
    tiny.write_video(video, np.repeat([0, 1, 2], 30), seed=1)
    output = tmp_path / "bench.md"
    assert benchmarks.main(
        ["--video", str(video), "--repeats", "2", "--parts", "predict", "--output", str(output), "--quiet"]
    ) == 0  # fmt: skip
    text = output.read_text()
    rows = rows_of(text, predict.TITLE)
    assert [row[0] for row in rows[1:]] == ["decoding alone", "current_system", SMALL]
    for _, seconds, spread, computed, rate, memory in rows[1:]:
        low, high = (float(number) for number in re.findall(r"[\d.]+", spread))
        assert low <= float(seconds) <= high
        assert float(computed) > 0
        assert abs(float(rate) * float(seconds) - 60 * 30) < 60 * 30 * 0.1
        assert 20 < float(memory.split()[0]) < 4000
    assert "90 frames of 64×64" in text and "--repeats 2" in text


def test_parts_measured_one_by_one_share_a_page(tmp_path, small, monkeypatch):
    monkeypatch.setattr(sides, "real_caffe_is_there", lambda: False)
    output = tmp_path / "bench.md"
    for part in ("steps", "layers", "startup"):
        assert benchmarks.main(["--repeats", "1", "--parts", part, "--output", str(output), "--quiet"]) == 0
    measured = json.loads(output.with_suffix(".json").read_text())["parts"]
    assert list(measured) == ["machine", "steps", "layers", "startup"]
    text = output.read_text()
    rows = rows_of(text, steps.TITLE)[1:]
    assert [row[1] for row in rows] == ["training step", "forward"]
    assert all(row[3] == "not measured" for row in rows)
    # a layer's passes and the update are no more than the step that they are part of
    found = measured["layers"]["results"][0]["sides"]["ours"]
    parts = found["update"] + sum(sum(found[name].values()) for name in ("forward", "backward"))
    assert 0.3 * found["seconds"] < parts < found["seconds"] * 1.5
    assert {name for row in rows_of(text, layers.TITLE) for name in row[:1]} >= {"update", "other", "**the step**"}


@pytest.mark.skipif(not sides.real_caffe_is_there(), reason="real Caffe is not built")
def test_the_short_form_fails_on_ratios_alone(small, monkeypatch, capsys):
    monkeypatch.setattr(quick, "NETWORK", "mini/shape/cnn")
    monkeypatch.setattr(quick, "ROUNDS", {steps.STEP: 1, steps.FORWARD: 1})
    monkeypatch.setattr(quick, "GROWTH_ROUNDS", 1)
    monkeypatch.setattr(quick, "GROWTH", 1000)
    monkeypatch.setattr(quick, "TRIES", 1)
    monkeypatch.setattr(quick, "LIMITS", {steps.STEP: 1e-6, steps.FORWARD: 1e-6})
    assert benchmarks.main(["--quick", "--quiet"]) == 0
    assert not capsys.readouterr().err
    monkeypatch.setattr(quick, "LIMITS", {steps.STEP: 1e-6, steps.FORWARD: 1e6})
    assert benchmarks.main(["--quick", "--quiet"]) == 1
    err = capsys.readouterr().err
    assert "forward: real Caffe / ours" in err and "training step" not in err


def test_the_short_form_needs_real_caffe(monkeypatch, capsys):
    monkeypatch.setattr(sides, "real_caffe_is_there", lambda: False)
    assert benchmarks.main(["--quick"]) == 1
    assert "real_caffe.sh" in capsys.readouterr().err
