"""Training, evaluation and prediction on tiny videos of moving squares."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import tiny

from data_prep.errors import InputError
from data_prep.prepare import prepare
from tools import cli, model, predictions, training_run
from tools.classifier import Classifier
from tools.evaluate import evaluate
from tools.predict import predict
from tools.train import train


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a prepared dataset `data` and a network `net`."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    return folder


def train_tiny(place, output, **options):
    settings = {"iterations": 60, "validate_every": 20, "workers": 0, "quiet": True, **options}
    return train(str(place / "net"), place / "data", settings.pop("hold_out", "v2"), output, **settings)


@pytest.fixture(scope="module")
def trained(place):
    return train_tiny(place, place / "model")


def run_command(capsys, *arguments):
    """Exit status and the lines on standard error."""
    status = cli.main([str(argument) for argument in arguments])
    return status, capsys.readouterr().err.splitlines()


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_model_explains_itself(place, trained):
    info = json.loads((trained.path / "model.json").read_text())
    assert info["classes"] == list(tiny.CLASSES)
    assert info["trained_on"] == ["v0", "v1"]
    assert info["held_out"] == ["v2"]
    assert info["preprocessing"]["crop"] == tiny.CROP
    assert info["validation"]["balanced_accuracy"] > 0.6
    assert info["validation"]["classes_present"] == 3
    assert "--hold-out v2" in info["command"]
    assert {"caffe", "numpy", "python"} <= set(info["versions"])
    curve = read_csv(trained.path / "learning_curve.csv")
    assert [row["iteration"] for row in curve] == ["20", "40", "60"]
    best = max(curve, key=lambda row: float(row["balanced_accuracy"]))
    assert info["best_iteration"] == int(best["iteration"])
    assert "num_output: 3" in (trained.path / "deploy.prototxt").read_text()


def test_an_interrupted_training_ends_with_the_same_weights(place, trained, monkeypatch):
    class Interrupted(training_run.Progress):
        def update(self, pieces=1):
            super().update(pieces)
            if self.done == 33:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training_run, "Progress", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(place, place / "interrupted")
    with pytest.raises(InputError, match="training has not ended"):
        model.load(place / "interrupted")
    resumed = train_tiny(place, place / "interrupted")
    assert (resumed.path / "weights.caffemodel").read_bytes() == (trained.path / "weights.caffemodel").read_bytes()
    ours, theirs = (read_csv(folder.path / "learning_curve.csv") for folder in (resumed, trained))
    for row in (*ours, *theirs):
        del row["seconds"]
    assert ours == theirs
    assert resumed.hash == trained.hash


def test_a_training_goes_on_after_its_folder_was_moved(place, trained, monkeypatch):
    class Interrupted(training_run.Progress):
        def update(self, pieces=1):
            super().update(pieces)
            if self.done == 25:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training_run, "Progress", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(place, place / "before")
    shutil.move(place / "before", place / "after")
    assert train_tiny(place, place / "after").hash == trained.hash


def test_a_finished_training_is_not_done_again(place, trained, capsys):
    before = (trained.path / "model.json").stat().st_mtime_ns
    train_tiny(place, trained.path, quiet=False)
    assert "already trained" in capsys.readouterr().out
    with pytest.raises(InputError, match="iterations 60, now 80"):
        train_tiny(place, trained.path, iterations=80)
    assert (trained.path / "model.json").stat().st_mtime_ns == before


def test_workers_do_not_change_the_weights(place, trained):
    assert train_tiny(place, place / "with_workers", workers=2).hash == trained.hash


def test_training_on_everything_says_what_its_scores_are(place, capsys):
    every = train_tiny(place, place / "all", hold_out="none", iterations=5, quiet=False)
    assert every.info["trained_on"] == ["v0", "v1", "v2"]
    assert every.info["held_out"] == []
    assert "scores are those of the training videos" in capsys.readouterr().out


def test_a_network_that_did_not_learn_is_said(place, trained, tmp_path, capsys):
    solver = tmp_path / "solver.prototxt"
    solver.write_text(tiny.SOLVER.replace("base_lr: 0.01", "base_lr: 1e-30"))
    net = tiny.write_network(tmp_path / "net")
    text = (
        (net / "train_val.prototxt")
        .read_text()
        .replace(
            'num_output: 99 weight_filler { type: "xavier" }',
            ('num_output: 99 bias_filler { type: "constant" value: 1 }'),
        )
    )
    (net / "train_val.prototxt").write_text(text)
    train(str(net), place / "data", "v2", tmp_path / "model", solver=solver, iterations=1, workers=0)
    assert "every frame is given the class 'still', even at the best iteration" in capsys.readouterr().out


def test_weights_are_taken_by_name_and_only_where_they_fit(place, trained, capsys):
    source = trained.path / "weights.caffemodel"
    train_tiny(place, place / "tuned", weights=source, iterations=1, quiet=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("copied"))
    assert "weights.caffemodel: conv1; not copied: bn1, motion_conv1, motion_bn1, scores; left in the file: " in line

    other = tiny.write_network(place / "wider")
    text = (other / "train_val.prototxt").read_text().replace("num_output: 6", "num_output: 8")
    (other / "train_val.prototxt").write_text(text)
    with pytest.raises(InputError, match=r"layer 'conv1' is 6×3×5×5 there and 8×3×5×5 in the network"):
        train(str(other), place / "data", "v2", place / "never", weights=source, iterations=1, workers=0, quiet=True)


def test_evaluation_gives_the_validation_scores_again(place, trained):
    result = evaluate(trained.path, place / "data", place / "evaluated", workers=0, quiet=True)
    assert result["confusion"] == trained.info["validation"]["confusion"]
    assert list(result["videos"]) == ["v2"]
    written = json.loads((place / "evaluated" / "metrics.json").read_text())
    assert written["balanced_accuracy"] == result["balanced_accuracy"]
    assert written["classes_present"] == 3
    assert (place / "evaluated" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    counts = read_csv(place / "evaluated" / "confusion_matrix.csv")
    assert [[int(row[name]) for name in tiny.CLASSES] for row in counts] == result["confusion"]


def test_prediction_equals_evaluation(place, trained):
    evaluate(trained.path, place / "data", place / "by_frames", videos="v0,v2", workers=0, quiet=True)
    assert predict(trained.path, [place / "data" / "videos"], place / "by_video", batch_size=7, quiet=True) == []
    for stem in ("v0", "v2"):
        evaluated = predictions.read(place / "by_frames" / stem / "predictions.csv")
        predicted = predictions.read(place / "by_video" / stem / "predictions.csv")
        np.testing.assert_array_equal(evaluated.frames, predicted.frames)
        np.testing.assert_array_equal(evaluated.times, predicted.times)
        np.testing.assert_allclose(evaluated.probabilities, predicted.probabilities, atol=2e-6)


def test_prediction_writes_bouts_of_the_labels(place, trained):
    predict(trained.path, [place / "data" / "videos" / "v2.mp4"], place / "bouts", quiet=True)
    folder = place / "bouts" / "v2"
    labels = [row["label"] for row in read_csv(folder / "predictions.csv")]
    covered = []
    for row in read_csv(folder / "bouts.csv"):
        assert int(row["start_frame"]) == len(covered)
        assert float(row["start_time"]) == pytest.approx(len(covered) / 30, abs=1e-3)
        covered += [row["label"]] * (int(row["stop_frame"]) - int(row["start_frame"]))
    assert covered == labels
    about = json.loads((folder / "run.json").read_text())
    assert about["model"] == trained.hash
    assert about["fps"] == pytest.approx(30)
    assert (folder / "ethogram.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_prediction_goes_on_and_gives_the_same(place, trained, monkeypatch, capsys):
    video = place / "data" / "videos" / "v1.mp4"
    predict(trained.path, [video], place / "whole", batch_size=16, quiet=True)
    real = Classifier.probabilities
    calls = []

    def stop_at_the_fourth(self, batch, stages):
        calls.append(batch.first)
        if batch.first == 48:
            raise KeyboardInterrupt
        return real(self, batch, stages)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "probabilities", stop_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            predict(trained.path, [video], place / "parts", batch_size=16, quiet=True)
    folder = place / "parts" / "v1"
    assert not (folder / "predictions.csv").exists()
    with open(folder / "predictions.csv.part", "a") as file:
        file.write("48,1.6,sti")  # a line cut short by a crash

    def remember(self, batch, stages):
        calls.append(batch.first)
        return real(self, batch, stages)

    calls.clear()
    monkeypatch.setattr(Classifier, "probabilities", remember)
    predict(trained.path, [video], place / "parts", batch_size=16, quiet=True)
    assert sorted(calls) == [48, 64, 80]
    for name in ("predictions.csv", "bouts.csv"):
        assert (folder / name).read_bytes() == (place / "whole" / "v1" / name).read_bytes()
    assert not list(folder.glob("*.part"))
    calls.clear()
    predict(trained.path, [video], place / "parts", batch_size=16)
    assert calls == []
    assert "done before" in capsys.readouterr().out


def test_short_bouts_can_be_absorbed_without_predicting_again(place, trained):
    video = place / "data" / "videos" / "v1.mp4"
    for shortest in (1, 9):
        predict(trained.path, [video], place / "smooth", min_bout=shortest, quiet=True)
    assert all(int(row["frames"]) >= 9 for row in read_csv(place / "smooth" / "v1" / "bouts.csv"))


def test_annotated_video_has_every_frame(place, trained):
    from data_prep.video import read_frames

    video = place / "data" / "videos" / "v0.mp4"
    predict(trained.path, [video], place / "shown", annotated_video=True, quiet=True)
    shown = list(read_frames(place / "shown" / "v0" / "annotated.mp4"))
    source = list(read_frames(video))
    assert len(shown) == len(source)
    np.testing.assert_allclose([time for _, time, _ in shown], [time for _, time, _ in source], atol=1e-3)
    assert shown[0][2].shape[0] > source[0][2].shape[0]


def test_one_bad_video_does_not_stop_the_others(place, trained, capsys):
    bad = place / "notes.mp4"
    bad.write_text("this is not a video\n")
    status, errors = run_command(
        capsys, "predict", trained.path, bad, place / "data/videos/v0.mp4", "--output", place / "several", "--quiet"
    )
    assert status == 1
    assert any("notes.mp4" in line for line in errors)
    assert "1 of 2 videos failed" in errors[-1]
    assert (place / "several" / "v0" / "run.json").is_file()
    assert not (place / "several" / "notes").exists()


def test_another_frame_rate_is_said(place, trained, capsys):
    tiny.write_video(place / "slow.mp4", np.zeros(20, int), seed=1, rate=10)
    status, errors = run_command(capsys, "predict", trained.path, place / "slow.mp4", "--output", place / "slow")
    assert status == 0
    assert "10.00 frames per second, the model was trained at 30.00" in errors[0]


def test_videos_of_one_name_are_refused(place, trained, capsys):
    (place / "twin").mkdir()
    shutil.copy(place / "data/videos/v0.mp4", place / "twin" / "v0.mp4")
    status, errors = run_command(
        capsys, "predict", trained.path, place / "twin", place / "data/videos/v0.mp4", "--output", place / "twins"
    )
    assert (status, len(errors)) == (2, 1)
    assert "would both be written to v0/" in errors[0]


def test_a_folder_of_something_else_is_not_written_into(place, capsys):
    status, errors = run_command(
        capsys, "train", place / "net", place / "data", "--hold-out", "v2", "--output", place / "net"
    )
    assert (status, len(errors)) == (2, 1)
    assert "not empty and not a model" in errors[0]


def test_a_full_disk_ends_in_one_line_and_training_goes_on_later(place, trained, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        patched.setattr(training_run.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
        with pytest.raises(InputError, match="MB left and a snapshot needs"):
            train_tiny(place, place / "full_disk")
    assert train_tiny(place, place / "full_disk").hash == trained.hash


def test_a_damaged_model_is_not_used(place, trained, capsys):
    damaged = place / "damaged"
    shutil.copytree(trained.path, damaged)
    with open(damaged / "weights.caffemodel", "ab") as file:
        file.write(b"x")
    video = place / "data/videos/v0.mp4"
    for spoil, expected in (
        (lambda: None, "weights.caffemodel: is not the file that model.json describes"),
        (lambda: (damaged / "deploy.prototxt").unlink(), "deploy.prototxt: no such file"),
        (lambda: (damaged / "model.json").write_text('{"format": 99}'), "format 99 is newer"),
        (lambda: (damaged / "model.json").unlink(), "there is no model.json"),
    ):
        spoil()
        status, errors = run_command(capsys, "predict", damaged, video, "--output", place / "by_damaged")
        assert (status, len(errors)) == (2, 1)
        assert expected in errors[0]
    assert not (place / "by_damaged").exists()


def test_classes_are_matched_by_name(place, trained):
    data = place / "turned"
    shutil.copytree(place / "data", data)
    (data / "classes.txt").write_text("\n".join(reversed(tiny.CLASSES)) + "\n")
    straight = evaluate(trained.path, place / "data", place / "straight", workers=0, quiet=True)
    turned = evaluate(trained.path, data, place / "turned_out", videos="v2", workers=0, quiet=True)
    assert turned["confusion"] == straight["confusion"]
