"""Features of videos: what the classes' scores are computed from, a row per frame, in the order of the frames."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tiny

from caffe.proto import caffe_pb2
from data_prep.prepare import prepare
from tools import cli, network, predictions
from tools.classifier import Classifier
from tools.features import features
from tools.predict import predict
from tools.train import train

REPOSITORY = Path(__file__).parents[2]
FRAMES = 90


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a prepared dataset `data`, and a model each of a CNN, an LSTM whose deploy net takes one sequence
    at a time, and one whose deploy net takes three."""
    folder = tmp_path_factory.mktemp("features")
    tiny.write_dataset(folder / "data", frames=FRAMES)
    prepare(folder / "data", size=64, workers=1, quiet=True)
    three = folder / "three_net"
    shutil.copytree(network.find_network("mini/shape/lstm_after"), three)
    deploy = (three / "deploy.prototxt").read_text()
    for before, after in (
        ("dim: 64 dim: 3", "dim: 12 dim: 3"),
        ("dim: 64 dim: 1", "dim: 4 dim: 3"),
        ("dim: -1 dim: 1", "dim: 4 dim: -1"),
    ):
        assert before in deploy
        deploy = deploy.replace(before, after)
    (three / "deploy.prototxt").write_text(deploy)
    for name, net in (("cnn", "mini/shape/cnn"), ("lstm", "mini/shape/lstm_after"), ("three", str(three))):
        train(net, folder / "data", "v2", folder / name, iterations=3, validate_every=3, workers=0, quiet=True)
    return folder


def video(place, stem="v0"):
    return place / "data" / "videos" / f"{stem}.mp4"


def extract(place, output, model="cnn", stem="v0", **options):
    """The features, their times and features.json."""
    assert features(place / model, [video(place, stem)], place / output, quiet=True, kind="npy", **options) == []
    folder = place / output / stem
    about = json.loads((folder / "features.json").read_text())
    return np.load(folder / "features.npy"), np.load(folder / "times.npy"), about


@pytest.mark.parametrize(("model", "blob"), [("cnn", "fc8_mouse"), ("lstm", "frames"), ("three", "frames")])
def test_the_last_layer_makes_the_predictions_of_the_features(place, model, blob):
    values, times, about = extract(place, f"{model}_out", model)
    predict(place / model, [video(place)], place / f"{model}_predicted", quiet=True)
    expected = predictions.read(place / f"{model}_predicted" / "v0" / "predictions.csv")
    assert about["blob"] == blob
    assert values.dtype == np.float32 and values.shape[0] == FRAMES
    np.testing.assert_allclose(times, expected.times, atol=1e-6)
    weights = caffe_pb2.NetParameter()
    weights.ParseFromString((place / model / "weights.caffemodel").read_bytes())
    fc9 = next(layer for layer in weights.layer if layer.name == "fc9")
    matrix, bias = (np.array(one.data) for one in fc9.blobs)
    scores = values @ matrix.reshape(len(bias), -1).T + bias
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert expected.probabilities.std(axis=0).min() > 1e-4  # so that rows in another order would be noticed
    np.testing.assert_allclose(shares, expected.probabilities, atol=3e-6)


def test_rows_are_in_the_order_of_the_frames_in_nets_of_several_sequences(place):
    frames, _, _ = extract(place, "frames_cnn", "cnn", blob="data")
    several, _, _ = extract(place, "frames_three", "three", blob="data")
    assert frames.shape == (FRAMES, 3, 51, 51)
    np.testing.assert_array_equal(several, frames)


def test_a_recurrent_layers_own_blob_has_its_rows_in_order_too(place):
    for model in ("lstm", "three"):
        own, _, _ = extract(place, f"{model}_own", model, blob="lstm")
        read, _, _ = extract(place, f"{model}_read", model, blob="frames")
        np.testing.assert_array_equal(own, read)


def test_hdf5_and_numpy_hold_the_same(place):
    values, times, about = extract(place, "same")
    features(place / "cnn", [video(place)], place / "same", quiet=True)
    with h5py.File(place / "same" / "v0" / "features.h5") as file:
        np.testing.assert_array_equal(file["features"][:], values)
        np.testing.assert_array_equal(file["times"][:], times)
        assert file["features"].dtype == np.float32 and file["features"].chunks
        assert list(file.attrs["classes"]) == list(tiny.CLASSES) == about["classes"]
        assert file.attrs["model"] == about["model"]
        assert file.attrs["video"] == "v0.mp4" and file.attrs["blob"] == "fc8_mouse"
        assert file.attrs["frame_rate"] == pytest.approx(30)
        assert "ethocaffe features" in file.attrs["command"]
    names = sorted(path.name for path in (place / "same" / "v0").iterdir())
    assert names == ["features.h5", "features.json"]


def test_an_interrupted_extraction_goes_on_and_gives_the_same(place, monkeypatch):
    whole, times, _ = extract(place, "whole", batch_size=16)
    real = Classifier.rows
    calls = []

    def stop_at_the_fourth(self, batch, blob, stages):
        calls.append(batch.first)
        if batch.first == 48:
            raise KeyboardInterrupt
        return real(self, batch, blob, stages)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "rows", stop_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            extract(place, "parts", batch_size=16)
    folder = place / "parts" / "v0"
    assert not (folder / "features.npy").exists()
    with open(folder / "features.npy.part", "ab") as file:
        file.write(b"a row cut short by a crash")
    calls.clear()

    def remember(self, batch, blob, stages):
        calls.append(batch.first)
        return real(self, batch, blob, stages)

    monkeypatch.setattr(Classifier, "rows", remember)
    parts, parts_times, _ = extract(place, "parts", batch_size=16)
    assert sorted(calls) == [48, 64, 80]
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(parts_times, times)
    assert not list(folder.glob("*.part"))
    calls.clear()
    extract(place, "parts", batch_size=16)
    assert calls == []
    extract(place, "parts", batch_size=16, blob="fc7_mouse")  # of something else, so not gone on with
    assert sorted(calls) == [0, 16, 32, 48, 64, 80]


def test_a_wrong_blob_is_one_line_that_lists_the_blobs(place, capsys):
    for blob, expected in (
        ("fc8mouse", "there is no blob 'fc8mouse'; did you mean 'fc8_mouse'? Name one of data, conv1"),
        ("loss", "there is no blob 'loss'; name one of data, conv1"),
    ):
        status = cli.main(
            ["features", str(place / "cnn"), str(video(place)), "--output", str(place / "bad"), "--blob", blob]
        )
        errors = capsys.readouterr().err.splitlines()
        assert (status, len(errors)) == (2, 1)
        assert expected in errors[0]
    assert not (place / "bad").exists()


def test_several_videos_go_to_a_folder_each_and_a_bad_one_stops_no_other(place, capsys):
    bad = place / "notes.mp4"
    bad.write_text("this is not a video\n")
    given = [str(place / "cnn"), str(video(place)), str(bad), str(video(place, "v1"))]
    assert cli.main(["features", *given, "--output", str(place / "several"), "--quiet"]) == 1
    assert "1 of 3 videos failed" in capsys.readouterr().err
    assert sorted(path.name for path in (place / "several").iterdir()) == ["v0", "v1"]


def test_real_caffe_makes_the_same_features(place, real_caffe):
    box = place / "box"
    for room in ("current_system", "data_prep", "python_layers", "prototxt", "tools"):
        shutil.copytree(REPOSITORY / room, box / room, ignore=shutil.ignore_patterns("__pycache__"))
    for model in ("cnn", "three"):
        shutil.copytree(place / model, box / model)
        shutil.copy(video(place), box)
        real_caffe(
            box, "python3", "-m", "tools.cli", "features", model, "v0.mp4", "--output", f"{model}_out", "--quiet"
        )
        ours, times, _ = extract(place, f"{model}_engine", model)
        with h5py.File(box / f"{model}_out" / "v0" / "features.h5") as file:
            scale = np.abs(ours).max()
            np.testing.assert_allclose(file["features"][:], ours, rtol=0, atol=1e-5 * scale)
            np.testing.assert_allclose(file["times"][:], times, rtol=0, atol=1e-9)
