"""Every network of prototxt/mini: trained, evaluated, and used for prediction, on tiny videos of moving squares."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest
import tiny

from data_prep import dataset as datasets
from data_prep import lmdb_store
from data_prep.errors import InputError
from data_prep.prepare import prepare
from prototxt.networks import NETWORKS, PROFILES
from tools import current, feed, training_run
from tools.evaluate import evaluate
from tools.network import NETWORKS as NETWORKS_FOLDER
from tools.predict import predict
from tools.train import train

MINI = PROFILES[1]
SOLVER = NETWORKS_FOLDER / "mini" / "solver_low_rate.prototxt"
FRAMES = 90  # more than a batch of validation


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two videos with all streams."""
    folder = tiny.write_dataset(tmp_path_factory.mktemp("networks") / "data", videos=2, frames=FRAMES)
    prepare(folder, ("shape", "motion", "position"), MINI.size, workers=1, quiet=True)
    return folder


@pytest.fixture(scope="module")
def system(data):
    """A current system trained on one of the videos."""
    return current.train(data, "v1", data.parent / "system", None, quiet=True).path


def wide_awake(name, folder):
    """A copy of a network with larger weights, so that each frame has scores of its own from the start."""
    folder.mkdir()
    for file in ("train_val.prototxt", "deploy.prototxt"):
        text = (NETWORKS_FOLDER / "mini" / name / file).read_text()
        (folder / file).write_text(re.sub(r'type: "gaussian" std: [\d.]+', 'type: "xavier"', text))
    return folder


def train_mini(name, data, output, **options):
    settings = {"iterations": 2, "batch_size": 4, "workers": 0, "seed": 3, "quiet": True, **options}
    return train(f"mini/{name}", data, "v1", output, **settings)


def probabilities(path):
    with open(path, newline="") as file:
        return np.array([[float(row[name]) for name in tiny.CLASSES] for row in csv.DictReader(file)])


@pytest.mark.parametrize("kind", NETWORKS, ids=[network.name for network in NETWORKS])
def test_it_is_trained_evaluated_and_predicts_what_was_evaluated(data, system, tmp_path, kind):
    network = wide_awake(kind.name, tmp_path / "net")
    model = train(
        str(network), data, "v1", tmp_path / "model", features=system if "features" in kind.streams else None,
        solver=SOLVER, iterations=2, batch_size=4, workers=0, seed=3, quiet=True,
    )  # fmt: skip
    assert model.streams == list(kind.streams)
    scores = evaluate(model.path, data, tmp_path / "scores", workers=0, quiet=True)
    assert scores["frames"] == FRAMES
    predict(model.path, [data / "videos" / "v1.mp4"], tmp_path / "out", quiet=True)
    evaluated, predicted = (probabilities(tmp_path / part / "v1" / "predictions.csv") for part in ("scores", "out"))
    assert evaluated.shape == predicted.shape == (FRAMES, 3)
    assert evaluated.std(axis=0).max() > 0.002
    np.testing.assert_allclose(predicted, evaluated, atol=2e-5)


CARRYING = ("shape_motion_position/lstm_before", "shape_motion/rnn_after", "shape_motion/gru_after")


@pytest.mark.parametrize("name", CARRYING)
def test_the_state_is_carried_from_batch_to_batch(data, tmp_path, name):
    """A whole video in one batch gives what it gives in several."""
    found = []
    for frames in (FRAMES, MINI.test, 7):
        network = wide_awake(name, tmp_path / f"net_{frames}")
        deploy, whole = network / "deploy.prototxt", network / "train_val.prototxt"
        deploy.write_text(deploy.read_text().replace(f"dim: {MINI.test}", f"dim: {frames}"))
        whole.write_text(whole.read_text().replace(f'"sequence_length": {MINI.test}', f'"sequence_length": {frames}'))
        model = train(
            str(network), data, "v1", tmp_path / f"model_{frames}",
            solver=SOLVER, iterations=1, batch_size=4, workers=0, seed=3, quiet=True,
        )  # fmt: skip
        evaluate(model.path, data, tmp_path / f"scores_{frames}", workers=0, quiet=True)
        predict(model.path, [data / "videos" / "v1.mp4"], tmp_path / f"out_{frames}", quiet=True)
        parts = (f"scores_{frames}", f"out_{frames}")
        found += [probabilities(tmp_path / part / "v1" / "predictions.csv") for part in parts]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=2e-5)


def test_an_interrupted_training_of_a_recurrent_network_ends_with_the_same_weights(data, tmp_path, monkeypatch):
    class Interrupted(training_run.Progress):
        def update(self, pieces=1):
            super().update(pieces)
            if self.done == 5:
                raise KeyboardInterrupt

    settings = {"iterations": 6, "validate_every": 3, "solver": SOLVER}
    whole = train_mini("motion_position/lstm_before", data, tmp_path / "whole", **settings)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training_run, "Progress", Interrupted)
        train_mini("motion_position/lstm_before", data, tmp_path / "stopped", **settings)
    assert train_mini("motion_position/lstm_before", data, tmp_path / "stopped", **settings).hash == whole.hash
    assert '\\"sampling\\": \\"running\\"' in (whole.path / "train_val.prototxt").read_text()
    windows = train_mini("motion_position/lstm_before", data, tmp_path / "windows", sampling="uniform", **settings)
    assert windows.hash != whole.hash


@pytest.mark.parametrize("steps, sequences", [(10, 6), (30, 2)])
def test_sequences_of_any_length(data, tmp_path, steps, sequences):
    model = train_mini("shape_motion/lstm_after", data, tmp_path / "model", batch_size=None, sequence_length=steps)
    text = (model.path / "train_val.prototxt").read_text()
    assert f'\\"sequence_length\\": {steps}, \\"batch_size\\": {sequences}' in text
    assert model.preprocessing["sequence_length"] == steps
    assert evaluate(model.path, data, tmp_path / "scores", workers=0, quiet=True)["frames"] == FRAMES


def test_prediction_goes_on_in_the_middle_with_the_frames_and_positions_of_the_whole(data):
    way = {"region": None, "stored_size": MINI.size}
    video, streams = data / "videos" / "v0.mp4", ["position", "shape", "motion"]
    (whole,) = feed.batches(video, way, streams, FRAMES)
    first, last = feed.batches(video, way, streams, 40, start=37)
    assert (first.first, last.first) == (37, 77)
    np.testing.assert_array_equal(np.concatenate([first.times, last.times]), whole.times[37:])
    for stream in streams:
        parts = np.concatenate([first.streams[stream], last.streams[stream]])
        np.testing.assert_array_equal(parts, whole.streams[stream][37:])
    prepared = datasets.prepared(datasets.open_dataset(data), "v0", streams)
    stored = [lmdb_store.open_reader(prepared.streams["position"]).read(frame).ravel() for frame in range(FRAMES)]
    np.testing.assert_array_equal(whole.streams["position"], stored)


def test_only_recurrent_networks_have_sequences(data, tmp_path):
    with pytest.raises(InputError, match=r"no Reshape of phase TRAIN makes sequences of 1 frames.*lstm_after"):
        train_mini("shape/cnn", data, tmp_path / "model", sequence_length=10)
    assert not (tmp_path / "model").exists()


def test_positions_are_normalised_by_the_training_videos_alone(data, tmp_path):
    model = train_mini("shape_position/cnn", data, tmp_path / "model")
    meta = json.loads((data / "prepared" / "v0" / "meta.json").read_text())
    found, *sums = meta["mean"]["position"]
    mean, square = np.array(sums).reshape(2, 10) / found
    np.testing.assert_allclose(model.preprocessing["mean"]["position"], mean, rtol=1e-5)
    deviation = model.preprocessing["deviation"]["position"]
    np.testing.assert_allclose(deviation, np.sqrt(square - mean**2), rtol=1e-3)
    assert found > 0.9


def test_features_come_from_a_current_system_that_saw_no_held_out_video(data, system, tmp_path):
    """Thesis, appendix 8.1; its templates were chosen on annotated videos."""

    def refused(held_out="v1", network="mini/current_system/lstm", **given):
        with pytest.raises(InputError) as told:
            train(network, data, held_out, tmp_path / "model", **given, quiet=True)
        assert not (tmp_path / "model").exists()
        return str(told.value)

    assert "give its model with --features" in refused()
    assert "--hold-out v0" in refused("v0", features=system)
    assert "leave it out" in refused(network="mini/motion/cnn", features=system)
    assert "motion/cnn" in refused(features=train_mini("motion/cnn", data, tmp_path / "net").path)


def test_features_are_followed_where_a_video_is_exchanged(data, system, tmp_path):
    place = tmp_path / "data"
    shutil.copytree(data, place)
    model = train_mini("current_system/lstm", place, tmp_path / "model", features=system)
    shutil.copy(place / "videos" / "v0.mp4", place / "videos" / "v1.mp4")
    prepare(place, ("shape", "motion", "position"), MINI.size, workers=1, quiet=True)
    evaluate(model.path, place, tmp_path / "scores", videos="v0", workers=0, quiet=True)
    evaluate(model.path, place, tmp_path / "scores", videos="v1", workers=0, quiet=True)
    v0, v1 = (probabilities(tmp_path / "scores" / stem / "predictions.csv") for stem in ("v0", "v1"))
    np.testing.assert_array_equal(v0, v1)
