"""Record what real Caffe 1.0's Data layer gives for data_cases.py in golden/data_layer.npz.

usage, inside real Caffe: python3 tests/conformance/make_data_golden.py
"""

import os
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
from data_cases import CASES, GOLDEN, make_sources, run_case

import caffe

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    make_sources(Path(folder))
    results = {}
    for name in CASES:
        print(name, flush=True)
        results.update({f"{name}/{array}": values for array, values in run_case(caffe, name).items()})
np.savez_compressed(GOLDEN, **results)
print(GOLDEN, GOLDEN.stat().st_size, "bytes")
