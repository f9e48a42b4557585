"""`ethocaffe agreement` on label files as people leave them: other orders, lengths, classes and gaps."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from data_prep.dataset import write_labels
from data_prep.errors import InputError
from tools import cli, label_sets
from tools.agreement import agreement, disagreements

CLASSES = ("eat", "rear", "walk")


def write(path: Path, labels, classes=CLASSES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(path, classes, labels)
    return path


@pytest.fixture
def two(tmp_path):
    """alice's and bob's labels of 300 frames, and their files."""
    generator = np.random.default_rng(1)
    alice = np.repeat(generator.integers(3, size=30), 10)
    bob = np.where(np.repeat(generator.random(60) < 0.3, 5), np.repeat(generator.integers(3, size=60), 5), alice)
    return (
        alice,
        bob,
        [write(tmp_path / name / "cage.csv", labels) for name, labels in (("alice", alice), ("bob", bob))],
    )


def test_two_files_of_a_video(two, tmp_path, capsys):
    alice, bob, files = two
    result = agreement(files, tmp_path / "out")
    assert result["annotators"] == ["alice", "bob"]
    assert list(result["videos"]) == ["cage"]
    (pair,) = result["overall"]["pairs"]
    assert pair["cohen_kappa"] == pytest.approx(cohen_kappa_score(alice, bob))
    printed = capsys.readouterr().out
    assert f"{pair['cohen_kappa']:.3f}" in printed and "300 frames annotated by all, 0 left out" in printed
    written = json.loads((tmp_path / "out" / "agreement.json").read_text())
    assert written["overall"] == result["overall"]
    assert set(written["files"]) == set(map(str, files))
    assert (tmp_path / "out" / "confusion_alice_bob.png").read_bytes().startswith(b"\x89PNG")


def test_disagreements_say_from_where_to_where(two, tmp_path):
    alice, bob, files = two
    agreement(files, tmp_path / "out", quiet=True)
    with open(tmp_path / "out" / "disagreements.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    rebuilt = alice.copy()
    for row in rows:
        start, stop = int(row["start_frame"]), int(row["stop_frame"])
        assert {CLASSES.index(row["alice"])} == set(alice[start:stop])
        rebuilt[start:stop] = CLASSES.index(row["bob"])
    assert rows
    np.testing.assert_array_equal(rebuilt, bob)


def test_a_frame_that_somebody_left_out_ends_a_disagreement():
    labels = np.array([[0, 0, -1, 0, 1, 1], [1, 1, 1, 1, 0, 1]])
    assert [(one.start, one.stop) for one in disagreements(labels)] == [(0, 2), (3, 4), (4, 5)]


def test_classes_are_matched_by_name(two, tmp_path):
    alice, bob, files = two
    order = ("walk", "groom", "eat", "rear")  # of other columns, and one class more that is never given
    other = write(tmp_path / "carol" / "cage.csv", np.array([order.index(name) for name in CLASSES])[bob], order)
    plain, turned = agreement(files, quiet=True), agreement([files[0], other], quiet=True)
    assert turned["classes"] == ["eat", "rear", "walk", "groom"]
    assert turned["classes_unknown_to"] == {"alice": ["groom"]}
    for key in ("agreement", "fleiss_kappa", "all_agree"):
        assert turned["overall"][key] == pytest.approx(plain["overall"][key])
    assert turned["overall"]["pairs"][0]["cohen_kappa"] == pytest.approx(cohen_kappa_score(alice, bob))


def test_folders_are_matched_by_name_of_video(two, tmp_path, capsys):
    alice, bob, files = two
    write(files[0].with_name("second.csv"), alice[:100])
    write(files[1].with_name("second.csv"), alice[:100])
    write(files[1].with_name("only_bob.csv"), bob)
    result = agreement([file.parent for file in files])
    assert result["videos"]["second"]["agreement"] == 1
    assert result["videos"]["cage"]["agreement"] == pytest.approx((alice == bob).mean())
    assert result["overall"]["frames"] == 400
    assert result["overall"]["agreement"] == pytest.approx(((alice == bob).sum() + 100) / 400)
    assert "left out: only_bob" in capsys.readouterr().out


def test_a_shorter_file_is_compared_as_far_as_it_goes(two, tmp_path, capsys):
    alice, bob, files = two
    short = write(tmp_path / "carol" / "cage.csv", bob[:120])
    result = agreement([files[0], short])
    printed = capsys.readouterr()
    assert (result["overall"]["frames"], result["overall"]["frames_left_out"]) == (120, 180)
    assert result["overall"]["agreement"] == pytest.approx((alice == bob)[:120].mean())
    assert "not of the same number of frames" in printed.err and printed.err.count("\n") == 1


def test_one_class_throughout_leaves_kappa_undefined(tmp_path, capsys):
    files = [write(tmp_path / name / "cage.csv", [2] * 9) for name in ("a", "b")]
    assert agreement(files, tmp_path / "out")["overall"]["fleiss_kappa"] is None
    assert "undefined" in capsys.readouterr().out


def test_simulated_labels_are_called_so(two, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "simulation.json").write_text("{}")
    simulated = write(tmp_path / "data" / "labels" / "cage.csv", two[0])
    assert agreement([simulated, two[2][1]])["simulated"] is True
    assert "simulated data" in capsys.readouterr().out


def test_what_cannot_be_compared_is_one_line(two, tmp_path, capsys):
    alice, _, files = two
    first, second = np.full(300, -1), alice.copy()
    first[:100], second[:100] = alice[:100], -1
    apart = [write(tmp_path / name / "cage.csv", labels) for name, labels in (("c", first), ("d", second))]
    elsewhere = write(tmp_path / "e" / "other.csv", alice)
    (tmp_path / "bare.csv").write_text("frame\n0\n")
    (tmp_path / "none").mkdir()
    for given, expected in (
        (files[:1], "two people or more"),
        ([files[0], files[0]], "named twice"),
        ([files[0], files[1].parent], "either files or folders"),
        ([files[0], tmp_path / "missing.csv"], "missing.csv: no such file or folder"),
        ([files[0], tmp_path / "bare.csv"], "bare.csv, line 1: no column of a class"),
        ([files[0].parent, tmp_path / "none"], "no .csv file"),
        ([files[0].parent, elsewhere.parent], "no video is in all of them"),
        (apart, "no frame is annotated in all of them"),
    ):
        status = cli.main(["agreement", *map(str, given)])
        errors = capsys.readouterr().err.splitlines()
        assert (status, len(errors)) == (2, 1)
        assert expected in errors[0]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["alice/v.csv", "bob/v.csv"], ["alice", "bob"]),
        (["v_alice.csv", "v_bob.csv"], ["v_alice", "v_bob"]),
        (["a/labels", "b/labels"], ["a", "b"]),
        (["a/one/labels", "a/two/labels", "mine"], ["one/labels", "two/labels", "mine"]),
        (["a/one", "b/one", "b/two"], ["a/one", "b/one", "b/two"]),
    ],
)
def test_annotators_are_called_by_what_tells_them_apart(paths, names):
    assert label_sets.names_of([Path(path) for path in paths]) == names


def test_the_same_path_twice_is_refused():
    with pytest.raises(InputError, match="named twice"):
        label_sets.names_of([Path("a/labels"), Path("a/../a/labels")])
