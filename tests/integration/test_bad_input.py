"""Whatever is wrong with the input ends in one line that names the file and the fix; nothing half-made is left."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tiny

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


def other_dataset(place):
    prepared = place / "data" / "prepared"
    shutil.rmtree(prepared / "v0" / "shape.lmdb")
    shutil.copytree(prepared / "v1" / "shape.lmdb", prepared / "v0" / "shape.lmdb")


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
    "label too far, prepare": (lambda p: (unprepare(p), append(labels(p), "60,1,0,0\n")), PREPARE, ["v0.csv", "line"]),
    "label too far, train": (lambda p: append(labels(p), "60,1,0,0\n"), TRAIN, ["v0.csv", "line"]),
    "unknown class": (lambda p: edit(labels(p), "across", "acrosss"), TRAIN, ["v0.csv", "acrosss"]),
    "LMDB of another video": (other_dataset, TRAIN, ["v0", "shape.lmdb", "prepare"]),
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
                             TRAIN, ["conv1", "99"]),
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
    assert status in (1, 2)
    assert len(lines) == 1, lines
    assert lines[0].startswith("ethocaffe: ")
    assert all(part in lines[0] for part in parts), lines[0]
    left = {name for name in files_in(place) - before if not name.startswith("data/prepared")}
    # a training that is refused on its first step keeps what it was told, so that the same command can go on
    assert not [name for name in left if "tmp" in name or name.endswith((".part", "model.json"))], left


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
    subprocess.run(["umount", str(folder)], capture_output=True)


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


def test_a_full_disk_during_training_and_prediction(good, small_disk, capfd):
    disk = small_disk(0.06)
    line = full(capfd, ["train", good / "net", good / "data", "--hold-out", "v2", "--output", disk / "model",
                        "--iterations", 4, "--workers", 0])
    assert str(disk) in line and ("disk" in line or "space" in line)
    assert "model/model.json" not in files_in(disk)
    with contextlib.suppress(OSError), open(disk / "fill", "wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass
    line = full(capfd, ["predict", good / "model", good / "data" / "videos" / "v0.mp4", "--output", disk / "out"])
    assert str(disk) in line
    assert not [name for name in files_in(disk) if name.endswith(("predictions.csv", "bouts.csv", ".png"))]
