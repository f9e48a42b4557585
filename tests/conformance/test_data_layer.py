"""The Data layer against what real Caffe 1.0 read from the same LMDBs, to the bit: golden/, by make_data_golden.py."""

from __future__ import annotations

import numpy as np
import pytest
from data_cases import CASES, GOLDEN, make_sources, run_case


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data_layer")
    make_sources(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_data_layer_reads_what_real_caffe_reads(name, sources, monkeypatch):
    import caffe

    monkeypatch.chdir(sources)
    with np.load(GOLDEN) as stored:
        expected = {key[len(name) + 1:]: stored[key] for key in stored.files if key.startswith(name + "/")}
    found = run_case(caffe, name)
    assert sorted(found) == sorted(expected)
    for array, values in expected.items():
        np.testing.assert_array_equal(found[array], values, err_msg=array)
