"""Layers that divide by what surrounds a number: LRN, BatchNorm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.support import make_parameters
from caffe.proto import caffe_pb2


@register
class LRN(TensorLayer):
    """Local response normalisation over `local_size` (odd, n) neighbours, for bottoms of 4 axes.

    ACROSS_CHANNELS: y = x / (k + alpha/n · Σ x²)^beta, the sum over n channels around x's own.
    WITHIN_CHANNEL: y = x / (1 + alpha/n² · Σ x²)^beta, the sum over n × n pixels around; k plays no part.
    Outside the image all numbers are 0. Source: src/caffe/layers/lrn_layer.cpp.
    """

    type = "LRN"
    bottoms = 1
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.layer_param.lrn_param.local_size % 2 == 0:
            raise self.fault(f"local_size is {self.layer_param.lrn_param.local_size}; it must be odd")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes != 4:
            raise self.fault(f"takes bottoms of 4 axes (N, C, H, W), not of shape {bottom[0].shape_string()}")
        top[0].reshape(*bottom[0].shape)

    def gives_unasked(self, bottom_index: int) -> bool:
        return self.layer_param.lrn_param.norm_region == self.layer_param.lrn_param.ACROSS_CHANNELS

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x = bottoms[0]
        lrn = self.layer_param.lrn_param
        around = lrn.local_size // 2
        if lrn.norm_region == lrn.WITHIN_CHANNEL:
            mean = functional.avg_pool2d(x * x, lrn.local_size, 1, around)
            return [x * (1 + lrn.alpha * mean) ** -lrn.beta]
        channel = torch.arange(x.shape[1], device=x.device)
        neighbours = ((channel[:, None] - channel).abs() <= around).to(x.dtype)
        total = (neighbours @ (x * x).flatten(2)).view_as(x)
        return [x * (lrn.k + lrn.alpha / lrn.local_size * total) ** -lrn.beta]


@register
class BatchNorm(TensorLayer):
    """y = (x − mean) / √(var + eps), per channel (axis 1); no learned factor or shift: Scale does that.

    Blobs: running sum of means, running sum of variances, their weight s; no solver may touch them, so their
    lr_mult is 0.
    Batch statistics (TRAIN, or use_global_stats: false): mean and variance (÷ m) over a channel's m numbers;
    every forward makes s ← f·s + 1 and blob ← f·blob + statistic, with the variance ÷ (m − 1) here; f is
    moving_average_fraction. Global statistics (TEST): blobs ÷ s, or 0 if s is 0; constants for backward.
    Source: src/caffe/layers/batch_norm_layer.cpp.
    """

    type = "BatchNorm"
    bottoms = 1
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.batch_norm_param
        given = param.HasField("use_global_stats")
        self._global = param.use_global_stats if given else self.phase == caffe_pb2.TEST
        if bottom[0].num_axes < 2:
            raise self.fault(f"bottom of shape {bottom[0].shape_string()} has no channel axis (axis 1)")
        self._channels = bottom[0].shape[1]
        zeros = caffe_pb2.FillerParameter()
        make_parameters(self, [(shape, zeros) for shape in ((self._channels,), (self._channels,), (1,))])
        self._keep_from_solver()

    def _keep_from_solver(self) -> None:
        for i in range(len(self.blobs)):
            if i == len(self.layer_param.param):
                self.layer_param.param.add(lr_mult=0)
            elif self.layer_param.param[i].lr_mult != 0:
                raise self.fault("its blobs are statistics, not to be learnt: "
                                 "remove its param messages or give each lr_mult: 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes < 2 or bottom[0].shape[1] != self._channels:
            raise self.fault(f"was set up for {self._channels} channels (axis 1); "
                             f"the bottom has shape {bottom[0].shape_string()}")
        top[0].reshape(*bottom[0].shape)

    def gives_unasked(self, bottom_index: int) -> bool:
        return True

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x = bottoms[0]
        if not x.numel():
            return [x.clone()]  # a batch of nothing, as a Filter can leave, has no statistics
        eps = self.layer_param.batch_norm_param.eps
        if self._global:
            per_channel = [1, self._channels] + [1] * (x.dim() - 2)
            mean_sum, var_sum, weight = (p.detach() for p in params)
            scale = torch.where(weight == 0, 0, 1 / weight)
            mean, var = (scale * mean_sum).view(per_channel), (scale * var_sum).view(per_channel)
            return [(x - mean) / (var + eps).sqrt()]
        y, mean, var = _Normalise.apply(x, eps)
        self._update(mean, var, x.numel() // self._channels)
        return [y]

    def _update(self, mean: torch.Tensor, var: torch.Tensor, m: int) -> None:
        fraction = self.layer_param.batch_norm_param.moving_average_fraction
        unbiased = var * (m / (m - 1)) if m > 1 else var
        for blob, value in zip(self.blobs, (mean, unbiased, torch.ones_like(mean[:, :1]))):
            blob.mutable_tensor().mul_(fraction).add_(value.reshape(blob.shape))


class _Normalise(torch.autograd.Function):
    """y = (x − mean) / √(var + eps) per channel (axis 1), with the mean and the variance of x; these too, 1 × C × 1 …

    ∂x = (∂y − mean(∂y) − y · mean(∂y · y)) / √(var + eps), which torch has in one piece; its forward rounds more than
    this one.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        others = [i for i in range(x.dim()) if i != 1]
        mean = x.mean(others, keepdim=True)
        centred = x - mean
        var = (centred * centred).mean(others, keepdim=True)
        root = (var + eps).sqrt()
        ctx.eps = eps
        ctx.save_for_backward(x, mean, root)
        ctx.mark_non_differentiable(mean, var)
        return centred.div_(root), mean, var

    @staticmethod
    def backward(ctx, gradient: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, mean, root = ctx.saved_tensors
        found = torch.ops.aten.native_batch_norm_backward(
            gradient, x, None, None, None, mean.flatten(), (1 / root).flatten(), True, ctx.eps, [True, False, False])
        return found[0], None
