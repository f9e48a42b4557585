"""Convolution's relatives: Deconvolution, and Im2col, which only lays the windows out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.vision import Convolution

_TRANSPOSED: dict[int, Callable] = {
    1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@register
class Deconvolution(Convolution):
    """Convolution's forward and backward exchanged: each number of the bottom spreads a kernel over the top.

    Weights are channels × num_output/group × kernel. A side of length L becomes
    stride·(L − 1) + dilation·(kernel − 1) + 1 − 2·pad. Up to 3 sides. Source: src/caffe/layers/deconv_layer.cpp.
    """

    type = "Deconvolution"

    def weight_shape(self) -> tuple[int, ...]:
        param = self.layer_param.convolution_param
        return (self._channels, param.num_output // param.group, *self._kernel)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self._sides not in _TRANSPOSED:
            raise self.fault(f"takes 1 to 3 sides behind its channels, not {self._sides}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.check_bottoms(bottom)
        lengths = [s * (n - 1) + d * (k - 1) + 1 - 2 * p for n, k, s, p, d in zip(
            bottom[0].shape[self._axis + 1:], self._kernel, self._stride, self._pad, self._dilation)]
        if any(n < 1 for n in lengths):
            raise self.fault(f"a bottom of shape {bottom[0].shape_string()} would give sides of {lengths}; reduce pad")
        for blob in top:
            blob.reshape(*bottom[0].shape[:self._axis], self.layer_param.convolution_param.num_output, *lengths)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        bias = params[1] if len(params) > 1 else None
        group = self.layer_param.convolution_param.group
        return [_TRANSPOSED[self._sides](x.reshape(-1, *x.shape[self._axis:]), params[0], bias, self._stride, self._pad,
                                         0, group, self._dilation) for x in bottoms]


@register
class Im2col(TensorLayer):
    """The windows of an image (N, C, H, W) as (N, C·kernel, windows down, windows across).

    Source: src/caffe/layers/im2col_layer.cpp.
    """

    type = "Im2col"
    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes != 4 or self.layer_param.convolution_param.axis not in (1, -3):
            raise self.fault(f"takes bottoms of 4 axes (N, C, H, W), not of shape {bottom[0].shape_string()}")
        self._kernel = self._pair("kernel_size", 0)
        self._stride, self._pad = self._pair("stride", 1), self._pair("pad", 0)
        self._dilation = self._pair("dilation", 1)
        if 0 in self._kernel + self._stride + self._dilation:
            raise self.fault("needs a kernel_size, and strides and dilations of 1 or more")
        n, channels, *plane = bottom[0].shape
        windows = [(length + 2 * p - (d * (k - 1) + 1)) // s + 1 for length, k, s, p, d in zip(
            plane, self._kernel, self._stride, self._pad, self._dilation)]
        if any(count < 1 for count in windows):
            raise self.fault(f"a kernel of {self._kernel} does not fit into {plane} with pad {self._pad}")
        top[0].reshape(n, channels * self._kernel[0] * self._kernel[1], *windows)

    def _pair(self, name: str, default: int) -> tuple[int, int]:
        param = self.layer_param.convolution_param
        short = name.split("_")[0]
        named = (f"{short}_h", f"{short}_w")
        if short != "dilation" and any(param.HasField(field) for field in named):
            return (getattr(param, named[0]), getattr(param, named[1]))
        values = list(getattr(param, name)) or [default]
        return (values[0], values[-1])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [functional.unfold(bottoms[0], self._kernel, self._dilation, self._pad, self._stride)]
