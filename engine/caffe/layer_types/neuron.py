"""Layers that treat each number by itself: ReLU, Dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.proto.caffe_pb2 import TRAIN
from caffe.random import rng


class Neuron(TensorLayer):
    """One bottom, one top of its shape (include/caffe/layers/neuron_layer.hpp)."""

    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._in_place = top[0] is bottom[0]
        top[0].reshape(*bottom[0].shape)


@register
class ReLU(Neuron):
    """y = max(x, 0) + negative_slope · min(x, 0); at 0 the gradient is negative_slope.

    In place, y's sign decides about the gradient, as x is gone. Source: src/caffe/layers/relu_layer.cpp.
    """

    type = "ReLU"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [_Rectify.apply(bottoms[0], self.layer_param.relu_param.negative_slope, self._in_place)]


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, slope: float, in_place: bool) -> torch.Tensor:
        y = functional.leaky_relu(x, slope) if slope else torch.relu(x)
        ctx.slope = slope
        ctx.save_for_backward(y if in_place else x)
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (values,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(gradient, values, ctx.slope, False), None, None


@register
class Dropout(Neuron):
    """TRAIN: y = x · m / (1 − dropout_ratio), each m drawn as 1 with probability 1 − dropout_ratio, or 0.

    TEST: y = x. The draws come from the main random stream on every device, so that a seed gives the same
    masks everywhere.
    Source: src/caffe/layers/dropout_layer.cpp.
    """

    type = "Dropout"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ratio = self.layer_param.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            raise self.fault(f"dropout_ratio is {ratio:g}; it must be at least 0 and less than 1")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x = bottoms[0]
        if self.phase != TRAIN:
            return [x.clone()]
        keep = 1 - self.layer_param.dropout_param.dropout_ratio
        drawn = torch.as_tensor(rng.main().bernoulli(keep, x.numel()))
        mask = drawn.to(device=x.device, dtype=x.dtype).view_as(x)
        return [x * mask * (1 / keep)]
