"""Layers that reduce windows of an image to one number each: Pooling, and SPP, a pyramid of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, prod
from typing import NamedTuple

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.layer_types.base import TensorLayer, register
from caffe.proto import caffe_pb2
from caffe.random import rng

FLT_MAX = torch.finfo(torch.float32).max


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
    """The maximum, the average or a random number of windows on the last two of 4 axes.

    A side of length L gives (L + 2·pad − kernel) / stride + 1 windows, rounded up by default; with padding, a
    last window that would start beyond the bottom's end is left out.
    MAX: the first maximum above −FLT_MAX counts (NaN never does); a window without one gives −FLT_MAX and
    index −1. A second top is the maximum's index in its plane, as a float.
    AVE: the sum divided by the window's size, where padding counts but what lies beyond it does not.
    STOCHASTIC: in TRAIN the first number at which the window's running sum reaches u · Σ x, u drawn from [0, 1]
    for each window; in TEST Σ x² / Σ x, or 0 where Σ x is not positive. A window without such a number gives 0.
    Real Caffe has it on GPUs only, with the GPU's draws; here u comes from the main random stream on every device.
    Source: src/caffe/layers/pooling_layer.cpp, pooling_layer.cu.
    """

    type = "Pooling"
    bottoms = 1
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pooling_param
        if len(top) > 1 and param.pool != param.MAX:
            raise self.fault("only MAX pooling has a second top")
        if param.global_pooling:
            self._kernel = None
        elif param.HasField("kernel_size") and not (param.HasField("kernel_h") and param.HasField("kernel_w")):
            self._kernel = (param.kernel_size,) * 2  # one of the two names beside it does not count
        else:
            self._kernel = self._pair("kernel_size", "kernel_h", "kernel_w")
        self._stride = self._pair("stride", "stride_h", "stride_w")
        self._pad = self._pair("pad", "pad_h", "pad_w")
        if param.global_pooling and any(param.HasField(f) for f in ("kernel_size", "kernel_h", "kernel_w")):
            raise self.fault("global_pooling takes the whole plane; remove its kernel sizes")
        if param.global_pooling and (self._pad != (0, 0) or self._stride != (1, 1)):
            raise self.fault("global_pooling takes pad 0 and stride 1 only")
        if 0 in self._stride or (self._kernel and 0 in self._kernel):
            raise self.fault("kernel sizes and strides must be 1 or more")
        if param.pool == param.STOCHASTIC and any(self._pad):
            raise self.fault("STOCHASTIC pooling takes no pad; remove it, or use MAX or AVE")
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
        if param.pool == param.MAX:
            return self._maximum(bottoms[0])
        return [self._average(bottoms[0]) if param.pool == param.AVE else self._stochastic(bottoms[0])]

    def _covered(self, x: torch.Tensor, outside: float) -> torch.Tensor:
        """x padded (or cut at its ends) to just what the windows cover."""
        margins = [n for side in reversed(self._sides)
                   for n in (side.pad, side.covered - side.length - side.pad)]
        return functional.pad(x, margins, value=outside) if any(margins) else x

    def _maximum(self, x: torch.Tensor) -> list[torch.Tensor]:
        high, wide = self._sides
        y, index = self._first_maximum(x)
        if y.numel() and not y.amin() > -FLT_MAX:  # a NaN, which wins in torch, or nothing that counts
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
        sizes = [torch.tensor(side.sizes()).to(x) for side in self._sides]
        return total / torch.outer(*sizes)

    def _stochastic(self, x: torch.Tensor) -> torch.Tensor:
        # N, C, windows down, windows across, and each window's numbers row by row; 0 beyond the bottom
        cells = self._covered(x, 0)
        for axis, side in enumerate(self._sides, 2):
            cells = cells.unfold(axis, side.kernel, side.stride)
        cells = cells.flatten(4)
        total = cells.sum(-1)
        if self.phase == caffe_pb2.TEST:
            positive = total > 0
            return torch.where(positive, (cells * cells).sum(-1) / torch.where(positive, total, 1), 0)
        drawn = torch.as_tensor(rng.main().uniform(0, 1, total.numel())).to(x).view_as(total)
        reached = cells.detach().cumsum(-1) >= (drawn * total.detach())[..., None]
        first = reached.to(torch.uint8).argmax(-1, keepdim=True)
        return torch.where(reached.any(-1), cells.gather(-1, first)[..., 0], 0)


@register
class SPP(TensorLayer):
    """Spatial pyramid pooling: each plane pooled over 1 × 1, 2 × 2, 4 × 4, … bins, one vector per sample.

    Level l of `pyramid_height` has n = 2^l bins a side: windows of k = ⌈L / n⌉ numbers at a stride of k over a side of
    length L, padded by (k·n − L + 1) / 2 rounded down. The top is N × (C · windows of all levels), level by level;
    for a height of 1 it stays N × C × 1 × 1. Source: src/caffe/layers/spp_layer.cpp.
    """

    type = "SPP"
    bottoms = 1
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not 1 <= self.layer_param.spp_param.pyramid_height <= 31:
            raise self.fault("spp_param needs a pyramid_height of 1 to 31 (level l has 2^l × 2^l bins)")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes != 4 or 0 in bottom[0].shape[2:]:
            raise self.fault(f"takes bottoms of 4 axes (N, C, H, W), not of shape {bottom[0].shape_string()}")
        height = self.layer_param.spp_param.pyramid_height
        outputs = [Blob(dtype=self.dtype) for _ in range(height)]
        self._levels = [self._level(level, bottom[0], output) for level, output in enumerate(outputs)]
        if height == 1:
            top[0].reshape(*outputs[0].shape)
        else:
            top[0].reshape(bottom[0].shape[0], sum(prod(output.shape[1:]) for output in outputs))

    def _level(self, level: int, bottom: Blob, output: Blob) -> Pooling:
        """The Pooling layer of a level. A fault where its padding would be as large as its windows."""
        bins = 2**level
        param = caffe_pb2.PoolingParameter(pool=self.layer_param.spp_param.pool)
        for side, length in zip("hw", bottom.shape[2:]):
            kernel = ceil(length / bins)
            setattr(param, f"kernel_{side}", kernel)
            setattr(param, f"stride_{side}", kernel)
            setattr(param, f"pad_{side}", (kernel * bins - length + 1) // 2)
        pooling = Pooling(caffe_pb2.LayerParameter(name=self.name, top=["level"], pooling_param=param))
        try:
            pooling.setup([bottom], [output])
            pooling.reshape([bottom], [output])
        except CaffeError as error:
            raise self.fault(f"level {level} has {bins} × {bins} bins for a plane of {bottom.shape[2]} × "
                             f"{bottom.shape[3]}, which cannot be pooled so ({error}); lower pyramid_height") from None
        return pooling

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [torch.cat([pooling.compute(bottoms, [])[0].flatten(1) for pooling in self._levels], 1)]
