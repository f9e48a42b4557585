"""Cross-validation on tiny videos: every fold a process, resumable, and refused where a class would be lost."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny

from data_prep.dataset import read_labels, write_labels
from data_prep.files import locked
from data_prep.prepare import prepare
from tools import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path):
    tiny.write_dataset(tmp_path / "data")
    prepare(tmp_path / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(tmp_path / "net")
    return tmp_path


def command(place, *more):
    fixed = ["cross-validate", place / "net", place / "data", "--output", place / "cv", "--validate-every", "10"]
    return [str(part) for part in [*fixed, *more]]


def test_every_video_is_held_out_once_and_the_mean_is_that_of_the_folds(place, capsys):
    assert cli.main(command(place, "--iterations", "30", "--jobs", "2")) == 0
    assert "over 3 folds" in capsys.readouterr().out
    result = json.loads((place / "cv" / "metrics.json").read_text())
    models = {fold: json.loads((place / "cv" / fold / "model.json").read_text()) for fold in ("v0", "v1", "v2")}
    for fold, info in models.items():
        assert info["held_out"] == [fold] and fold not in info["trained_on"] and len(info["trained_on"]) == 2
    best = [info["validation"]["balanced_accuracy"] for info in models.values()]
    assert result["balanced_accuracy"] == pytest.approx(np.mean(best))
    assert result["honest_balanced_accuracy"] <= result["balanced_accuracy"]
    assert result["pooled"]["frames"] == 3 * 90
    assert result["simulated"] is False and result["command"].startswith("ethocaffe cross-validate")
    with open(place / "cv" / "folds.csv", newline="") as file:
        assert [row["fold"] for row in csv.DictReader(file)] == ["v0", "v1", "v2"]
    assert (place / "cv" / "confusion_matrix.png").is_file() and (place / "cv" / "learning.png").is_file()


def test_killed_at_any_point_it_goes_on_and_leaves_no_training_running(place):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'engine'}"}
    arguments = command(place, "--iterations", "400", "--jobs", "2")
    process = subprocess.Popen([sys.executable, "-m", "tools.cli", *arguments], env=environment, cwd=ROOT)
    states = [place / "cv" / fold / "snapshots" / "state.json" for fold in ("v0", "v1")]
    deadline = time.monotonic() + 60
    while not all(state.is_file() for state in states) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1)
    reached = [json.loads(state.read_text())["iteration"] for state in states]
    time.sleep(1)
    assert [json.loads(state.read_text())["iteration"] for state in states] == reached
    assert max(reached) < 400
    assert cli.main(command(place, "--iterations", "400", "--jobs", "2", "--quiet")) == 0
    for fold in ("v0", "v1", "v2"):
        curve = json.loads((place / "cv" / fold / "model.json").read_text())["curve"]
        assert [row["iteration"] for row in curve] == list(range(10, 401, 10))


def test_a_class_that_only_one_video_shows_is_refused_before_anything_is_trained(place, capsys):
    for stem in ("v0", "v2"):
        file = place / "data" / "labels" / f"{stem}.csv"
        labels = read_labels(file, tiny.CLASSES)
        write_labels(file, tiny.CLASSES, np.where(labels == 2, 0, labels))
    assert cli.main(command(place, "--iterations", "10")) == 2
    told = capsys.readouterr().err
    assert "v1: down" in told and len(told.splitlines()) == 1
    assert not (place / "cv").exists()
    assert cli.main(command(place, "--iterations", "10", "--allow-missing-classes", "--jobs", "2")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "not in the training videos, so never recognised: v1: down" in lines
    assert "not in the held-out videos, so not counted there: v0: down" in lines


def test_a_training_that_fails_is_told_in_a_line_with_its_log_and_the_others_end(place, capsys):
    (place / "cv" / "v0").mkdir(parents=True)
    with locked(place / "cv" / "v0"):
        assert cli.main(command(place, "--iterations", "10", "--jobs", "2")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert (
        len(lines) == 1 and "another command is writing there" in lines[0] and str(place / "cv" / "v0.log") in lines[0]
    )
    assert [(place / "cv" / fold / "model.json").is_file() for fold in ("v0", "v1", "v2")] == [False, True, True]
    assert not (place / "cv" / "metrics.json").exists()
