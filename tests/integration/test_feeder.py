"""A feeder at a place of its own: from `prepare --feeder` into the model, and from there into prediction."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny

from data_prep import dataset as datasets
from data_prep import lmdb_store
from data_prep.errors import InputError
from tools import feed
from tools.cli import main
from tools.evaluate import evaluate
from tools.train import train

FEEDER = (0.125, 0.75)
WAY = ["--streams", "shape,position", "--size", "64", "--quiet"]


def prepare(folder, *more):
    assert main(["prepare", str(folder), *WAY, *more]) == 0


@pytest.fixture
def data(tmp_path):
    folder = tiny.write_dataset(tmp_path / "data", videos=2, frames=60)
    prepare(folder, "--feeder", ",".join(map(str, FEEDER)))
    return folder


def train_one(data, output):
    return train("mini/shape_position/cnn", data, "v1", output, iterations=1, batch_size=4, workers=0, quiet=True)


def test_prediction_takes_the_feeder_from_the_model(data, tmp_path):
    model = train_one(data, tmp_path / "model")
    assert model.preprocessing["feeder"] == list(FEEDER)
    (batch,) = feed.batches(data / "videos" / "v1.mp4", model.preprocessing, ["position"], 60)
    reader = lmdb_store.open_reader(datasets.prepared(datasets.open_dataset(data), "v1").streams["position"])
    stored = np.array([reader.read(frame).ravel() for frame in range(60)])
    np.testing.assert_array_equal(batch.streams["position"], stored)
    found = stored[:, -1] > 0
    distances = np.hypot(stored[:, 0] - FEEDER[0], stored[:, 1] - FEEDER[1])
    assert found.mean() > 0.8
    np.testing.assert_allclose(stored[found, 5], distances[found], atol=1e-6)

    usual = shutil.copytree(data, tmp_path / "usual")
    prepare(usual)
    with pytest.raises(
        InputError, match=r"feeder at 0\.5,0, the model's videos for one at 0\.125,0\.75; run .*--feeder 0"
    ):
        evaluate(model.path, usual, tmp_path / "scores", workers=0, quiet=True)
    assert "feeder" not in train_one(usual, tmp_path / "usual_model").preprocessing


def test_training_videos_must_have_one_feeder(data, tmp_path):
    prepare(data, "--videos", "v1")
    with pytest.raises(InputError, match=r"another --feeder \(0\.5,0\) than v0 \(0\.125,0\.75\)"):
        train_one(data, tmp_path / "model")
