"""The current system behind the networks' commands, on tiny videos of moving squares."""

from __future__ import annotations

import json
import shutil

import av
import numpy as np
import pytest
import tiny

from current_system import maps, system, video_maps
from data_prep.dataset import open_dataset, write_labels
from data_prep.prepare import prepare
from tools import cli, model, predictions
from tools.current_video import Extractor


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("current")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    assert train(folder, "model") == 0
    return folder


def train(place, output, *more):
    arguments = ["train", "current_system", place / "data", "--hold-out", "v2", "--output", place / output, *more]
    return cli.main([str(part) for part in arguments])


def test_it_learns_and_is_evaluated_as_it_was_validated(place):
    info = json.loads((place / "model" / "model.json").read_text())
    assert info["validation"]["balanced_accuracy"] > 0.6
    assert all(state["gap"] >= -1e-9 for state in info["course"])
    made = system.load(place / "model" / system.FILE)
    assert made.templates.number == 300 and len(made.mean) == 310
    assert cli.main(["evaluate", str(place / "model"), str(place / "data"), "--output", str(place / "report")]) == 0
    metrics = json.loads((place / "report" / "metrics.json").read_text())
    assert metrics["confusion"] == info["validation"]["confusion"] and metrics["network"] == "current_system"
    assert (place / "report" / "v2" / "predictions.csv").is_file()


def test_the_same_seed_gives_the_same_system_and_another_one_another(place):
    assert train(place, "again") == 0 and train(place, "other", "--seed", "5") == 0
    hashes = [model.load(place / name).info["files"] for name in ("model", "again", "other")]
    one, again, other = (system.load(place / name / system.FILE) for name in ("model", "again", "other"))
    assert (one.weights.emission == again.weights.emission).all() and hashes[0] != hashes[2]
    assert one.mean.shape == other.mean.shape and (one.mean != other.mean).any()


def test_order_strength_and_weighting_are_the_users(place):
    more = ("--order", "1", "--strength", "0.01", "--passes", "20", "--weighting", "frames", "--quiet")
    assert train(place, "first order", *more) == 0
    made = system.load(place / "first order" / system.FILE)
    assert made.order == 1 and not made.weights.second.any() and made.weights.first.any()
    told = model.load(place / "first order").info
    assert told["settings"]["strength"] == 0.01 and told["settings"]["weighted"] is False
    assert told["course"][-1]["passes"] <= 20 and "--weighting frames" in told["command"]


def test_every_frame_was_seen(place):
    with np.load(place / "data" / "current_system" / "v0.npz", allow_pickle=False) as held:
        assert held["maps"].shape == (90, 4, maps.CELLS, maps.CELLS) and held["rows"].shape == (90, 11)


def test_it_is_cross_validated_like_a_network(place):
    arguments = ["cross-validate", "current_system", place / "data", "--output", place / "cv", "--jobs", "2", "--quiet"]
    assert cli.main([str(part) for part in arguments]) == 0
    result = json.loads((place / "cv" / "metrics.json").read_text())
    assert result["pooled"]["frames"] == 270 and result["balanced_accuracy"] == result["honest_balanced_accuracy"]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["train", "current_system", "DATA", "--hold-out", "v2", "--output", "new", "--weights", "x"], "--weights"),
        (["boost", "MODEL", "DATA", "--output", "new"], "takes a network's model"),
        (["features", "MODEL", "VIDEO", "--output", "new", "--blob", "fc8"], "name features or scores"),
        (["train", "current_system", "DATA", "--hold-out", "v1", "--output", "MODEL"], "other settings"),
        (["train", "current_system", "DATA", "--hold-out", "v2", "--output", "MODEL", "--order", "1"], "2, now 1"),
        (["train", "current_system", "DATA", "--hold-out", "v2", "--output", "new", "--strength", "-1"], "above 0"),
        (["train", "mini/shape/cnn", "DATA", "--hold-out", "v2", "--output", "new", "--order", "1"], "--order: a net"),
    ],
)
def test_what_it_cannot_do_is_said_in_a_line(place, capsys, arguments, told):
    names = {"DATA": place / "data", "MODEL": place / "model", "VIDEO": place / "data" / "videos" / "v2.mp4"}
    arguments = [str(names.get(part, place / part if part == "new" else part)) for part in arguments]
    assert cli.main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and told in lines[0]


def test_a_damaged_system_is_refused(place, capsys):
    shutil.copytree(place / "model", place / "damaged")
    (place / "damaged" / system.FILE).write_bytes(b"damaged")
    assert cli.main(["evaluate", str(place / "damaged"), str(place / "data"), "--output", str(place / "r")]) == 2
    assert "is not the file that model.json describes" in capsys.readouterr().err


def test_a_training_that_was_killed_before_its_model_was_whole_is_done_again(place):
    (place / "killed").mkdir()
    (place / "killed" / system.FILE).write_bytes(b"what was there then")
    assert train(place, "killed") == 0
    assert model.load(place / "killed").info["files"] == model.load(place / "model").info["files"]


def test_prediction_equals_evaluation(place):
    video = place / "data" / "videos" / "v2.mp4"
    assert cli.main(["predict", str(place / "model"), str(video), "--output", str(place / "predicted")]) == 0
    assert cli.main(["evaluate", str(place / "model"), str(place / "data"), "--output", str(place / "measured")]) == 0
    ours, theirs = (predictions.read(place / part / "v2" / "predictions.csv") for part in ("predicted", "measured"))
    assert (ours.labels == theirs.labels).all() and len(ours.labels) == 90
    np.testing.assert_allclose(ours.times, theirs.times, atol=1e-6)
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
    assert {file.name for file in (place / "predicted" / "v2").iterdir()} >= {"bouts.csv", "ethogram.png", "run.json"}


@pytest.mark.parametrize(
    "command, made", [("predict", "predictions.csv"), ("features", "features.npy")], ids=["predict", "features"]
)
def test_what_was_interrupted_goes_on_and_gives_the_same(place, monkeypatch, command, made):
    def give(output):
        more = ["--format", "npy"] if command == "features" else []
        video = place / "data" / "videos" / "v2.mp4"
        arguments = [command, place / "model", video, "--output", place / output, "--batch-size", 16, "--quiet", *more]
        return cli.main([str(part) for part in arguments])

    assert give(f"{command} whole") == 0
    real, seen = Extractor.rows, []

    def stop_at_the_fourth(self, batch, *more):
        seen.append(batch.first)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return real(self, batch, *more)

    monkeypatch.setattr(Extractor, "rows", stop_at_the_fourth)
    assert give(f"{command} parts") == 130
    assert not (place / f"{command} parts" / "v2" / made).exists()
    assert give(f"{command} parts") == 0
    assert seen == [0, 16, 32, 48, 48, 64, 80]
    whole, parts = (place / f"{command} {part}" / "v2" for part in ("whole", "parts"))
    assert (whole / made).read_bytes() == (parts / made).read_bytes()
    assert not [file for file in parts.iterdir() if "part" in file.name]


def test_its_features_are_those_that_it_was_trained_on(place):
    h5py = pytest.importorskip("h5py")
    video = place / "data" / "videos" / "v0.mp4"
    assert cli.main(["features", str(place / "model"), str(video), "--output", str(place / "features")]) == 0
    made = system.load(place / "model" / system.FILE)
    with h5py.File(place / "features" / "v0" / "features.h5", "r") as file:
        found = file["features"][:]
    seen = video_maps.read(open_dataset(place / "data"), "v0")
    np.testing.assert_allclose(found, system.features(seen, made.templates), rtol=1e-5, atol=1e-5)
    assert found.shape == (90, 310)


def test_two_classes_are_needed(place, tmp_path, capsys):
    shutil.copytree(place / "data", tmp_path / "data")
    labels = tmp_path / "data" / "labels"
    for stem in ("v0", "v1"):
        write_labels(labels / f"{stem}.csv", tiny.CLASSES, [0] * 90)
    arguments = ["train", "current_system", tmp_path / "data", "--hold-out", "v2", "--output", tmp_path / "model"]
    assert cli.main([*map(str, arguments), "--quiet"]) == 2
    assert "fewer than two classes" in capsys.readouterr().err
    assert not (tmp_path / "model" / "model.json").exists()


def test_classes_are_matched_by_name(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    (tmp_path / "data" / "classes.txt").write_text("down\nstill\nacross\n")
    found = []
    for data in (place / "data", tmp_path / "data"):
        arguments = ["evaluate", place / "model", data, "--output", tmp_path / "out", "--quiet"]
        assert cli.main([str(part) for part in arguments]) == 0
        found.append(json.loads((tmp_path / "out" / "metrics.json").read_text())["confusion"])
    assert found[0] == found[1]


@pytest.mark.parametrize("command", ["predict", "features"])
def test_a_video_that_is_cut_short_leaves_nothing_behind(place, tmp_path, capsys, command):
    cut = tmp_path / "cut.mp4"
    options = {"movflags": "faststart"}  # the header first, so that what is missing is met on the way
    with av.open(str(place / "data" / "videos" / "v2.mp4")) as whole, av.open(str(cut), "w", options=options) as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 3 // 4])
    arguments = [command, place / "model", cut, "--output", tmp_path / "out", "--quiet"]
    assert cli.main([str(part) for part in arguments]) == 2
    assert "cut.mp4" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))
