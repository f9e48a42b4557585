"""Whatever is wrong with the input ends in one line that names the file and the fix; nothing half-made is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tiny

from data_prep import video
from data_prep.prepare import prepare
from tools import cli
from tools.train import train


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with a prepared dataset `data`, a network `net` and a model `model`."""
    folder = tmp_path_factory.mktemp("good")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    train(str(folder / "net"), folder / "data", "v2", folder / "model", iterations=4, workers=0, quiet=True)
    return folder


@pytest.fixture
def place(good, tmp_path):
    """A copy of `good` to be spoiled."""
    folder = tmp_path / "place"
    shutil.copytree(good, folder)
    return folder


TRAIN = ["train", "{p}/net", "{p}/data", "--hold-out", "v2",
         "--output", "{p}/out", "--iterations", "4", "--workers", "0"]
PREPARE = ["prepare", "{p}/data", "--size", "32", "--workers", "1"]
PREDICT = ["predict", "{p}/model", "{p}/data/videos/v0.mp4", "--output", "{p}/out"]
EVALUATE = ["evaluate", "{p}/model", "{p}/data", "--output", "{p}/out"]


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def other_video(place, stream="shape", stem="v0"):
    prepared = place / "data" / "prepared"
    shutil.rmtree(prepared / stem / f"{stream}.lmdb")
    shutil.copytree(prepared / "v1" / f"{stream}.lmdb", prepared / stem / f"{stream}.lmdb")


def other_dataset(place):
    """Prepared videos, whole, of a dataset whose videos have the same names."""
    tiny.write_dataset(place / "other", frames=120)
    prepare(place / "other", size=tiny.SIZE, workers=1, quiet=True)
    unprepare(place)
    shutil.copytree(place / "other" / "prepared", place / "data" / "prepared")


def other_shape(place):
    edit(place / "net" / "train_val.prototxt", "num_output: 6 kernel_size: 5", "num_output: 7 kernel_size: 5")


def unprepare(place):
    shutil.rmtree(place / "data" / "prepared")


def labels(place, stem="v0"):
    return place / "data" / "labels" / f"{stem}.csv"


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


# what is spoiled: (how, command, parts of the line)
CASES = {
    "no dataset": (lambda p: None, ["prepare", "{p}/nowhere"], ["nowhere"]),
    "no video": (lambda p: None, ["predict", "{p}/model", "{p}/no.mp4", "--output", "{p}/out"], ["no.mp4"]),
    "no model": (lambda p: None, ["predict", "{p}/nomodel", "{p}/data/videos/v0.mp4", "--output", "{p}/out"],
        ["nomodel"]),
    "no weights": (lambda p: None, [*TRAIN, "--weights", "{p}/no.caffemodel"], ["no.caffemodel"]),
    "no network": (lambda p: None, ["train", "shap/cnn", *TRAIN[2:]], ["shap/cnn", "shape/cnn"]),
    "no classes": (lambda p: (p / "data" / "classes.txt").unlink(), TRAIN, ["classes.txt"]),
    "text for a video": (lambda p: (p / "data" / "videos" / "v0.mp4").write_text("hello\n" * 99), PREPARE, ["v0.mp4"]),
    "text to predict": (lambda p: (p / "t.mp4").write_text("hello\n" * 99),
                        ["predict", "{p}/model", "{p}/t.mp4", "--output", "{p}/out"], ["t.mp4"]),
    "empty video": (lambda p: (p / "data" / "videos" / "v0.mp4").write_bytes(b""), PREPARE, ["v0.mp4", "empty"]),
    "empty labels, prepare": (lambda p: (unprepare(p), labels(p).write_text("")), PREPARE, ["v0.csv", "empty"]),
    "empty labels, train": (lambda p: labels(p).write_text(""), TRAIN, ["v0.csv", "empty"]),
    "empty labels, evaluate": (lambda p: labels(p, "v2").write_text(""), EVALUATE, ["v2.csv", "empty"]),
    "label of no frame, prepare": (lambda p: (unprepare(p), append(labels(p), "90,1,0,0\n")), PREPARE,
                                   ["v0.csv, line 92", "frame 90", "0 to 89"]),
    "label of no frame, train": (lambda p: append(labels(p), "90,1,0,0\n"), TRAIN, ["v0.csv, line 92", "frame 90"]),
    "label of no frame, evaluate": (lambda p: append(labels(p, "v2"), "90,1,0,0\n"), EVALUATE,
                                    ["v2.csv, line 92", "frame 90"]),
    "label out of order": (lambda p: append(labels(p), "60,1,0,0\n"), TRAIN, ["v0.csv, line 92", "frame 60"]),
    "labels end early": (lambda p: labels(p).write_text("\n".join(labels(p).read_text().split("\n")[:60]) + "\n"),
                         TRAIN, ["v0.csv", "59 rows", "90 frames"]),
    "unknown class": (lambda p: edit(labels(p), "across", "acrosss"), TRAIN, ["v0.csv", "acrosss"]),
    "LMDB of another video": (other_video, TRAIN, ["v0", "shape.lmdb", "ethocaffe prepare"]),
    "motion of another video": (lambda p: other_video(p, "motion"), TRAIN, ["v0", "motion.lmdb", "ethocaffe prepare"]),
    "LMDB of another video, evaluate": (lambda p: other_video(p, stem="v2"), EVALUATE, ["v2", "shape.lmdb"]),
    "LMDBs of another dataset, train": (other_dataset, TRAIN, ["v0", "ethocaffe prepare"]),
    "LMDBs of another dataset, evaluate": (other_dataset, EVALUATE, ["v2", "ethocaffe prepare"]),
    "LMDB cut short": (lambda p: os.truncate(p / "data" / "prepared" / "v0" / "shape.lmdb" / "data.mdb", 20_000), TRAIN,
                       ["v0", "shape.lmdb", "cut short", "ethocaffe prepare"]),
    "text for an LMDB": (lambda p: (p / "data" / "prepared" / "v0" / "shape.lmdb" / "data.mdb").write_text("hi" * 9999),
                         TRAIN, ["v0", "shape.lmdb", "ethocaffe prepare"]),
    "not prepared": (unprepare, TRAIN, ["v0", "ethocaffe prepare"]),
    "held out, not there": (lambda p: None, ["train", "{p}/net", "{p}/data", "--hold-out", "v9", *TRAIN[5:]],
        ["v9", "v0"]),
    "field misspelt": (lambda p: edit(p / "net" / "train_val.prototxt", "num_output", "num_ouput"), TRAIN,
                       ["train_val.prototxt", "num_ouput", "num_output"]),
    "type misspelt": (lambda p: edit(p / "net" / "train_val.prototxt", '"BatchNorm"', '"BatchNrom"'), TRAIN,
                      ["train_val.prototxt", "BatchNrom", "BatchNorm"]),
    "bottom misspelt": (lambda p: edit(p / "net" / "train_val.prototxt", 'bottom: "bn1"', 'bottom: "bn11"'), TRAIN,
                        ["train_val.prototxt", "bn11"]),
    "brace missing": (lambda p: edit(p / "net" / "solver.prototxt", "net:", "net {"), TRAIN, ["solver.prototxt:2"]),
    "layer that cannot be": (lambda p: edit(p / "net" / "train_val.prototxt", "kernel_size: 5", "kernel_size: 99"),
                             TRAIN, ["net/train_val.prototxt", "conv1", "99"]),
    "filler misspelt": (lambda p: edit(p / "net" / "train_val.prototxt", '"xavier"', '"xavierr"'), TRAIN,
                        ["net/train_val.prototxt", "conv1", "xavierr", "xavier"]),
    "solver's field misspelt": (lambda p: edit(p / "net" / "solver.prototxt", "base_lr", "base_rl"), TRAIN,
                                ["net/solver.prototxt", "base_rl", "base_lr"]),
    "solver's type misspelt": (lambda p: edit(p / "net" / "solver.prototxt", '"SGD"', '"SGDD"'), TRAIN,
                               ["net/solver.prototxt", "SGDD", "Adam"]),
    "solver's policy misspelt": (lambda p: edit(p / "net" / "solver.prototxt", '"fixed"', '"fixd"'), TRAIN,
                                 ["net/solver.prototxt", "fixd", "fixed"]),
    "deploy of another shape": (lambda p: edit(p / "net" / "deploy.prototxt", "num_output: 6", "num_output: 5"), TRAIN,
                                ["net/deploy.prototxt", "conv1", "5×3×5×5", "6×3×5×5", "net/train_val.prototxt"]),
    "deploy with a layer more": (lambda p: edit(p / "net" / "deploy.prototxt", '"motion_conv1" type', '"conv9" type'),
                                 TRAIN, ["net/deploy.prototxt", "conv9", "net/train_val.prototxt"]),
    "weights of another shape": (other_shape, [*TRAIN, "--weights", "{p}/model/weights.caffemodel"],
                                 ["weights.caffemodel", "conv1", "7", "6"]),
    "text for weights": (lambda p: (p / "w.caffemodel").write_text("hello"), [*TRAIN, "--weights", "{p}/w.caffemodel"],
                         ["w.caffemodel"]),
    "model without weights": (lambda p: (p / "model" / "weights.caffemodel").unlink(), PREDICT, ["weights.caffemodel"]),
    "model cut short": (lambda p: os.truncate(p / "model" / "weights.caffemodel", 500), PREDICT,
        ["weights.caffemodel"]),
    "model of a later version": (lambda p: edit(p / "model" / "model.json", '"format": 1', '"format": 99'), PREDICT,
                                 ["model.json", "99"]),
    "model.json spoiled": (lambda p: (p / "model" / "model.json").write_text("{"), PREDICT, ["model.json"]),
    "deploy of another net": (lambda p: edit(p / "model" / "deploy.prototxt", "num_output: 6", "num_output: 5"),
                              PREDICT, ["deploy.prototxt", "train again"]),
    "prepared at another size": (lambda p: prepare(p / "data", size=40, workers=1, quiet=True), TRAIN,
                                 ["40", "ethocaffe prepare", "--size 32"]),
    "nothing to train on": (lambda p: None, ["train", "{p}/net", "{p}/data", "--hold-out", "v0,v1,v2", *TRAIN[5:]],
                            ["hold fewer out"]),
    "no solver": (lambda p: None, [*TRAIN, "--solver", "{p}/none.prototxt"], ["none.prototxt"]),
    "output is a file": (lambda p: (p / "out").write_text("mine"), TRAIN, ["out"]),
    "output is another's": (lambda p: ((p / "out").mkdir(), (p / "out" / "thesis.txt").write_text("mine")), TRAIN,
        ["out"]),
    "classes of another dataset": (lambda p: (p / "data" / "classes.txt").write_text("a\nb\n"), EVALUATE, ["classes"]),
}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_file_and_nothing_half_made_is_left(case, place, capfd):
    spoil, command, parts = CASES[case]
    spoil(place)
    before = files_in(place)
    status = cli.main([part.format(p=place) for part in command])
    lines = capfd.readouterr().err.strip().splitlines()
    assert status == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("ethocaffe: error: ")
    assert all(part in lines[0] for part in parts), lines[0]
    assert files_in(place) == before


def test_what_was_put_right_trains_with_the_same_command(place, capfd):
    command = [part.format(p=place) for part in TRAIN]
    for old, new in (("kernel_size: 5", "kernel_size: 99"), ("num_output: 6", "num_output: 7")):
        edit(place / "net" / "train_val.prototxt", old, new)
        assert cli.main([*command, "--weights", f"{place}/model/weights.caffemodel"]) == 2
        assert not (place / "out").exists()
        edit(place / "net" / "train_val.prototxt", new, old)
    assert cli.main(command) == 0


def test_a_failed_training_keeps_a_folder_that_was_there(place, capfd):
    (place / "out").mkdir()
    edit(place / "net" / "train_val.prototxt", "kernel_size: 5", "kernel_size: 99")
    assert cli.main([part.format(p=place) for part in TRAIN]) == 2
    assert list((place / "out").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of a given size, in megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(megabytes: float) -> Path:
        size = f"size={int(megabytes * 1024)}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("a small disk cannot be mounted here")
        return folder

    yield mount
    if os.path.ismount(folder):  # lazily: a failed test may hold a file open
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(capfd, command):
    status = cli.main([str(part) for part in command])
    lines = capfd.readouterr().err.strip().splitlines()
    assert status in (1, 2)
    assert len(lines) == 1, lines
    return lines[0]


def test_a_disk_too_small_for_prepare_is_refused_before_the_work(good, small_disk, capfd):
    disk = small_disk(1.5)
    shutil.copytree(good / "data", disk / "data", ignore=shutil.ignore_patterns("prepared"))
    line = full(capfd, ["prepare", disk / "data", "--size", 256, "--workers", 1])
    assert "GB" in line and "disk" in line
    assert not [name for name in files_in(disk / "data") if name.startswith("prepared/v")]


def test_a_disk_that_fills_up_during_prepare_leaves_nothing_half_written(good, small_disk, capfd):
    from data_prep.errors import InputError

    disk = small_disk(1.5)
    shutil.copytree(good / "data", disk / "data", ignore=shutil.ignore_patterns("prepared"))
    with pytest.raises(InputError, match="make room"):
        prepare(disk / "data", size=256, workers=1, quiet=True, free_bytes=lambda folder: 1 << 40)
    assert not [name for name in files_in(disk / "data") if name.endswith((".mdb", "meta.json"))]


def test_a_disk_too_small_for_a_snapshot_is_refused_before_it(good, small_disk, capfd):
    disk = small_disk(0.06)
    line = full(capfd, ["train", good / "net", good / "data", "--hold-out", "v2", "--output", disk / "model",
                        "--iterations", 4, "--workers", 0])
    assert str(disk) in line and "free some space" in line
    assert not files_in(disk)


# The first snapshot is made after two iterations: its weights do not fit, its state, its copy, the next one's weights.
@pytest.mark.parametrize("kilobytes", [24, 32, 40, 48, 64])
def test_a_disk_that_fills_up_during_training_leaves_whole_checkpoints(good, small_disk, capfd, monkeypatch, kilobytes):
    from tools import training_run

    def command(folder):
        return ["train", good / "net", good / "data", "--hold-out", "v2", "--output", folder / "model",
                "--iterations", 6, "--validate-every", 2, "--workers", 0, "--quiet"]

    monkeypatch.setattr(training_run, "_need_space", lambda net, folder: None)  # as if another program took the rest
    disk = small_disk(kilobytes / 1024)
    line = full(capfd, command(disk))
    assert f"{disk}/model/" in line and ("free some space" in line or "make room" in line)
    left = files_in(disk)
    if "model/snapshots/state.json" in left:
        checkpoints = {name for name in left if "_iter_" in name}
        assert checkpoints == {f"model/snapshots/{name}" for name in (
            "train_iter_2.caffemodel", "train_iter_2.solverstate", "best_iter_2.caffemodel")}
    else:
        assert not left
    subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
    assert cli.main([str(part) for part in command(disk)]) == 0
    assert cli.main([str(part) for part in command(disk / "undisturbed")]) == 0
    weights = [(disk / name / "weights.caffemodel").read_bytes() for name in ("model", "undisturbed/model")]
    assert weights[0] == weights[1]


# What does not fit: the predictions, the bouts, the ethogram, the annotated video, run.json.
@pytest.mark.parametrize("kilobytes", [4, 8, 12, 30, 36])
def test_a_disk_that_fills_up_during_prediction_leaves_whole_files(good, small_disk, capfd, kilobytes):
    def command(folder):
        return ["predict", good / "model", good / "data" / "videos" / "v0.mp4", "--output", folder,
                "--annotated-video", "--quiet"]

    disk = small_disk(kilobytes / 1024)
    line = full(capfd, command(disk / "out"))
    assert f"{disk}/out/v0/" in line and ".tmp" not in line and "free some space" in line
    left = files_in(disk)
    assert "out/v0/run.json" not in left and not [name for name in left if ".tmp" in name]
    subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
    whole = disk / "whole"
    assert cli.main([str(part) for part in command(whole)]) == 0
    same = ("predictions.csv", "bouts.csv", "ethogram.png")  # an encoder does not always write the same bytes
    for name in same:  # what has its final name already is what an undisturbed run writes
        if f"out/v0/{name}" in left:
            assert (disk / "out" / "v0" / name).read_bytes() == (whole / "v0" / name).read_bytes()
    assert cli.main([str(part) for part in command(disk / "out")]) == 0
    assert {file.name for file in (disk / "out" / "v0").iterdir()} == {*same, "annotated.mp4", "run.json"}
    assert video.count_frames(disk / "out" / "v0" / "annotated.mp4") == 90
    for name in same:
        assert (disk / "out" / "v0" / name).read_bytes() == (whole / "v0" / name).read_bytes()


@pytest.mark.parametrize("kilobytes", [4, 12, 40])
def test_a_disk_that_fills_up_during_evaluation_leaves_no_metrics(good, small_disk, capfd, kilobytes):
    disk = small_disk(kilobytes / 1024)
    line = full(capfd, ["evaluate", good / "model", good / "data", "--output", disk / "out", "--quiet"])
    assert f"{disk}/out/" in line and "free some space" in line
    assert not [name for name in files_in(disk) if ".tmp" in name or name.endswith("metrics.json")]
