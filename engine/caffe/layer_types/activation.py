"""Layers that put each number through a function: AbsVal, BNLL, Clip, ELU, Exp, Log, Power, PReLU, Sigmoid, …"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, log

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.neuron import Neuron
from caffe.layer_types.support import make_parameters
from caffe.proto import caffe_pb2


class Function(Neuron):
    """y = f(x), number by number; subclasses write `function`."""

    def function(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [self.function(bottoms[0])]


@register
class AbsVal(Function):
    """y = |x|; the gradient at 0 is 0. Not in place. Source: src/caffe/layers/absval_layer.cpp."""

    type = "AbsVal"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if top[0] is bottom[0]:
            raise self.fault("cannot be in place; give its top a name of its own")

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


@register
class BNLL(Function):
    """y = log(1 + exp(x)). Source: src/caffe/layers/bnll_layer.cpp."""

    type = "BNLL"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return functional.softplus(x, threshold=50)


@register
class Clip(Function):
    """y = min(max(x, clip_param.min), clip_param.max); the gradient passes at the limits.

    Source: src/caffe/layers/clip_layer.cpp.
    """

    type = "Clip"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.clip_param
        if self.layer_param.HasField("clip_param") and not (param.HasField("min") and param.HasField("max")):
            raise self.fault("clip_param needs both min and max")

    def function(self, x: torch.Tensor) -> torch.Tensor:
        param = self.layer_param.clip_param
        return x.clamp(param.min, param.max)


@register
class ELU(Function):
    """y = x above 0, else alpha · (exp(x) − 1). Source: src/caffe/layers/elu_layer.cpp."""

    type = "ELU"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return functional.elu(x, self.layer_param.elu_param.alpha)


@register
class Exp(Function):
    """y = base^(scale · x + shift), base e if it is −1. Source: src/caffe/layers/exp_layer.cpp."""

    type = "Exp"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.exp_param
        log_base = _log_base(self, param.base)
        self._inner = log_base * param.scale
        self._outer = exp(log_base * param.shift)

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self._inner).exp() * self._outer


@register
class Log(Function):
    """y = log_base(scale · x + shift), base e if it is −1. Source: src/caffe/layers/log_layer.cpp."""

    type = "Log"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        log_base = _log_base(self, self.layer_param.log_param.base)
        if not log_base:
            raise self.fault("log_param's base is 1, which has no logarithm to divide by; choose another")
        self._outer = 1 / log_base

    def function(self, x: torch.Tensor) -> torch.Tensor:
        param = self.layer_param.log_param
        return (x * param.scale + param.shift).log() * self._outer


def _log_base(layer: TensorLayer, base: float) -> float:
    if base == -1:
        return 1.0
    if base <= 0 or not isfinite(base):
        raise layer.fault(f"base is {base:g}; it must be above 0, or −1 for e")
    return log(base)


@register
class Power(Function):
    """y = (shift + scale · x)^power; where scale · power is 0 a constant, without gradient.

    Source: src/caffe/layers/power_layer.cpp.
    """

    type = "Power"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        param = self.layer_param.power_param
        inner = x * param.scale + param.shift
        if param.scale * param.power == 0:
            inner = torch.full_like(x, param.shift)
        return inner if param.power == 1 else inner.pow(param.power)


@register
class Sigmoid(Function):
    """y = 1 / (1 + exp(−x)). Source: src/caffe/layers/sigmoid_layer.cpp."""

    type = "Sigmoid"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return x.sigmoid()


@register
class Swish(Function):
    """y = x / (1 + exp(−beta · x)). Source: src/caffe/layers/swish_layer.cpp."""

    type = "Swish"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return x * (x * self.layer_param.swish_param.beta).sigmoid()


@register
class TanH(Function):
    """y = tanh(x). Source: src/caffe/layers/tanh_layer.cpp."""

    type = "TanH"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return x.tanh()


@register
class Threshold(Function):
    """y = 1 above threshold_param.threshold, else 0; no gradient. Source: src/caffe/layers/threshold_layer.cpp."""

    type = "Threshold"

    def function(self, x: torch.Tensor) -> torch.Tensor:
        return (x > self.layer_param.threshold_param.threshold).to(x.dtype)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[0], "its bottom")
        super().backward(top, propagate_down, bottom)


@register
class PReLU(Neuron):
    """y = max(x, 0) + a · min(x, 0), with a learnt per channel (axis 1), or one for all if channel_shared.

    Parameter: a, of shape (channels) or (); filled with 0.25 if no filler is given.
    Source: src/caffe/layers/prelu_layer.cpp.
    """

    type = "PReLU"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes < 2:
            raise self.fault(f"takes at least 2 axes, its bottom has shape {bottom[0].shape_string()}")
        param = self.layer_param.prelu_param
        filler = param.filler if param.HasField("filler") else caffe_pb2.FillerParameter(type="constant", value=0.25)
        make_parameters(self, [(() if param.channel_shared else (bottom[0].shape[1],), filler)])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x, slope = bottoms[0], params[0]
        slope = slope.reshape(-1, *[1] * (x.dim() - 2))
        return [torch.where(x > 0, x, slope * x)]
