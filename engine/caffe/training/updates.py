"""The arithmetic of solvers: learning-rate policies, clipping, decay, and the six update rules.

Everything is in float32, in the order of Caffe's own operations (src/caffe/solvers/*.cpp), since the recursion of
some rules makes the order visible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from caffe import glog
from caffe.errors import CaffeError
from caffe.proto import caffe_pb2

f32 = np.float32


# -- learning rate -----------------------------------------------------------------------------------------------

def learning_rate(param: caffe_pb2.SolverParameter, iteration: int, current_step: int) -> tuple[float, int]:
    """(rate, current_step) at an iteration; only the policies step and multistep move current_step.

    SGDSolver::GetLearningRate in src/caffe/solvers/sgd_solver.cpp.
    """
    if param.lr_policy not in POLICIES:
        raise CaffeError(f"solver: unknown lr_policy '{param.lr_policy}'; known: {', '.join(POLICIES)}")
    if param.gamma < 0:
        raise CaffeError(f"solver: gamma must be 0 or more, it is {param.gamma:g}")
    for field in POLICIES[param.lr_policy][1]:
        if getattr(param, field) <= 0:
            raise CaffeError(f"solver: lr_policy '{param.lr_policy}' needs {field} above 0")
    if param.lr_policy == "step":
        current_step = iteration // param.stepsize
    elif _next_step_is_due(param, iteration, current_step):
        current_step += 1
        glog.info(f"MultiStep Status: Iteration {iteration}, step = {current_step}")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        rate = f32(param.base_lr * POLICIES[param.lr_policy][0](param, iteration, current_step))
    return float(rate), current_step


def _next_step_is_due(param: caffe_pb2.SolverParameter, iteration: int, current_step: int) -> bool:
    return (param.lr_policy == "multistep" and current_step < len(param.stepvalue)
            and iteration >= param.stepvalue[current_step])


Policy = Callable[[caffe_pb2.SolverParameter, int, int], float]  # (param, iteration, step) → factor of base_lr


def _gamma_to(param: caffe_pb2.SolverParameter, exponent: int) -> float:
    # C++'s pow of a float and an int is in double precision
    return float(np.float64(param.gamma) ** exponent)


def _inv(p: caffe_pb2.SolverParameter, i: int, step: int) -> float:
    return float((f32(1) + f32(p.gamma) * f32(i)) ** f32(-p.power))


def _poly(p: caffe_pb2.SolverParameter, i: int, step: int) -> float:
    return float((f32(1) - f32(i) / f32(p.max_iter)) ** f32(p.power))


def _sigmoid(p: caffe_pb2.SolverParameter, i: int, step: int) -> float:
    # by way of double precision, as the C library's expf does
    return float(f32(1) / (f32(1) + f32(np.exp(np.float64(f32(-p.gamma) * (f32(i) - f32(p.stepsize)))))))


# policy: (factor of base_lr, fields that must be above 0)
POLICIES: dict[str, tuple[Policy, tuple[str, ...]]] = {
    "fixed": (lambda p, i, step: 1.0, ()),
    "step": (lambda p, i, step: _gamma_to(p, step), ("stepsize",)),
    "exp": (lambda p, i, step: _gamma_to(p, i), ()),
    "inv": (_inv, ()),
    "multistep": (lambda p, i, step: _gamma_to(p, step), ()),
    "poly": (_poly, ("max_iter",)),
    "sigmoid": (_sigmoid, ("stepsize",)),
}


# -- before the rule -----------------------------------------------------------------------------------------------

def clipping(diffs: Sequence[torch.Tensor], limit: float) -> float:
    """The factor for all gradients with which their common L2 norm is at most `limit` (below 0: no limit)."""
    if limit < 0:
        return 1.0
    norm = float(torch.stack([torch.dot(d.reshape(-1), d.reshape(-1)) for d in diffs]).sum().sqrt()) if diffs else 0.0
    if not norm > limit:
        return 1.0
    factor = float(f32(limit) / f32(norm))
    glog.info(f"Gradient clipping: scaling down gradients (L2 norm {glog.number(norm)} > {glog.number(limit)}) "
             f"by scale factor {glog.number(factor)}")
    return factor


def regularize(diff: torch.Tensor, data: torch.Tensor, param: caffe_pb2.SolverParameter, decay_mult: float) -> None:
    """Add the decay's gradient: decay · w for L2, decay · sign(w) for L1."""
    decay = float(f32(param.weight_decay) * f32(decay_mult))
    if not decay:
        return
    if param.regularization_type not in ("L1", "L2"):
        raise CaffeError(f"solver: unknown regularization_type '{param.regularization_type}'; known: L1, L2")
    diff.add_(data if param.regularization_type == "L2" else torch.sign(data), alpha=decay)


# -- the rules: each turns the gradient in `g` into the step that is subtracted from the weights -----------------------

def _blend(history: torch.Tensor, keep: float, values: torch.Tensor) -> torch.Tensor:
    """history ← keep · history + (1 − keep) · values."""
    return history.mul_(keep).add_(values, alpha=float(f32(1) - f32(keep)))


def _sgd(g, history, rate, param, iteration):
    """h ← μh + rate·g; step h."""
    g.copy_(history[0].mul_(param.momentum).add_(g, alpha=rate))


def _nesterov(g, history, rate, param, iteration):
    """h' ← μh + rate·g; step (1 + μ)h' − μh."""
    before = history[0].clone()
    history[0].mul_(param.momentum).add_(g, alpha=rate)
    g.copy_(history[0]).mul_(float(f32(1) + f32(param.momentum))).add_(before, alpha=-param.momentum)


def _adagrad(g, history, rate, param, iteration):
    """h ← h + g²; step rate·g / (√h + δ)."""
    history[0].add_(g * g)
    g.div_(history[0].sqrt().add_(param.delta)).mul_(rate)


def _rmsprop(g, history, rate, param, iteration):
    """h ← ρh + (1 − ρ)g²; step rate·g / (√h + δ)."""
    _blend(history[0], param.rms_decay, g * g)
    g.div_(history[0].sqrt().add_(param.delta)).mul_(rate)


def _adadelta(g, history, rate, param, iteration):
    """h ← μh + (1 − μ)g²; u = g·√((k + δ) / (h + δ)); k ← μk + (1 − μ)u²; step rate·u."""
    squares, steps = history
    _blend(squares, param.momentum, g * g)
    g.mul_(((steps + param.delta) / (squares + param.delta)).sqrt())
    _blend(steps, param.momentum, g * g)
    g.mul_(rate)


def _adam(g, history, rate, param, iteration):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; step rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m / (√v + δ), t = iteration + 1."""
    mean, square = history
    _blend(mean, param.momentum, g)
    _blend(square, param.momentum2, g * g)
    beta1, beta2 = np.float64(param.momentum), np.float64(param.momentum2)  # C++'s pow of a float and an int is double
    with np.errstate(invalid="ignore", divide="ignore"):
        correction = f32(np.sqrt(1 - beta2 ** (iteration + 1)) / (1 - beta1 ** (iteration + 1)))
    g.copy_(mean / square.sqrt().add_(param.delta)).mul_(float(f32(rate) * correction))


@dataclass(frozen=True)
class Rule:
    """An update rule: its name as solver `type`, its function, its histories per parameter, its restriction."""

    name: str
    update: Callable[[torch.Tensor, list[torch.Tensor], float, caffe_pb2.SolverParameter, int], None]
    histories: int = 1
    without_momentum: bool = False


RULES = {rule.name: rule for rule in (
    Rule("SGD", _sgd),
    Rule("Nesterov", _nesterov),
    Rule("AdaGrad", _adagrad, without_momentum=True),
    Rule("RMSProp", _rmsprop, without_momentum=True),
    Rule("AdaDelta", _adadelta, histories=2),
    Rule("Adam", _adam, histories=2),
)}


# Numbers of a parameter that are updated together on a CPU: few enough that they stay in its caches from one operation
# to the next, as 61 million do not; enough that starting an operation costs little.
PIECE = 1 << 18


@dataclass(frozen=True)
class Step:
    """What an update needs to know beside the parameter: the rule, the solver's settings, the iteration, and the
    factors that the gradients are multiplied by first, one after the other."""

    rule: Rule
    param: caffe_pb2.SolverParameter
    iteration: int
    factors: Sequence[float]

    def apply(self, data: torch.Tensor, diff: torch.Tensor, history: Sequence[torch.Tensor], rate: float,
              decay_mult: float) -> None:
        """Turn a parameter's gradient, in `diff`, into its step, and take that from `data`; all of one size."""
        size = PIECE if data.device.type == "cpu" else max(1, data.numel())
        for w, g, *h in zip(*(t.view(-1).split(size) for t in (data, diff, *history))):
            for factor in self.factors:
                g.mul_(factor)
            regularize(g, w, self.param, decay_mult)
            self.rule.update(g, h, rate, self.param, self.iteration)
            w.sub_(g)


def check(rule: Rule, param: caffe_pb2.SolverParameter) -> None:
    """Raise CaffeError for settings that the rule cannot take (include/caffe/sgd_solvers.hpp)."""
    if rule.without_momentum and param.momentum:
        raise CaffeError(f"solver: {rule.name} takes no momentum; remove it or choose another type")
    if rule.name == "RMSProp" and not 0 <= param.rms_decay < 1:
        raise CaffeError(f"solver: rms_decay must lie in [0, 1), it is {param.rms_decay:g}")
    if param.iter_size < 1 or param.average_loss < 1:
        raise CaffeError("solver: iter_size and average_loss must be at least 1")
