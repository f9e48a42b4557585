"""Record what real Caffe 1.0's solvers give for solver_cases.py, and one snapshot of each kind of history.

usage, inside real Caffe, from the repository's root: python3 tests/conformance/make_solver_goldens.py
"""

import os
import shutil
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
from solver_cases import CASES, make_solver, run_case

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden"
SNAPSHOTS = {"sgd": 5, "adam": 5}

results = {}
for case in CASES:
    with tempfile.TemporaryDirectory() as folder:
        for name, values in run_case(caffe, folder, case).items():
            results[f"{case}/{name}"] = values
np.savez_compressed(str(GOLDEN / "solvers.npz"), **results)

for case, iterations in SNAPSHOTS.items():
    with tempfile.TemporaryDirectory() as folder:
        solver = make_solver(caffe, folder, case)
        solver.step(iterations)
        solver.snapshot()
        for ending in ("caffemodel", "solverstate"):
            # the name stays as the state's learned_net has it
            (GOLDEN / case).mkdir(exist_ok=True)
            shutil.copy(os.path.join(folder, f"small_iter_{iterations}.{ending}"), str(GOLDEN / case))
print(f"{len(CASES)} cases")
