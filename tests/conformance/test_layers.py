"""Every layer case in the engine against what real Caffe 1.0 gave: golden/, by make_layer_goldens.py."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from layer_cases import FAMILIES, cases, golden
from layer_cases.run import run_case

# the worst error allowed, max |a - b| / max |b|
FORWARD, BACKWARD = 1e-4, 1e-3

ALL = [(family, name) for family in FAMILIES for name in cases(family)]


@cache
def recorded(family: str) -> golden.Results:
    return golden.load(family)


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """max |a - b| / max |b|; where real Caffe gives only zeros, max |a|."""
    if not theirs.size:
        return 0.0
    return float(np.abs(ours - theirs).max() / (np.abs(theirs).max() or 1.0))


@pytest.mark.parametrize(("family", "name"), ALL, ids=[f"{family}-{name}" for family, name in ALL])
def test_layer_gives_what_real_caffe_gives(family: str, name: str) -> None:
    import caffe

    theirs = recorded(family).get(name)
    assert theirs is not None, "no golden values: run make_layer_goldens.py in real Caffe, see README.md"
    ours = run_case(caffe, name, cases(family)[name])
    assert sorted(ours) == sorted(theirs)
    for array, expected in theirs.items():
        assert ours[array].shape == expected.shape, array
        limit = BACKWARD if "_diff/" in array else FORWARD
        assert error(ours[array], expected) <= limit, array


@pytest.mark.parametrize("family", FAMILIES)
def test_no_golden_values_without_a_case(family: str) -> None:
    assert set(recorded(family)) <= set(cases(family))


def test_layer_types_are_those_of_real_caffe() -> None:
    import caffe

    assert caffe.layer_type_list() == (golden.FOLDER / "layer_types.txt").read_text().split()
