"""Caffe for today's machines: pycaffe's interface on PyTorch.

Names are loaded when first used, so that `import caffe` costs nothing that is not needed: only the messages,
`caffe.proto.caffe_pb2`, are there at once, as scripts use them without importing them.
"""

from importlib import import_module
from typing import Any

from caffe.proto.caffe_pb2 import TEST, TRAIN

__version__ = "1.0.0"  # the Caffe whose behaviour this is

_SUBMODULES = ("_caffe", "classifier", "coord_map", "detector", "draw", "io", "layer_types", "net_spec", "pycaffe")
_HOMES = {
    "Net": "net",
    "Blob": "blob",
    "Layer": "layer_types",
    "layer_type_list": "layer_types",
    "CaffeError": "errors",
    "Classifier": "classifier",
    "Detector": "detector",
    "Timer": "timer",
    "set_random_seed": "random.rng",
    "layers": "net_spec",
    "params": "net_spec",
    "NetSpec": "net_spec",
    "to_proto": "net_spec",
    "init_log": "log_setup",
    "log": "glog",
    **dict.fromkeys(("get_solver", "SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver",
                     "AdamSolver"), "training.solvers"),
    **dict.fromkeys(("set_mode_cpu", "set_mode_gpu", "set_device", "solver_count", "set_solver_count", "solver_rank",
                     "set_solver_rank", "set_multiprocess", "has_nccl"), "context"),
    "NCCL": "training.parallel",
}
_RENAMED = {"set_random_seed": "seed_main"}

__all__ = ["TEST", "TRAIN", *_HOMES, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"caffe.{_HOMES[name]}"), _RENAMED.get(name, name))
    elif name in _SUBMODULES:
        value = import_module(f"caffe.{name}")
    else:
        raise AttributeError(f"module 'caffe' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
