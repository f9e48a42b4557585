"""Record real Caffe 1.0's learning rates for policy_cases.py in golden/policies.npz.

usage, inside real Caffe: python3 tests/conformance/make_policy_golden.py
"""

import os
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
from policy_cases import POLICIES, rates

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden" / "policies.npz"

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    found = {policy: rates(caffe, policy) for policy in POLICIES}
    os.chdir("/")
np.savez_compressed(GOLDEN, **found)
