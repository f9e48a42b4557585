"""Flies instead of mice, three classes of their own instead of nine: nothing but the dataset's files says so.

The video is real. Nobody annotated it, so its labels come from a rule: how much the picture changes from the frame
before, cut into thirds. They show that other classes work, not that flies' behaviour is recognised.
"""

from __future__ import annotations

import csv
import json

import av
import numpy as np
import pytest

import caffe
from data_prep.dataset import read_labels, write_labels
from data_prep.video import read_frames
from tools.cli import main
from tools.network import NETWORKS

CLASSES = ("quiet", "stirring", "busy")
NAMES = ("shape_motion/cnn", "shape_motion_position/lstm_before")
HALF = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory, shared):
    """The fly video's two halves as two videos, with labels by the rule, prepared."""
    folder = tmp_path_factory.mktemp("flies")
    frames = np.array([grey for _, _, grey in read_frames(shared / "video" / "flies.mp4")])
    assert len(frames) == 2 * HALF
    changes = np.array([np.abs(one.astype(np.int16) - before).mean() for before, one in zip(frames, frames[1:])])
    labels = np.digitize(changes, np.quantile(changes, [1 / 3, 2 / 3]))
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for part in ("videos", "labels"):
        (folder / part).mkdir()
    # the first frame has none before it: it is not annotated
    halves = {"dish_1": np.append(-1, labels[: HALF - 1]), "dish_2": labels[HALF - 1 :]}
    for number, (name, own) in enumerate(halves.items()):
        assert set(CLASSES) == {CLASSES[label] for label in own if label >= 0}
        write_lossless(folder / "videos" / f"{name}.mkv", frames[number * HALF : (number + 1) * HALF, ::4, ::4])
        write_labels(folder / "labels" / f"{name}.csv", CLASSES, own)
    run("prepare", folder, "--streams", "shape,motion,position", "--size", 64)
    return folder


def write_lossless(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = "gray"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())


def run(*words):
    assert main([*map(str, words), "--quiet"]) == 0


def table(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


@pytest.mark.parametrize("name", NAMES)
def test_the_dataset_s_classes_go_all_the_way(data, tmp_path, name):
    model, scores, labelled = (tmp_path / part for part in ("model", "scores", "labelled"))
    run(
        "train", f"mini/{name}", data, "--hold-out", "dish_2", "--iterations", 4, "--workers", 0,
        "--solver", NETWORKS / "mini" / "solver_low_rate.prototxt", "--output", model,
    )  # fmt: skip
    assert json.loads((model / "model.json").read_text())["classes"] == list(CLASSES)
    net = caffe.Net(str(model / "deploy.prototxt"), str(model / "weights.caffemodel"), caffe.TEST)
    assert net.params["fc9"][0].data.shape[0] == net.params["fc9"][1].data.shape[0] == 3
    assert net.blobs["prob"].data.shape[-1] == 3

    run("evaluate", model, data, "--output", scores, "--workers", 0)
    found = json.loads((scores / "metrics.json").read_text())
    truth = read_labels(data / "labels" / "dish_2.csv", CLASSES)
    assert found["classes"] == list(CLASSES)
    assert np.array(found["confusion"]).sum(axis=1).tolist() == np.bincount(truth, minlength=3).tolist()

    run("predict", model, data / "videos" / "dish_2.mkv", "--output", labelled)
    header, rows = table(labelled / "dish_2" / "predictions.csv")
    assert header == ["frame", "time", "label", *CLASSES] and len(rows) == HALF
    values = np.array([row[3:] for row in rows], float)
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-4)
    assert [row[2] for row in rows] == [CLASSES[column] for column in values.argmax(axis=1)]
    header, bouts = table(labelled / "dish_2" / "bouts.csv")
    assert {row[header.index("label")] for row in bouts} == {row[2] for row in rows}
    assert (labelled / "dish_2" / "ethogram.png").stat().st_size > 1000
