"""The whole way on a real video of a mouse in its home cage, with the commands that anybody would give.

The captions of home_cage.mp4 are another program's labels, burned into the picture below row 208: that part is cut
away, or the network would read the answer. The video is too short to hold a part out, so what is asserted is that the
network learns it by heart: balanced accuracy over 0.9 on the frames that it was trained on.

What it takes: every class drawn as often as any other (70 of the 1,188 frames are rest, 476 head), the lower learning
rate, and 1,200 iterations of 64 frames, some 50 s on one core. The best of the twelve validations, which here read the
same frames, was 0.942 with the solver's own seed and 0.946, 0.912 and 0.960 with seeds 1, 2 and 3; with 800
iterations 0.934, 0.904, 0.912 and 0.921.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_prep.dataset import open_dataset, read_labels, write_labels
from tools import cli

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = ("head", "walk", "groom", "rear", "rest")
FRAMES = 1188
REGION = "0,0,208,320"


@pytest.fixture(scope="module")
def place(shared, tmp_path_factory):
    """A folder with the dataset, prepared, a model trained on it, its evaluation and its prediction."""
    folder = tmp_path_factory.mktemp("home cage")
    data = folder / "data"
    (data / "videos").mkdir(parents=True)
    (data / "labels").mkdir()
    shutil.copy(shared / "video" / "home_cage.mp4", data / "videos")
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    with open(shared / "video" / "home_cage_captions.csv", newline="") as file:
        labels = np.array([CLASSES.index(row["caption"]) for row in csv.DictReader(file)])
    write_labels(data / "labels" / "home_cage.csv", CLASSES, labels)
    train = ["train", "mini/shape_motion/cnn", data, "--hold-out", "none", "--sampling", "balanced",
             "--solver", REPOSITORY / "prototxt" / "mini" / "solver_low_rate.prototxt",
             "--iterations", 1200, "--validate-every", 100, "--output", folder / "model"]
    video = data / "videos" / "home_cage.mp4"
    for command in (
        ["prepare", data, "--size", 64, "--crop", REGION],
        train,
        ["evaluate", folder / "model", data, "--output", folder / "evaluation"],
        ["predict", folder / "model", video, "--output", folder / "prediction"],
    ):
        assert cli.main([*(str(part) for part in command), "--quiet"]) == 0
    return folder


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_network_learns_the_video_by_heart(place):
    metrics = json.loads((place / "evaluation" / "metrics.json").read_text())
    assert metrics["classes_present"] == len(CLASSES)
    assert metrics["frames"] == FRAMES
    assert metrics["balanced_accuracy"] > 0.9


def test_every_frame_is_labelled_with_its_time_and_probabilities(place):
    rows = rows_of(place / "prediction" / "home_cage" / "predictions.csv")
    assert list(rows[0]) == ["frame", "time", "label", *CLASSES]
    assert [int(row["frame"]) for row in rows] == list(range(FRAMES))
    times = np.array([float(row["time"]) for row in rows])
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=2e-3)
    probabilities = np.array([[float(row[name]) for name in CLASSES] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    assert [row["label"] for row in rows] == [CLASSES[i] for i in probabilities.argmax(axis=1)]


def test_the_prediction_scores_as_the_evaluation_says(place):
    dataset = open_dataset(place / "data")
    truth = read_labels(dataset.labels("home_cage"), CLASSES)
    rows = rows_of(place / "prediction" / "home_cage" / "predictions.csv")
    predicted = np.array([CLASSES.index(row["label"]) for row in rows])
    recalls = [(predicted[truth == i] == i).mean() for i in range(len(CLASSES))]
    metrics = json.loads((place / "evaluation" / "metrics.json").read_text())
    assert np.mean(recalls) == pytest.approx(metrics["balanced_accuracy"])


def test_bouts_tile_the_video(place):
    rows = rows_of(place / "prediction" / "home_cage" / "bouts.csv")
    edges = [(int(row["start_frame"]), int(row["stop_frame"])) for row in rows]
    assert edges[0][0] == 0 and edges[-1][1] == FRAMES
    assert all(stop == start for (_, stop), (start, _) in zip(edges, edges[1:]))
    assert all(before["label"] != after["label"] for before, after in zip(rows, rows[1:]))


def test_the_pictures_are_there(place):
    for file in ("prediction/home_cage/ethogram.png", "evaluation/confusion_matrix.png"):
        assert (place / file).read_bytes().startswith(b"\x89PNG")


def test_the_model_keeps_the_region_for_prediction(place):
    info = json.loads((place / "model" / "model.json").read_text())
    assert info["preprocessing"]["region"] == [int(part) for part in REGION.split(",")]
    assert info["classes"] == list(CLASSES)


def test_the_current_system_runs_whole(place):
    """Features, SVM-HMM and labels of every frame, by heart like the network."""
    data, video = place / "data", place / "data" / "videos" / "home_cage.mp4"
    for command in (
        ["train", "current_system", data, "--hold-out", "none", "--output", place / "current"],
        ["evaluate", place / "current", data, "--output", place / "current_evaluation"],
        ["predict", place / "current", video, "--output", place / "current_prediction"],
    ):
        assert cli.main([*(str(part) for part in command), "--quiet"]) == 0
    metrics = json.loads((place / "current_evaluation" / "metrics.json").read_text())
    assert metrics["frames"] == FRAMES and metrics["balanced_accuracy"] > 0.8
    rows = rows_of(place / "current_prediction" / "home_cage" / "predictions.csv")
    evaluated = rows_of(place / "current_evaluation" / "home_cage" / "predictions.csv")
    assert [row["label"] for row in rows] == [row["label"] for row in evaluated]
    bouts = rows_of(place / "current_prediction" / "home_cage" / "bouts.csv")
    assert int(bouts[0]["start_frame"]) == 0 and int(bouts[-1]["stop_frame"]) == FRAMES
    info = json.loads((place / "current" / "model.json").read_text())
    assert info["preprocessing"]["region"] == [int(part) for part in REGION.split(",")]
