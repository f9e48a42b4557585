"""Layers that read files against what real Caffe 1.0 read from the same ones: golden/, by make_file_goldens.py."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from file_cases import CASES, GOLDEN, make_sources, run_case
from pretend_device import pretend_device

from caffe.random import rng


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("file_layers")
    make_sources(folder)
    return folder


@pytest.mark.parametrize("device", [nullcontext, pretend_device], ids=["host", "device"])
@pytest.mark.parametrize("name", CASES)
def test_files_give_what_they_give_real_caffe(name, device, sources, monkeypatch):
    import caffe

    monkeypatch.chdir(sources)
    monkeypatch.setattr(rng, "c_rand", rng.CRand())  # each case was recorded in a process of its own
    with np.load(GOLDEN) as stored:
        expected = {key[len(name) + 1:]: stored[key] for key in stored.files if key.startswith(name + "/")}
    with device():
        found = run_case(caffe, name)
    assert sorted(found) == sorted(expected)
    for array, values in expected.items():
        if CASES[name].backward:
            np.testing.assert_allclose(found[array], values, rtol=1e-5, err_msg=array)
        else:
            np.testing.assert_array_equal(found[array], values, err_msg=array)
