"""`ethocaffe analyse` on what predict, evaluate and people leave."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from data_prep.dataset import write_labels
from tools import bouts, cli, predictions

CLASSES = ["rest", "walk", "eat, by hand"]
TABLES = ("time_budget", "bout_summary", "transitions", "circadian")
PICTURES = ("time_budget", "bouts", "transitions", "circadian")


def write(folder: Path, labels, fps: float = 10.0, frames=None, classes=CLASSES, **run) -> Path:
    """A folder as `ethocaffe predict` leaves it."""
    labels = np.asarray(labels)
    frames = np.arange(len(labels)) if frames is None else np.asarray(frames)
    shares = np.eye(len(classes))[labels]
    predictions.write(folder / "predictions.csv", frames.tolist(), (frames / fps).tolist(), shares, classes)
    if run:
        (folder / "run.json").write_text(json.dumps({"fps": fps, "min_bout": 1, "model": "abc", **run}))
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def of(rows, recording: str) -> list[dict[str, str]]:
    return [row for row in rows if row["recording"] == recording]


@pytest.fixture
def labelled(tmp_path):
    """Two videos, as predict leaves them: 20 s and 10 s at 10 frames per second."""
    write(tmp_path / "labelled" / "cage_1", [0] * 100 + [1] * 50 + [2] * 50, video="cage_1.mp4")
    write(tmp_path / "labelled" / "cage_2", [1] * 25 + [0] * 3 + [1] * 72, video="cage_2.avi")
    return tmp_path / "labelled"


def test_a_folder_of_predictions(labelled, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["analyse", str(labelled), "--output", str(out)]) == 0
    budget = table(out, "time_budget")
    assert [float(row["seconds"]) for row in of(budget, "cage_1")] == [10, 5, 5]
    assert [float(row["share"]) for row in of(budget, "(all)")] == pytest.approx(
        [10.3 / 30, 14.7 / 30, 5 / 30], abs=1e-6
    )
    summary = {(row["recording"], row["class"]): row for row in table(out, "bout_summary")}
    walk = summary["cage_2", "walk"]
    assert (walk["bouts"], walk["cut_bouts"], float(walk["bouts_per_hour"])) == ("2", "2", 720)
    assert (float(walk["mean_seconds"]), float(walk["sd_seconds"])) == pytest.approx((4.85, np.std([2.5, 7.2], ddof=1)))
    assert (float(walk["shortest_seconds"]), float(walk["longest_seconds"])) == pytest.approx((2.5, 7.2))
    assert summary["cage_2", "eat, by hand"]["mean_seconds"] == summary["(all)", "walk"]["latency_seconds"] == ""
    assert float(summary["cage_1", "eat, by hand"]["latency_seconds"]) == 15
    counts = {
        (row["from"], row["to"]): (row["count"], row["probability"]) for row in of(table(out, "transitions"), "(all)")
    }
    assert counts["rest", "walk"] == ("2", "1.000000")
    assert counts["walk", "rest"] == ("1", "0.500000")
    assert counts["eat, by hand", "rest"] == ("0", "")
    assert ("rest", "rest") not in counts
    about = json.loads((out / "analysis.json").read_text())
    assert about["recordings"]["cage_1"]["model"] == "abc"
    assert about["recordings"]["cage_2"]["seconds"] == 10
    assert about["command"] == f"ethocaffe analyse {labelled} --output {out}"
    assert all((out / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in PICTURES)
    printed = capsys.readouterr().out
    assert "2 recordings: 30 s, 100.0 % of it annotated" in printed
    assert "49.0 %" in printed


def test_recordings_on_end_become_one_day(labelled, tmp_path):
    out = tmp_path / "out"
    start = "cage_1=2024-05-01T23:59:45,cage_2.avi=2024-05-02T00:00:05"
    assert cli.main(["analyse", str(labelled), "--output", str(out), "--bin", "1", "--start", start, "--quiet"]) == 0
    rows = [row for row in of(table(out, "circadian"), "(all)") if row["class"] == "rest"]
    assert len(rows) == 24 * 60
    assert (rows[0]["clock"], float(rows[0]["annotated_seconds"]), rows[0]["recordings"]) == ("00:00:00", 15, "2")
    assert float(rows[0]["seconds"]) == pytest.approx(0.3)
    assert (rows[-1]["clock"], float(rows[-1]["share"])) == ("23:59:00", pytest.approx(10 / 15, abs=1e-6))
    empty = rows[720]
    assert (empty["annotated_seconds"], empty["seconds"], empty["share"]) == ("0.000000", "", "")
    assert json.loads((out / "analysis.json").read_text())["recordings"]["cage_1"]["start"] == "2024-05-01T23:59:45"


def test_the_tables_agree_with_each_other_and_with_bouts_csv(tmp_path):
    """Random labels at a frame rate that no step divides."""
    generator = np.random.default_rng(4)
    labels = np.repeat(generator.integers(3, size=80), generator.integers(1, 20, 80))
    folder = write(tmp_path / "cage", labels, fps=29.97, min_bout=4)
    out = tmp_path / "out"
    assert cli.main(["analyse", str(folder), "--output", str(out), "--quiet"]) == 0
    read = predictions.read(folder / "predictions.csv")
    theirs = bouts.table(bouts.absorb_short(labels, 4), read.times, 1 / 29.97, CLASSES, read.probabilities)
    for name in ("cage", "(all)"):
        in_bins = defaultdict(float)
        for row in of(table(out, "circadian"), name):
            in_bins[row["class"]] += float(row["seconds"])
        for budget, summary in zip(of(table(out, "time_budget"), name), of(table(out, "bout_summary"), name)):
            own = [float(row["duration"]) for row in theirs if row["label"] == budget["class"]]
            assert int(summary["bouts"]) == len(own)
            assert float(summary["median_seconds"]) == pytest.approx(np.median(own), abs=2e-6)
            assert float(budget["seconds"]) == pytest.approx(sum(own), abs=1e-4)
            assert in_bins[budget["class"]] == pytest.approx(sum(own), abs=1e-4)
        assert sum(int(row["count"]) for row in of(table(out, "transitions"), name)) == len(theirs) - 1


def test_frames_that_evaluate_left_out_are_not_annotated(tmp_path):
    folder = write(tmp_path / "cage", [0] * 20 + [1] * 30, frames=[*range(20), *range(60, 90)])
    out = tmp_path / "out"
    assert cli.main(["analyse", str(folder), "--output", str(out), "--quiet"]) == 0
    (rest, walk, _) = of(table(out, "time_budget"), "cage")
    assert (float(rest["seconds"]), float(walk["seconds"])) == (2, 3)
    assert float(rest["not_annotated_seconds"]) == 4
    assert not any(int(row["count"]) for row in table(out, "transitions"))


def test_annotated_labels_of_a_dataset(tmp_path, shared):
    """A real video, half of it annotated, at the times that it has in its file."""
    folder = tmp_path / "data"
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / "groom.mpg").symlink_to(shared / "video" / "home_cage_groom.mpg")
    (folder / "classes.txt").write_text("rest\ngroom\n")
    assert cli.main(["prepare", str(folder), "--streams", "shape", "--size", "32", "--quiet"]) == 0
    with open(folder / "prepared" / "groom" / "frames.csv", newline="") as file:
        times = [float(row["time"]) for row in csv.DictReader(file)]
    half = len(times) // 2
    write_labels(folder / "labels" / "groom.csv", ("rest", "groom"), [1] * half + [-1] * (len(times) - half))
    out = tmp_path / "out"
    assert cli.main(["analyse", str(folder), "--output", str(out), "--quiet"]) == 0
    (rest, groom) = of(table(out, "time_budget"), "groom")
    assert (rest["frames"], groom["frames"]) == ("0", str(half))
    assert float(groom["seconds"]) == pytest.approx(times[half] - times[0])
    assert float(groom["not_annotated_seconds"]) == pytest.approx(times[-1] - times[half], abs=0.1)
    assert json.loads((out / "analysis.json").read_text())["simulated"] is False


def test_recordings_of_one_name_keep_apart(tmp_path):
    for day in ("monday", "tuesday"):
        write(tmp_path / day / "cage", [0, 1, 1])
    out = tmp_path / "out"
    inputs = [str(tmp_path / "monday"), str(tmp_path / "tuesday" / "cage" / "predictions.csv")]
    assert cli.main(["analyse", *inputs, "--output", str(out), "--quiet"]) == 0
    assert {row["recording"] for row in table(out, "time_budget")} == {"monday/cage", "tuesday/cage", "(all)"}


@pytest.mark.parametrize("classes", [["freeze"], [f"class {at}" for at in range(20)]])
def test_a_single_frame_has_the_length_that_predict_knows(tmp_path, classes):
    folder = write(tmp_path / "cage", [0], fps=25.0, classes=classes, video="cage.mp4")
    out = tmp_path / "out"
    assert cli.main(["analyse", str(folder), "--output", str(out), "--quiet"]) == 0
    assert next(row["seconds"] for row in table(out, "time_budget")) == "0.040000"
    assert all((out / f"{name}.png").is_file() for name in PICTURES)


def test_an_unfinished_prediction_is_left_out_aloud(labelled, tmp_path, capsys):
    (labelled / "cage_3").mkdir()
    (labelled / "cage_3" / "predictions.csv.part").touch()
    assert cli.main(["analyse", str(labelled), "--output", str(tmp_path / "out"), "--quiet"]) == 0
    assert "left out: cage_3" in capsys.readouterr().err
    assert fault(capsys, labelled / "cage_3", tmp_path).endswith("give the same `ethocaffe predict` command again")


def fault(capsys, *inputs) -> str:
    """The one line that a wrong input gives; the last of `inputs` is where nothing may be written."""
    out = inputs[-1] / "nothing"
    assert cli.main(["analyse", *map(str, inputs[:-1]), "--output", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not out.exists()
    return error.strip()


def test_inputs_that_are_wrong(labelled, tmp_path, capsys):
    other = write(tmp_path / "other", [0, 1], classes=["walk", "rest"])
    assert f"{other / 'predictions.csv'}: its classes" in fault(capsys, labelled, other, tmp_path)
    assert "named twice" in fault(capsys, labelled, labelled / "cage_1", tmp_path)
    assert "no such file or folder" in fault(capsys, tmp_path / "absent", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no predictions.csv in it" in fault(capsys, tmp_path / "empty", tmp_path)
    assert "one frame, and no run.json" in fault(capsys, write(tmp_path / "single", [0]), tmp_path)
    assert "no frame in it" in fault(capsys, write(tmp_path / "none", np.zeros(0, int)), tmp_path)
    back = write(tmp_path / "back", [0, 1, 1], frames=[0, 2, 1]) / "predictions.csv"
    assert f"{back}, line 4: frames or times that do not rise" in fault(capsys, back, tmp_path)
    labels = tmp_path / "labels.csv"
    write_labels(labels, CLASSES, [0, 1])
    assert "line 1: not the header of predictions" in fault(capsys, labels, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bin", "0"], "'0' is not a number of minutes"),
        (["--bin", "1e-5"], "choose a longer one"),
        (["--start", "19:00"], "which of 2 recordings"),
        (["--start", "cage_1=19:00"], "when cage_2 began is missing"),
        (["--min-bout", "0"], "'0' is not a whole number above 0"),
    ],
)
def test_options_that_are_wrong(labelled, tmp_path, capsys, options, message):
    assert cli.main(["analyse", str(labelled), "--output", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
