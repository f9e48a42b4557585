"""`ethocaffe reproduce` on tiny videos of three classes: from trainings to tables and figures."""

from __future__ import annotations

import csv
import json

import pytest
import tiny
from PIL import Image

from data_prep.prepare import prepare
from tools import cli

NAMES = "table_5.2.1,figure_3,figure_4,figure_7,figure_14,figure_15"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    tiny.write_dataset(folder / "data", videos=2)
    prepare(folder / "data", ("shape", "motion", "position"), size=64, workers=1, quiet=True)
    return folder


def reproduce(place, *more):
    fixed = ["reproduce", place / "data", "--profile", "mini", "--output", place / "out", "--jobs", "2"]
    return cli.main([str(part) for part in [*fixed, *more]])


@pytest.fixture(scope="module")
def made(place):
    steps = ("--iterations", "4", "--validate-every", "2")
    assert reproduce(place, "--only", "figure_7,figure_14", *steps, "--quiet") == 0
    return place / "out"


def test_what_was_asked_for_is_trained_and_told_beside_the_thesis_s_numbers(made):
    cell = json.loads((made / "cells" / "shape.random.cnn.json").read_text())
    assert [fold["fold"] for fold in cell["folds"]] == ["v0", "v1"]
    assert cell["pooled"]["classes"] == list(tiny.CLASSES) and cell["pooled"]["frames"] == 180
    assert cell["settings"]["seed"] == 15485863 and cell["simulated"] is False
    assert sorted(file.stem for file in (made / "runs").iterdir()) == ["batch_norm", "lrn"]
    with open(made / "tables.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    measured = {(row["table"], row["measured_percent"], row["folds"]) for row in rows if row["measured_percent"]}
    percent = f"{100 * cell['balanced_accuracy']:.2f}"
    assert measured == {("5.2.1", percent, "2"), ("5.3", percent, "2")}
    pictures = {file.stem for file in (made / "figures").iterdir()}
    assert pictures == {"figure_3", "figure_4", "figure_5", "figure_6", "figure_7", "figure_14"}
    told = Image.open(made / "figures" / "figure_7.png").text
    assert told["ethocaffe seed"] == "15485863" and told["ethocaffe command"].startswith("ethocaffe reproduce")
    origin = json.loads((made / "origin.json").read_text())
    assert told["ethocaffe data"] == origin["data"] and cell["settings"]["data"].startswith(origin["data"][-16:])
    for page in ("README.md", "report.html"):
        text = (made / page).read_text()
        assert "simulated data" not in text and "No weights were given" in text
        assert all(f"figures/{picture}.png" in text for picture in pictures)
        assert cell["settings"]["network"] == "mini/shape/cnn" and "15485863" in text


def test_given_again_nothing_is_trained_and_with_other_settings_it_is_refused(place, made, capsys):
    before = {file: file.read_bytes() for folder in ("cells", "runs") for file in (made / folder).iterdir()}
    assert reproduce(place, "--only", "figure_14", "--iterations", "4", "--validate-every", "2", "--quiet") == 0
    assert {file: file.read_bytes() for file in before} == before
    assert reproduce(place, "--only", "figure_14", "--iterations", "6", "--validate-every", "2") == 2
    assert "was made with other settings (iterations)" in capsys.readouterr().err


def test_without_weights_what_is_pretrained_is_left_out_and_told(place, made, capsys):
    arguments = ("--only", "figure_15,figure_14", "--iterations", "4", "--validate-every", "2")
    assert reproduce(place, *arguments) == 0
    assert "no --weights, so not trained: shape.pretrained.cnn" in capsys.readouterr().out


def test_a_dry_run_says_what_would_be_trained_and_for_how_long_and_trains_nothing(place, made, capsys):
    before = sorted(made.rglob("*.json"))
    arguments = ("--only", "figure_13", "--iterations", "4", "--validate-every", "2", "--dry-run")
    assert reproduce(place, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [f"seed_{number}" for number in range(5)]
    assert lines[-1].startswith("5 trainings, 2 at once: about ")
    assert sorted(made.rglob("*.json")) == before


def test_the_current_system_and_an_lstm_on_its_features(place):
    """Thesis, section 3.2 and appendix 8.1: the LSTM reads what the system of the same held-out video computed."""
    steps = ("--iterations", "2", "--validate-every", "2", "--output", str(place / "appendix"))
    assert reproduce(place, "--only", "figure_24,current_system_ethogram", *steps, "--quiet") == 0
    run = json.loads((place / "appendix" / "runs" / "features_lstm.json").read_text())
    assert run["settings"]["network"] == "current_system/lstm" and run["settings"]["features"]["order"] == 2
    assert f"--features {place / 'appendix' / 'work' / 'cells'}" in run["trained_by"]
    cell = json.loads((place / "appendix" / "cells" / "motion_position.random.current_system.json").read_text())
    (labelled,) = cell["labelled"].values()
    assert sum(stop - start for _, start, stop in labelled) == 90
    pictures = {file.stem for file in (place / "appendix" / "figures").iterdir()}
    assert {"figure_24", "current_system_ethogram"} <= pictures and "figure_25" not in pictures
