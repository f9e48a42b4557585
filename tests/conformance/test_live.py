"""What `make conformance` draws and how it judges; the comparison itself needs real Caffe and is that command."""

from __future__ import annotations

from pathlib import Path

import generated
import numpy as np
import pytest
from live.parts import data, nets
from live.report import Measure, Section, error, failures, markdown, pairs, worst

import caffe

TYPES = (Path(__file__).resolve().parent / "golden" / "layer_types.txt").read_text().split()


def test_every_layer_type_of_real_caffe_is_held():
    assert set(TYPES) <= set(generated.table()) | set(data.TYPES)


def test_the_seed_gives_the_same_configurations():
    names = generated.names()
    assert len(names) >= 400
    assert [generated.case(name) for name in names] == [generated.case(name) for name in names]
    assert generated.case("Pooling 03/5") != generated.case("Pooling 03/6")


def test_configurations_of_a_type_differ():
    for kind, (count, *_) in generated.table().items():
        assert len({str(generated.case(f"{kind} {number:02d}")) for number in range(count)}) > count / 2, kind


def test_drawn_nets_train_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (name, *_), = nets.rounds()
    found = nets.run(caffe, name, "engine")
    assert all(np.array_equal(values, found[key]) for key, values in nets.run(caffe, name, "engine").items())


@pytest.mark.parametrize(("ours", "theirs", "expected"), [
    ([1.0, 2.0], [1.0, 2.0], 0),
    ([1.0, 2.5], [1.0, 2.0], 0.25),
    ([0.5], [0.0], 0.5),
    ([np.nan, 1], [np.nan, 1], 0),
    ([np.inf, 1], [np.inf, 2], 0.5),
    ([1.0], [1.0, 1.0], np.inf),
    ([], [], 0),
])
def test_an_error_is_relative_to_the_largest_number(ours, theirs, expected):
    assert error(np.array(ours), np.array(theirs)) == expected


def test_a_nan_in_one_alone_is_over_every_limit():
    assert Measure(error(np.array([np.nan, 1]), np.array([2.0, 1])), 1e9).bad


def test_the_worst_array_is_named_and_fails_the_table():
    both = {"a": ({"x": np.ones(2)}, {"x": np.ones(2)}), "b": ({"x": np.ones(2), "y": np.zeros(1)},
                                                             {"x": np.array([1, 2.0]), "y": np.zeros(1)})}
    found = worst(both, 1e-3)
    assert found == Measure(0.5, 1e-3, "b, x")
    section = Section("T", "text", ("what", "error"), [("row", found)], ["fault"])
    assert failures(section) == ["T: row: **5.0e-01, over 1e-03** at b, x", "T: fault"]
    assert "| row | **5.0e-01, over 1e-03** |" in markdown(section)


def test_what_one_side_could_not_do_is_a_fault():
    faults: list[str] = []
    arrays = {"x": np.ones(1)}
    found = {"engine": {"a": arrays, "b": "refused", "c": arrays}, "real": {"a": arrays, "b": arrays, "c": {}}}
    assert set(pairs(found, faults)) == {"a", "c"}
    assert faults == ["`b` in engine: refused", "`c`: arrays ['x'] on one side only"]
