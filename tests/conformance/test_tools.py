"""The tools run unchanged inside real Caffe 1.0, and a model trained there labels alike here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))

import tiny  # noqa: E402

from data_prep.prepare import prepare  # noqa: E402
from tools import predictions  # noqa: E402
from tools.predict import predict  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory, real_caffe):
    """A folder with the project's rooms, a dataset, and what real Caffe made of it."""
    folder = tmp_path_factory.mktemp("real_caffe")
    for room in ("current_system", "data_prep", "python_layers", "prototxt", "tools"):
        shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    for command in (
        "train net data --hold-out v2 --iterations 20 --workers 1 --output model",
        "evaluate model data --output evaluation",
        "predict model data/videos/v2.mp4 --output prediction",
    ):
        real_caffe(folder, "python3", "-m", "tools.cli", *command.split())
    return folder


def test_evaluation_and_prediction_agree_in_real_caffe(place):
    evaluated = predictions.read(place / "evaluation" / "v2" / "predictions.csv")
    predicted = predictions.read(place / "prediction" / "v2" / "predictions.csv")
    np.testing.assert_allclose(evaluated.probabilities, predicted.probabilities, atol=2e-6)


def test_a_model_trained_by_real_caffe_labels_alike_here(place):
    predict(place / "model", [place / "data" / "videos" / "v2.mp4"], place / "here", quiet=True)
    here = predictions.read(place / "here" / "v2" / "predictions.csv")
    there = predictions.read(place / "prediction" / "v2" / "predictions.csv")
    np.testing.assert_array_equal(here.frames, there.frames)
    np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-5)
