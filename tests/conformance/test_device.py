"""Layers and solvers on a device with memory of its own: nothing mixes host and device, and the numbers stay.

On a machine with a CUDA device the same cases run there too.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import solver_cases
import torch
from layer_cases import FAMILIES, Case, cases, one
from layer_cases.run import run_case
from pretend_device import pretend_device

import caffe
from caffe import context

# rounding of other sums: the pretended device adds as the CPU does, a GPU in an order of its own
PRETENDED, CUDA_FORWARD, CUDA_BACKWARD = 1e-6, 1e-4, 1e-3

ALL = [(family, name) for family in FAMILIES for name in cases(family)]


@contextmanager
def cuda():
    caffe.set_mode_gpu()
    try:
        yield
    finally:
        caffe.set_mode_cpu()


DEVICES = {"pretended": pretend_device} | ({"cuda": cuda} if torch.cuda.is_available() else {})


# losses over so many pixels that the CPU's sum, rounded after each as in real Caffe, is off by 0.1 %; a device's is not
MANY_TERMS, OFF = {"loss_of_a_map", "sigmoid_of_a_map"}, 5e-3


def limit(device: str, name: str, array: str) -> float:
    if name in MANY_TERMS and "/top/" in array:
        return OFF
    if device == "pretended":
        return PRETENDED
    return CUDA_BACKWARD if "_diff/" in array else CUDA_FORWARD


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("family", "name"), ALL, ids=[f"{family}-{name}" for family, name in ALL])
def test_layer_gives_on_a_device_what_it_gives_on_the_host(family: str, name: str, device: str) -> None:
    case = cases(family)[name]
    expected = run_case(caffe, name, case)
    with DEVICES[device]():
        found = run_case(caffe, name, case)
    assert sorted(found) == sorted(expected)
    for array, values in expected.items():
        scale = np.abs(values).max(initial=0) or 1
        assert np.abs(found[array] - values).max(initial=0) <= limit(device, name, array) * scale, array


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_stochastic_pooling_on_a_device(phase: str, device: str) -> None:
    # real Caffe's CPU refuses it, so it has no case
    case = Case(one("Pooling", "x", "y", "pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }"),
                {"x": ((2, 3, 6, 6), "uniform 0 1")}, phase)
    expected = run_case(caffe, "stochastic", case)
    with DEVICES[device]():
        found = run_case(caffe, "stochastic", case)
    for array, values in expected.items():
        np.testing.assert_allclose(found[array], values, rtol=1e-5, err_msg=array)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", solver_cases.CASES)
def test_solver_trains_on_a_device_as_on_the_host(case: str, device: str, tmp_path) -> None:
    expected = solver_cases.run_case(caffe, tmp_path, case)
    with DEVICES[device]():
        found = solver_cases.run_case(caffe, tmp_path, case)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_pretended_device_catches_a_tensor_of_the_host() -> None:
    with pretend_device():
        there = torch.zeros(3, device=context.device().torch_device)
        with pytest.raises(RuntimeError, match="mixed"):
            there + torch.zeros(3)
