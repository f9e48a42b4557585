"""Layers that move a window over an image: Convolution, Pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, prod, trunc
from typing import NamedTuple

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.support import axis_of, make_parameters

FLT_MAX = torch.finfo(torch.float32).max

_CONVOLUTIONS: dict[int, Callable] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


@register
class Convolution(TensorLayer):
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
        param = self.layer_param.convolution_param
        self._axis = axis_of(self, bottom[0], param.axis)
        self._sides = bottom[0].num_axes - self._axis - 1
        self._channels = bottom[0].shape[self._axis]
        self._kernel = self._per_side("kernel_size", ("kernel_h", "kernel_w"), None)
        self._stride = self._per_side("stride", ("stride_h", "stride_w"), 1)
        self._pad = self._per_side("pad", ("pad_h", "pad_w"), 0)
        self._dilation = self._per_side("dilation", (), 1)
        if 0 in self._kernel + self._stride + self._dilation:
            raise self.fault("kernel sizes, strides and dilations must be 1 or more")
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

    def check_bottoms(self, bottom: Sequence[Blob]) -> None:
        """Raise unless all bottoms have one shape, and the number of channels that the weights take."""
        shape = bottom[0].shape
        if len(shape) != self._axis + 1 + self._sides or shape[self._axis] != self._channels:
            raise self.fault(f"its weights take {self._channels} channels on axis {self._axis} and "
                             f"{self._sides} side(s) behind; the bottom has shape {bottom[0].shape_string()}")
        if any(blob.shape != shape for blob in bottom):
            raise self.fault(f"all bottoms must have the shape of the first, {bottom[0].shape_string()}")

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

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.check_bottoms(bottom)
        shape = bottom[0].shape
        extent = [d * (k - 1) + 1 for k, d in zip(self._kernel, self._dilation)]
        padded = [n + 2 * p for n, p in zip(shape[self._axis + 1:], self._pad)]
        self._windows = [trunc((n - e) / s) + 1 for n, e, s in zip(padded, extent, self._stride)]
        if any(n < 1 for n in self._windows):
            raise self.fault(f"a kernel of extent {extent} does not fit into a bottom of shape "
                             f"{bottom[0].shape_string()} with pad {list(self._pad)}")
        # rounding towards zero lets a window of a large stride reach beyond the padding
        self._beyond = [max(0, (w - 1) * s + e - n)
                        for w, s, e, n in zip(self._windows, self._stride, extent, padded)]
        out = (*shape[:self._axis], self.layer_param.convolution_param.num_output, *self._windows)
        for blob in top:
            blob.reshape(*out)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        weight, bias = params[0], params[1] if len(params) > 1 else None
        group = self.layer_param.convolution_param.group
        tops = []
        for x in bottoms:
            x = x.reshape(-1, *x.shape[self._axis:])
            if any(self._beyond):
                x = functional.pad(x, [n for side in reversed(self._beyond) for n in (0, side)])
            if self._sides in _CONVOLUTIONS:
                # torch breaks down at a stride far beyond the side, where it is all the same
                stride = [min(s, n + 2 * p + 1) for s, n, p in zip(self._stride, x.shape[2:], self._pad)]
                tops.append(_CONVOLUTIONS[self._sides](x, weight, bias, stride, self._pad,
                                                       self._dilation, group))
            else:
                tops.append(self._convolve(x, weight, bias, group))
        return tops

    def _convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None,
                  group: int) -> torch.Tensor:
        """Convolution over any number of sides, as one matrix product over all windows."""
        x = functional.pad(x, [n for pad in reversed(self._pad) for n in (pad, pad)])
        for side, (k, s, d) in enumerate(zip(self._kernel, self._stride, self._dilation)):
            x = x.unfold(2 + side, d * (k - 1) + 1, s)[..., ::d]
        # N, C, windows…, kernel… -> N, group, C/group · kernel, windows
        order = [0, 1, *range(2 + self._sides, x.dim()), *range(2, 2 + self._sides)]
        columns = x.permute(order).reshape(len(x), group, -1, prod(self._windows))
        y = weight.reshape(group, len(weight) // group, -1) @ columns
        y = y.reshape(len(x), len(weight), -1)
        return y if bias is None else y + bias[:, None]


class Side(NamedTuple):
    """One side of a pooled plane."""

    length: int
    kernel: int
    stride: int
    pad: int
    windows: int

    @property
    def covered(self) -> int:
        """How far the windows reach from the padding's start."""
        return (self.windows - 1) * self.stride + self.kernel

    def sizes(self) -> list[int]:
        """The windows' lengths, padding included, what lies beyond it not."""
        starts = [i * self.stride - self.pad for i in range(self.windows)]
        return [min(start + self.kernel, self.length + self.pad) - start for start in starts]


@register
class Pooling(TensorLayer):
    """The maximum or the average of windows on the last two of 4 axes.

    A side of length L gives (L + 2·pad − kernel) / stride + 1 windows, rounded up by default; with padding, a
    last window that would start beyond the bottom's end is left out.
    MAX: the first maximum above −FLT_MAX counts (NaN never does); a window without one gives −FLT_MAX and
    index −1. A second top is the maximum's index in its plane, as a float.
    AVE: the sum divided by the window's size, where padding counts but what lies beyond it does not.
    Source: src/caffe/layers/pooling_layer.cpp.
    """

    type = "Pooling"
    bottoms = 1
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pooling_param
        if param.pool == param.STOCHASTIC:
            raise self.fault("STOCHASTIC pooling is not available; use MAX or AVE")
        if len(top) > 1 and param.pool != param.MAX:
            raise self.fault("only MAX pooling has a second top")
        self._kernel = None if param.global_pooling else self._pair("kernel_size", "kernel_h", "kernel_w")
        self._stride = self._pair("stride", "stride_h", "stride_w")
        self._pad = self._pair("pad", "pad_h", "pad_w")
        if param.global_pooling and any(param.HasField(f) for f in ("kernel_size", "kernel_h", "kernel_w")):
            raise self.fault("global_pooling takes the whole plane; remove its kernel sizes")
        if param.global_pooling and (self._pad != (0, 0) or self._stride != (1, 1)):
            raise self.fault("global_pooling takes pad 0 and stride 1 only")
        if 0 in self._stride or (self._kernel and 0 in self._kernel):
            raise self.fault("kernel sizes and strides must be 1 or more")
        if self._kernel and any(0 < p >= k for p, k in zip(self._pad, self._kernel)):
            raise self.fault(f"pad {self._pad} must be less than the kernel {self._kernel}")

    def _pair(self, both: str, high: str, wide: str) -> tuple[int, int]:
        """A setting for height and width: given once for both, or by name."""
        param = self.layer_param.pooling_param
        named = [param.HasField(high), param.HasField(wide)]
        if any(named) and (param.HasField(both) or not all(named)):
            raise self.fault(f"give {both}, or both {high} and {wide}")
        return (getattr(param, high), getattr(param, wide)) if any(named) else (getattr(param, both),) * 2

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes != 4:
            raise self.fault(f"takes bottoms of 4 axes (N, C, H, W), not of shape {bottom[0].shape_string()}")
        plane = bottom[0].shape[2:]
        self._sides = [Side(*side, self._count(*side))
                       for side in zip(plane, self._kernel or plane, self._stride, self._pad)]
        windows = [side.windows for side in self._sides]
        if any(n < 1 for n in windows):
            raise self.fault(f"a kernel of {self._kernel} does not fit into a bottom of shape "
                             f"{bottom[0].shape_string()} with pad {self._pad}")
        for blob in top:
            blob.reshape(*bottom[0].shape[:2], *windows)

    def _count(self, length: int, kernel: int, stride: int, pad: int) -> int:
        """How many windows a side has."""
        param = self.layer_param.pooling_param
        rounded = ceil if param.round_mode == param.CEIL else floor
        count = rounded((length + 2 * pad - kernel) / stride) + 1
        if any(self._pad) and (count - 1) * stride >= length + pad:
            count -= 1
        return count

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        param = self.layer_param.pooling_param
        return self._maximum(bottoms[0]) if param.pool == param.MAX else [self._average(bottoms[0])]

    def _covered(self, x: torch.Tensor, outside: float) -> torch.Tensor:
        """x padded (or cut at its ends) to just what the windows cover."""
        margins = [n for side in reversed(self._sides)
                   for n in (side.pad, side.covered - side.length - side.pad)]
        return functional.pad(x, margins, value=outside) if any(margins) else x

    def _maximum(self, x: torch.Tensor) -> list[torch.Tensor]:
        high, wide = self._sides
        y, index = self._first_maximum(x)
        if not (y > -FLT_MAX).all():  # a NaN, which wins in torch, or nothing that counts
            y, index = self._first_maximum(torch.where(x > -FLT_MAX, x, -FLT_MAX))
            y = y.clamp(min=-FLT_MAX)
        if len(self.layer_param.top) == 1:
            return [y]
        row, column = index // wide.covered - high.pad, index % wide.covered - wide.pad
        return [y, torch.where(y > -FLT_MAX, row * wide.length + column, -1).to(x.dtype)]

    def _first_maximum(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each window's first maximum, and where it is in what the windows cover."""
        kernel = [side.kernel for side in self._sides]
        return functional.max_pool2d(self._covered(x, -torch.inf), kernel, self._stride, return_indices=True)

    def _average(self, x: torch.Tensor) -> torch.Tensor:
        high, wide = self._sides
        total = functional.avg_pool2d(self._covered(x, 0), (high.kernel, wide.kernel), self._stride,
                                      divisor_override=1)
        return total / torch.outer(x.new_tensor(high.sizes()), x.new_tensor(wide.sizes()))
