"""Record what real Caffe 1.0's classifier, detector, coord_map and draw give for pycaffe_cases.py,
and its nets and solvers for pycaffe_idioms.py.

usage, inside real Caffe, from the repository's root: python3 tests/conformance/make_pycaffe_golden.py
"""

import os
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
import pycaffe_cases as cases
import pycaffe_idioms

import caffe

cases.record_drawings()
with tempfile.TemporaryDirectory() as folder:
    results = {
        **{"classify " + case: cases.classify(caffe, folder, case) for case in cases.CLASSIFIERS},
        **{"detect " + case: cases.detect(caffe, folder, case) for case in cases.DETECTORS},
        **cases.coordinates(caffe),
        **cases.drawings(caffe),
        **{"idiom " + name: value for name, value in pycaffe_idioms.idioms(caffe, folder).items()},
    }
np.savez_compressed(str(Path(__file__).resolve().parent / "golden" / "pycaffe.npz"), **results)
print(f"{len(results)} results")
