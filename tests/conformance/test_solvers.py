"""Solvers in the engine against what real Caffe 1.0 gave: golden/solvers.npz, by make_solver_goldens.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from solver_cases import CASES, ITERATIONS, make_solver, run_case

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "solvers.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", CASES)
def test_the_trajectory_is_real_caffes(case, recorded, tmp_path):
    ours = run_case(caffe, tmp_path, case)
    for name, values in ours.items():
        theirs = recorded[f"{case}/{name}"]
        assert len(theirs) == ITERATIONS
        # the first update alone is one step's arithmetic; after that rounding is fed back
        for rows, limit in ((slice(1), 1e-6), (slice(None), 1e-5)):
            error = np.abs(values[rows] - theirs[rows]).max() / np.abs(theirs[rows]).max()
            assert error <= limit, (name, rows, error)


@pytest.mark.parametrize("case", ["sgd", "adam"])
def test_a_state_written_by_real_caffe_goes_on_as_there(case, recorded, tmp_path):
    solver = make_solver(caffe, tmp_path, case)
    solver.restore(GOLDEN / case / "small_iter_5.solverstate")  # its learned_net's path is gone: found beside it
    assert solver.iter == 5
    for iteration in range(5, ITERATIONS):
        solver.step(1)
        for name in ("ip1", "ip2"):
            theirs = recorded[f"{case}/{name}/0"][iteration]
            np.testing.assert_allclose(solver.net.params[name][0].data, theirs, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_a_restored_run_is_the_uninterrupted_one_bit_for_bit(case, form, tmp_path):
    whole = run_case(caffe, tmp_path, case)
    first = make_solver(caffe, tmp_path, case)
    first.param.snapshot_format = getattr(caffe.proto.caffe_pb2.SolverParameter, form)
    first.step(5)
    first.snapshot()
    second = make_solver(caffe, tmp_path, case)
    second.restore(tmp_path / ("small_iter_5.solverstate" + (".h5" if form == "HDF5" else "")))
    second.step(ITERATIONS - 5)
    for name in ("ip1", "ip2"):
        for i, blob in enumerate(second.net.params[name]):
            np.testing.assert_array_equal(blob.data, whole[f"{name}/{i}"][-1])
