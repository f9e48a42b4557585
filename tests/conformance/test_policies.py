"""Learning-rate policies bit for bit as in real Caffe 1.0: golden/policies.npz, by make_policy_golden.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from policy_cases import POLICIES, rates

import caffe

GOLDEN = Path(__file__).resolve().parent / "golden" / "policies.npz"


@pytest.mark.parametrize("policy", POLICIES)
def test_every_rate_is_real_caffes_to_the_bit(policy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.load(GOLDEN) as recorded:
        theirs = recorded[policy]
    np.testing.assert_array_equal(rates(caffe, policy).view(np.uint32), theirs.view(np.uint32))
