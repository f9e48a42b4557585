"""Learning rates of long runs, in the engine and in real Caffe 1.0 (Python 3.9, numpy 1.19) alike."""

from __future__ import annotations

import numpy as np

ITERATIONS = 121
NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 dim: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "x" top: "loss" }
"""
POLICIES = {
    "fixed": 'lr_policy: "fixed"',
    "step": 'lr_policy: "step" gamma: 0.7 stepsize: 7',
    "exp": 'lr_policy: "exp" gamma: 0.97',
    "exp_rising": 'lr_policy: "exp" gamma: 10',  # beyond single precision at the end
    "inv": 'lr_policy: "inv" gamma: 0.01 power: 0.75',
    "multistep": 'lr_policy: "multistep" gamma: 0.3 stepvalue: 5 stepvalue: 6 stepvalue: 50',
    "poly": 'lr_policy: "poly" power: 0.9 max_iter: 120',  # 0 at the end
    "poly_past_the_end": 'lr_policy: "poly" power: 2 max_iter: 90',
    "sigmoid": 'lr_policy: "sigmoid" gamma: 0.1 stepsize: 40',
}


def rates(caffe, policy: str) -> np.ndarray:
    """The rate before each iteration, float32; files are written to the working folder."""
    with open("net.prototxt", "w") as file:
        file.write(NET)
    with open("solver.prototxt", "w") as file:
        file.write(f'net: "net.prototxt" base_lr: 0.013 {POLICIES[policy]}')
    solver = caffe.SGDSolver("solver.prototxt")
    found = []
    for _ in range(ITERATIONS):
        found.append(solver.lr)
        solver.step(1)
    return np.array(found, np.float32)
