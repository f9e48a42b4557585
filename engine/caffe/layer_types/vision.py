"""Layers that move a window over the axes behind the channel axis: Convolution, and what its relatives share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, trunc

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.support import axis_of, make_parameters

_CONVOLUTIONS: dict[int, Callable] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class Windows(TensorLayer):
    """A layer with convolution_param's windows over the sides, the axes behind the channel axis (`axis`).

    Kernel, stride, pad and dilation are given once for all sides, once per side, or (but for dilation) by name for
    height and width. A dilation of 0, which Caffe takes, puts all of a kernel onto one number.
    Source: src/caffe/layers/base_conv_layer.cpp, im2col_layer.cpp.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._axis = axis_of(self, bottom[0], self.layer_param.convolution_param.axis)
        self._sides = bottom[0].num_axes - self._axis - 1
        self._channels = bottom[0].shape[self._axis]
        self._kernel = self._per_side("kernel_size", ("kernel_h", "kernel_w"), None)
        self._stride = self._per_side("stride", ("stride_h", "stride_w"), 1)
        self._pad = self._per_side("pad", ("pad_h", "pad_w"), 0)
        self._dilation = self._per_side("dilation", (), 1)
        if 0 in self._kernel + self._stride:
            raise self.fault("kernel sizes and strides must be 1 or more")

    def _per_side(self, name: str, named: tuple[str, ...], default: int | None) -> tuple[int, ...]:
        """A setting for each side: given once, once per side, or by the names for height and width."""
        param = self.layer_param.convolution_param
        values = list(getattr(param, name))
        if any(param.HasField(field) for field in named):
            if values:
                raise self.fault(f"has both {name} and {' or '.join(named)}; give one kind")
            if self._sides != 2:
                raise self.fault(f"{' and '.join(named)} are for 2 sides; the bottom has {self._sides} "
                                 f"behind its channels: give {name} once per side")
            return tuple(getattr(param, field) for field in named)
        if not values and default is not None:
            return (default,) * self._sides
        if len(values) not in (1, self._sides):
            raise self.fault(f"has {len(values)} {name}; give it once, or {self._sides} times, once per side")
        return tuple(values * self._sides if len(values) == 1 else values)

    def check_bottoms(self, bottom: Sequence[Blob]) -> None:
        """Raise unless all bottoms have one shape, and the number of channels that the layer was set up for."""
        shape = bottom[0].shape
        if len(shape) != self._axis + 1 + self._sides or shape[self._axis] != self._channels:
            raise self.fault(f"its weights take {self._channels} channels on axis {self._axis} and "
                             f"{self._sides} side(s) behind; the bottom has shape {bottom[0].shape_string()}")
        if any(blob.shape != shape for blob in bottom):
            raise self.fault(f"all bottoms must have the shape of the first, {bottom[0].shape_string()}")

    def count_windows(self, bottom: Blob) -> None:
        """Set how many windows each side has, and how far the last one reaches beyond the padding."""
        extent = [d * (k - 1) + 1 for k, d in zip(self._kernel, self._dilation)]
        padded = [n + 2 * p for n, p in zip(bottom.shape[self._axis + 1:], self._pad)]
        self._windows = [trunc((n - e) / s) + 1 for n, e, s in zip(padded, extent, self._stride)]
        if any(n < 1 for n in self._windows):
            raise self.fault(f"a kernel of extent {extent} does not fit into a bottom of shape "
                             f"{bottom.shape_string()} with pad {list(self._pad)}")
        # rounding towards zero lets a window of a large stride reach beyond the padding
        self._beyond = [max(0, (w - 1) * s + e - n)
                        for w, s, e, n in zip(self._windows, self._stride, extent, padded)]

    def reach_beyond(self, x: torch.Tensor) -> torch.Tensor:
        """x with zeros for what the last windows cover beyond the padding."""
        if not any(self._beyond):
            return x
        return functional.pad(x, [n for side in reversed(self._beyond) for n in (0, side)])

    def columns(self, x: torch.Tensor) -> torch.Tensor:
        """The windows of x (N, C, sides…, padded already) as (N, C, kernel…, windows…)."""
        for side, (k, s, d) in enumerate(zip(self._kernel, self._stride, self._dilation)):
            x = x.unfold(2 + side, d * (k - 1) + 1, s)
            x = x[..., ::d] if d else x.expand(*x.shape[:-1], k)
        # N, C, windows…, kernel… -> N, C, kernel…, windows…
        return x.permute(0, 1, *range(2 + self._sides, x.dim()), *range(2, 2 + self._sides))

    def pad_sides(self, x: torch.Tensor) -> torch.Tensor:
        """x with `pad` zeros around its sides."""
        return functional.pad(x, [n for pad in reversed(self._pad) for n in (pad, pad)]) if any(self._pad) else x


@register
class Convolution(Windows):
    """y = Σ w · x + b over windows on the axes behind the channel axis (`axis`), any number of them.

    Weights are num_output × channels/group × kernel. A side of length L gives
    (L + 2·pad − (dilation·(kernel − 1) + 1)) / stride + 1 windows, the division rounded towards zero; outside
    the bottom all numbers are 0. Further bottoms go through the same weights to further tops.
    Source: src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp.
    """

    type = "Convolution"
    bottoms = (1, None)
    tops = (1, None)
    same_count = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.layer_param.convolution_param
        if param.num_output < 1 or param.group < 1:
            raise self.fault("convolution_param needs num_output and group of at least 1")
        if self._channels % param.group or param.num_output % param.group:
            raise self.fault(f"{self._channels} channels and num_output {param.num_output} must both be "
                             f"multiples of group {param.group}")
        wanted = [(self.weight_shape(), param.weight_filler)]
        if param.bias_term:
            wanted.append(((param.num_output,), param.bias_filler))
        make_parameters(self, wanted)

    def weight_shape(self) -> tuple[int, ...]:
        """num_output × channels/group × kernel."""
        param = self.layer_param.convolution_param
        return (param.num_output, self._channels // param.group, *self._kernel)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.check_bottoms(bottom)
        self.count_windows(bottom[0])
        shape = bottom[0].shape[:self._axis]
        for blob in top:
            blob.reshape(*shape, self.layer_param.convolution_param.num_output, *self._windows)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        weight, bias = params[0], params[1] if len(params) > 1 else None
        group = self.layer_param.convolution_param.group
        tops = []
        for x in bottoms:
            x = self.reach_beyond(x.reshape(-1, *x.shape[self._axis:]))
            if self._sides in _CONVOLUTIONS and 0 not in self._dilation:
                # torch breaks down at a stride far beyond the side, where it is all the same
                stride = [min(s, n + 2 * p + 1) for s, n, p in zip(self._stride, x.shape[2:], self._pad)]
                if self._sides == 2 and x.device.type == "cpu" and x.dtype == torch.float32:
                    x = x.contiguous(memory_format=torch.channels_last)  # the layout of the CPU's fastest kernels
                    if x.shape[1] == 1 and not x.requires_grad:  # in both layouts at once: say which is meant
                        x = x.as_strided(x.shape, (x.shape[2] * x.shape[3], 1, x.shape[3], 1))
                tops.append(_CONVOLUTIONS[self._sides](x, weight, bias, stride, self._pad,
                                                       self._dilation, group))
            else:
                tops.append(self._convolve(x, weight, bias, group))
        return tops

    def _convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None,
                  group: int) -> torch.Tensor:
        """Convolution over any number of sides, as one matrix product over all windows."""
        columns = self.columns(self.pad_sides(x))
        columns = columns.reshape(len(x), group, prod(weight.shape[1:]), prod(self._windows))
        y = weight.reshape(group, len(weight) // group, -1) @ columns
        y = y.reshape(len(x), len(weight), prod(self._windows))
        return y if bias is None else y + bias[:, None]
