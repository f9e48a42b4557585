"""Solver states that the engine writes, in both forms, restored by real Caffe, where it is built."""

from __future__ import annotations

import numpy as np
import pytest

import caffe

NET = """
layer { name: "d" type: "DummyData" top: "x" top: "l" dummy_data_param {
  shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } data_filler { type: "uniform" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "l" top: "loss" }
"""
RESTORE = """
import sys
import numpy as np
import caffe
solver = caffe.AdamSolver("solver.prototxt")
solver.restore(sys.argv[1])
np.save("restored.npy", solver.net.params["ip"][0].data)
print(solver.iter)
solver.step(1)
"""


@pytest.mark.parametrize(("form", "ending"), [("HDF5", ".h5"), ("BINARYPROTO", "")])
def test_real_caffe_goes_on_from_our_state(form, ending, real_caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "restore.py").write_text(RESTORE)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 type: "Adam" snapshot_prefix: "ours" '
        f"snapshot_format: {form} solver_mode: CPU random_seed: 1")
    solver = caffe.get_solver("solver.prototxt")
    solver.step(2)
    solver.snapshot()
    done = real_caffe(tmp_path, "python3", "restore.py", f"ours_iter_2.solverstate{ending}")
    assert done.stdout.split() == ["2"], done.stderr
    np.testing.assert_array_equal(np.load("restored.npy"), solver.net.params["ip"][0].data)
