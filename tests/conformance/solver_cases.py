"""Small training runs that real Caffe 1.0 and the engine both make: a table, and the code that runs one.

Runs in both engines (Python 3.9, numpy 1.19). The net is fed by Input blobs whose values stay; weights are set from
a seed, so nothing depends on either engine's random numbers.
"""

import os

import numpy as np

NET = """
name: "small"
layer { name: "in" type: "Input" top: "data" top: "label" input_param { shape { dim: 8 dim: 6 } shape { dim: 8 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 5 weight_filler { type: "constant" } } }
layer { name: "relu" type: "ReLU" bottom: "ip1" top: "ip1" relu_param { negative_slope: 0.1 } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 3 weight_filler { type: "constant" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""

ITERATIONS = 12

CASES = {
    "sgd": 'type: "SGD" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9',
    "sgd_l2": 'type: "SGD" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.05',
    "sgd_l1": 'type: "SGD" base_lr: 0.1 lr_policy: "fixed" weight_decay: 0.05 regularization_type: "L1"',
    "sgd_clip": 'type: "SGD" base_lr: 0.5 lr_policy: "fixed" momentum: 0.5 clip_gradients: 0.3 weight_decay: 0.01',
    "sgd_iter_size": 'type: "SGD" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 iter_size: 3 weight_decay: 0.01',
    "policy_step": 'base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 3',
    "policy_exp": 'base_lr: 0.5 lr_policy: "exp" gamma: 0.9',
    "policy_inv": 'base_lr: 0.5 lr_policy: "inv" gamma: 0.1 power: 0.75',
    "policy_multistep": 'base_lr: 0.5 lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 5 stepvalue: 9',
    "policy_poly": 'base_lr: 0.5 lr_policy: "poly" power: 2 max_iter: 20',
    "policy_sigmoid": 'base_lr: 0.5 lr_policy: "sigmoid" gamma: 0.5 stepsize: 6',
    "nesterov": 'type: "Nesterov" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01',
    "adagrad": 'type: "AdaGrad" base_lr: 0.1 lr_policy: "fixed" delta: 1e-6 weight_decay: 0.01',
    "rmsprop": 'type: "RMSProp" base_lr: 0.01 lr_policy: "fixed" rms_decay: 0.92 weight_decay: 0.01',
    "rmsprop_thesis": 'type: "RMSProp" base_lr: 0.01 lr_policy: "inv" gamma: 0.01 power: 0.472 rms_decay: 0.92 '
                      "clip_gradients: 10",
    "adadelta": 'type: "AdaDelta" base_lr: 1 lr_policy: "fixed" momentum: 0.95 delta: 1e-6',
    "adam": 'type: "Adam" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 momentum2: 0.999 delta: 1e-8',
}


def make_solver(caffe, folder, case):
    """The case's solver on the small net, weights and inputs set."""
    return solver_of(caffe, folder, CASES[case])


def solver_of(caffe, folder, text, prefix="small"):
    """A solver of these settings on the small net, weights and inputs set; its snapshots start with `prefix`."""
    net_file = os.path.join(str(folder), f"{prefix}.prototxt")
    solver_file = os.path.join(str(folder), f"{prefix}_solver.prototxt")
    with open(net_file, "w") as out:
        out.write(NET)
    with open(solver_file, "w") as out:
        # snapshot_prefix is there for snapshots that a test asks for
        snapshots = os.path.join(str(folder), prefix)
        out.write(f'net: "{net_file}" snapshot_prefix: "{snapshots}" random_seed: 1 {text}\n')
    solver = caffe.get_solver(solver_file)
    random = np.random.RandomState(15485863)
    for name in ("ip1", "ip2"):
        for blob in solver.net.params[name]:
            blob.data[...] = random.randn(*blob.data.shape) * 0.5
    solver.net.blobs["data"].data[...] = random.randn(8, 6)
    solver.net.blobs["label"].data[...] = random.randint(0, 3, 8)
    return solver


def run_case(caffe, folder, case, iterations=ITERATIONS):
    """{"loss": one per iteration, "<layer>/<i>": the parameter after each iteration, stacked}."""
    solver = make_solver(caffe, folder, case)
    rows = {}
    for _ in range(iterations):
        solver.step(1)
        rows.setdefault("loss", []).append(float(solver.net.blobs["loss"].data))
        for name in ("ip1", "ip2"):
            for i, blob in enumerate(solver.net.params[name]):
                rows.setdefault(f"{name}/{i}", []).append(blob.data.copy())
    return {name: np.asarray(values, np.float32) for name, values in rows.items()}
