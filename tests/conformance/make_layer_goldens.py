"""Record what real Caffe 1.0's layers give for the cases in layer_cases/; see README.md here.

usage, inside real Caffe: python3 tests/conformance/make_layer_goldens.py [FAMILY …]   (default: all families)
"""

import os
import sys

os.environ["GLOG_minloglevel"] = "2"  # leaves out the nets

from layer_cases import FAMILIES, cases, golden
from layer_cases.run import run_case

import caffe

for family in sys.argv[1:] or FAMILIES:
    results = {}
    for name, case in cases(family).items():
        print(family, name, flush=True)  # real Caffe aborts on a fault: the last name printed is the culprit
        results[name] = run_case(caffe, name, case)
    golden.save(family, results)
    print(f"{golden.path(family)}: {len(results)} cases, {golden.path(family).stat().st_size} bytes")
