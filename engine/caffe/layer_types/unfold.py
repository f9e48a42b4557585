"""Convolution's relatives: Deconvolution, and Im2col, which only lays the windows out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import register
from caffe.layer_types.vision import Convolution, Windows

_TRANSPOSED: dict[int, Callable] = {
    1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@register
class Deconvolution(Convolution):
    """Convolution's forward and backward exchanged: each number of the bottom spreads a kernel over the top.

    Weights are channels × num_output/group × kernel. A side of length L becomes
    stride·(L − 1) + dilation·(kernel − 1) + 1 − 2·pad. Any number of sides. Source: src/caffe/layers/deconv_layer.cpp.
    """

    type = "Deconvolution"

    def weight_shape(self) -> tuple[int, ...]:
        param = self.layer_param.convolution_param
        return (self._channels, param.num_output // param.group, *self._kernel)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.check_bottoms(bottom)
        lengths = [s * (n - 1) + d * (k - 1) + 1 - 2 * p for n, k, s, p, d in zip(
            bottom[0].shape[self._axis + 1:], self._kernel, self._stride, self._pad, self._dilation)]
        if any(n < 1 for n in lengths):
            raise self.fault(f"a bottom of shape {bottom[0].shape_string()} would give sides of {lengths}; reduce pad")
        self._lengths = lengths
        for blob in top:
            blob.reshape(*bottom[0].shape[:self._axis], self.layer_param.convolution_param.num_output, *lengths)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        bias = params[1] if len(params) > 1 else None
        group = self.layer_param.convolution_param.group
        tops = []
        for x in bottoms:
            x = x.reshape(-1, *x.shape[self._axis:])
            if self._sides in _TRANSPOSED and 0 not in self._dilation:
                tops.append(_TRANSPOSED[self._sides](x, params[0], bias, self._stride, self._pad, 0, group,
                                                     self._dilation))
            else:
                tops.append(self._spread(x, params[0], bias, group))
        return tops

    def _spread(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, group: int) -> torch.Tensor:
        """Deconvolution over any number of sides: one matrix product gives all windows, which are then added up."""
        padded = [n + 2 * p for n, p in zip(self._lengths, self._pad)]
        # where in the padded top each number of each window goes: kernel × windows
        places = self.columns(torch.arange(prod(padded), device=x.device).reshape(1, 1, *padded)).reshape(-1)
        pixels = x.reshape(len(x), group, x.shape[1] // group, prod(x.shape[2:]))
        kernels = weight.reshape(group, x.shape[1] // group, -1).transpose(1, 2)
        outputs = group * weight.shape[1]
        windows = (kernels @ pixels).reshape(len(x), outputs, len(places))
        y = x.new_zeros(len(x), outputs, prod(padded)).index_add(2, places, windows).reshape(len(x), outputs, *padded)
        for side, (pad, length) in enumerate(zip(self._pad, self._lengths), 2):
            y = y.narrow(side, pad, length)
        return y if bias is None else y + bias.reshape(-1, *[1] * self._sides)


@register
class Im2col(Windows):
    """The windows of an image (…, C, sides…) as (…, C·kernel, windows…), for any number of sides.

    `force_nd_im2col` changes nothing here. Source: src/caffe/layers/im2col_layer.cpp.
    """

    type = "Im2col"
    bottoms = 1
    tops = 1

    def gives_unasked(self, bottom_index: int) -> bool:
        return True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if not self._sides:
            raise self.fault(f"needs axes behind its channel axis {self._axis}; the bottom has shape "
                             f"{bottom[0].shape_string()}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes != self._axis + 1 + self._sides:
            raise self.fault(f"was set up for {self._axis + 1 + self._sides} axes; the bottom has shape "
                             f"{bottom[0].shape_string()}")
        self.count_windows(bottom[0])
        shape = bottom[0].shape
        top[0].reshape(*shape[:self._axis], shape[self._axis] * prod(self._kernel), *self._windows)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x = bottoms[0].reshape(-1, *bottoms[0].shape[self._axis:])
        return [self.columns(self.pad_sides(self.reach_beyond(x)))]
