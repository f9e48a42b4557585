"""Short trainings of oddly built nets by the `caffe` command, in real Caffe 1.0 and here alike, for what the log says.

Shared parameters, include and exclude rules, inline nets, several test nets, outputs of several values, tops without a
name, stopped gradients, old formats, BatchNorm with Scale: name → (net, solver, further flags).
"""

from __future__ import annotations

from pathlib import Path

_DATA = """layer { name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 4 dim: 6 } shape { dim: 4 } data_filler { type: "gaussian" std: 1 } data_filler { value: 1 } } }
"""
_LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "y" top: "loss" }\n'
_SOLVER = 'random_seed: 5 base_lr: 0.05 lr_policy: "fixed" display: 1 max_iter: 3 test_interval: 2 '


def _ip(name: str, bottom: str, outputs: int, more: str = "") -> str:
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" {more} '
            f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}\n')


_STOPPED = _DATA + _ip("a", "x", 3) + _ip("b", "a", 3, "propagate_down: false") + _LOSS % "b"
_OUTPUTS = (_DATA + _ip("a", "x", 3) + _LOSS % "a" + _ip("o", "x", 2, "loss_weight: 0.25")
            + 'layer { name: "auto" type: "EuclideanLoss" bottom: "a" bottom: "a" loss_weight: 0.5 }\n'
            + 'layer { name: "quiet" type: "Silence" bottom: "o" }\n'
            + 'layer { name: "acc" type: "Accuracy" bottom: "a" bottom: "y" top: "acc" top: "per class" '
              "include { phase: TEST } }\n")
_RULES = (_DATA + _ip("a", "x", 2, 'include { phase: TRAIN min_level: 1 } include { stage: "s1" not_stage: "s2" } '
                                   "include { max_level: 0 phase: TEST }")
          + _ip("c", "x", 3, 'exclude { stage: "zz" } exclude { phase: TRAIN }') + _ip("b", "x", 6) + _LOSS % "b")
_NORMALIZED = (_DATA.replace("dim: 4 dim: 6", "dim: 4 dim: 2 dim: 3 dim: 3") + """
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn"
  param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 } }
layer { name: "sc" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "conv" type: "Convolution" bottom: "bn" top: "conv" convolution_param { num_output: 3 kernel_size: 3
  weight_filler { type: "msra" } } }
layer { name: "flat" type: "Flatten" bottom: "conv" top: "flat" }
""" + _LOSS % "flat")
_OLD = """name: "old" layers { name: "d" type: DUMMY_DATA top: "x" top: "y" dummy_data_param { num: 4 channels: 6
  height: 1 width: 1 num: 4 channels: 1 height: 1 width: 1 data_filler { type: "uniform" } data_filler { value: 1 } } }
layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "ip" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "ip" bottom: "y" top: "loss" }
"""

CASES: dict[str, tuple[str, str, list[str]]] = {
    "shared": (_DATA + _ip("a", "x", 6, 'param { name: "w" } param { name: "b" }')
               + _ip("b", "a", 6, 'param { name: "w" lr_mult: 1 } param { name: "b" }') + _LOSS % "b",
               _SOLVER + 'net: "net" debug_info: true test_iter: 1 test_initialization: false', []),
    "rules": (_RULES, _SOLVER + 'net: "net" test_iter: 1 test_iter: 1 train_state { stage: "q" level: 5 } '
              'test_state { stage: "s1" } test_state { stage: "zz" }', ["--level=2", "--stage=s1,s3"]),
    "outputs": (_OUTPUTS, _SOLVER + 'net: "net" test_iter: 2 test_compute_loss: true', []),
    "forced": ("force_backward: true debug_info: true\n" + _STOPPED, _SOLVER + 'net: "net" display: 0', []),
    "inline": ("", _SOLVER + f'net_param {{ name: "inline" {_STOPPED} }} test_net_param {{ {_OUTPUTS} }} test_iter: 1 '
               'test_iter: 2 snapshot: 2 snapshot_prefix: "."', []),
    "normalized": (_NORMALIZED, _SOLVER + 'net: "net" test_iter: 2 snapshot_prefix: "o" snapshot_diff: true', []),
    # BatchNorm's own lr_mult: 0 is not the net's: its backward runs, and so does that of the layers under it
    "undeclared": (_NORMALIZED.replace("param { lr_mult: 0 }", ""), _SOLVER + 'net: "net"', []),
    "old": (_OLD, "solver_type: NESTEROV momentum: 0.5 " + _SOLVER + 'net: "net" test_iter: 1', []),
}


def command(case: str, folder: Path) -> list[str]:
    """Write the case's files; what to run as `caffe` in that folder."""
    net, solver, flags = CASES[case]
    (folder / "net").write_text(net)
    solver = solver.replace("display: 1 ", "") if "display: 0" in solver else solver
    (folder / "solver.prototxt").write_text(solver + "\n")
    return ["train", "-solver", "solver.prototxt", *flags]
