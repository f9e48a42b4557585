"""pycaffe's Python modules against what real Caffe 1.0 gave: golden/pycaffe.npz, by make_pycaffe_golden.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pycaffe_cases as cases
import pytest
from pycaffe_idioms import idioms

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "pycaffe.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", cases.CLASSIFIERS)
def test_predictions_are_real_caffes(case, recorded, tmp_path):
    ours, theirs = cases.classify(caffe, tmp_path, case), recorded["classify " + case]
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("case", cases.DETECTORS)
def test_detections_are_real_caffes(case, recorded, tmp_path):
    ours, theirs = cases.detect(caffe, tmp_path, case), recorded["detect " + case]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_coordinate_maps_and_crops_are_real_caffes(recorded):
    ours = cases.coordinates(caffe)
    assert set(ours) == {name for name in recorded if name.startswith(("map ", "crop "))}
    for name, values in ours.items():
        np.testing.assert_allclose(values, recorded[name], rtol=1e-12, err_msg=name)


def test_drawings_are_real_caffes(recorded, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydotplus", None)  # put back afterwards
    cases.record_drawings()
    ours = cases.drawings(caffe)
    assert set(ours) == {name for name in recorded if name.startswith("draw ")}
    for name, text in ours.items():
        assert json.loads(str(text)) == json.loads(str(recorded[name])), name


def test_scripts_get_what_real_caffe_gives(recorded, tmp_path):
    ours = {"idiom " + name: value for name, value in idioms(caffe, tmp_path).items()}
    assert set(ours) == {name for name in recorded if name.startswith("idiom ")}
    for name, found in ours.items():
        expected = recorded[name]
        if name.startswith("idiom fault"):
            # an exception here may be of more types, but is of all those that a script could catch there
            assert set(str(expected).split()) <= set(str(found).split()), name
        elif expected.dtype.kind == "U":
            assert json.loads(str(found)) == json.loads(str(expected)), name
        else:
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype), name
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=name)
