"""pycaffe's module of this name: the net, its solvers and what goes with them."""

from typing import Any

import caffe

_NAMES = ("Net", "SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver", "AdamSolver",
          "NCCL", "Timer")


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(caffe, name)
    raise AttributeError(f"module 'caffe.pycaffe' has no attribute '{name}'")
