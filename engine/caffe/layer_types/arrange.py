"""Layers that pick, repeat, reduce or look up: ArgMax, Bias, Crop, Embed, MVN, Parameter, …"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from caffe.blob import Blob
from caffe.layer_types.base import Layer, TensorLayer, register
from caffe.layer_types.support import axis_of, make_parameters
from caffe.proto import caffe_pb2


@register
class ArgMax(Layer):
    """The indices of the top_k largest along `axis`, or over each whole sample; of equals the larger index first.

    With out_max_val: the values (with an axis), or indices and values (without). No gradient.
    Source: src/caffe/layers/argmax_layer.cpp.
    """

    type = "ArgMax"
    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.argmax_param
        self.axis = axis_of(self, bottom[0], param.axis) if param.HasField("axis") else None
        shape = list(bottom[0].shape)
        length = prod(shape[1:]) if self.axis is None else shape[self.axis]
        if not 1 <= param.top_k <= length:
            raise self.fault(f"top_k is {param.top_k}; it must be 1 to {length}, the number of candidates")
        if self.axis is None:
            shape = [shape[0], 2 if param.out_max_val else 1, param.top_k, *[1] * (len(shape) - 3)]
        else:
            shape[self.axis] = param.top_k
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.argmax_param
        x = bottom[0].tensor()
        axis = 1 if self.axis is None else self.axis
        x = as_rows(x, 1) if self.axis is None else x
        # a stable sort of the reversed order puts the larger index of equals first
        values, order = x.flip(axis).sort(dim=axis, descending=True, stable=True)
        values, index = values.narrow(axis, 0, param.top_k), (x.shape[axis] - 1 - order).narrow(axis, 0, param.top_k)
        if not param.out_max_val:
            result = index.to(x.dtype)
        elif self.axis is None:
            result = torch.stack([index.to(x.dtype), values], 1)
        else:
            result = values
        top[0].mutable_tensor().copy_(result.reshape(top[0].shape))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(any(propagate_down), "its bottom")


@register
class Bias(TensorLayer):
    """y = x + b, b (a parameter, or the second bottom) aligned with x's axes from `axis` on.

    A parameter covers `num_axes` axes (−1: all behind). Source: src/caffe/layers/bias_layer.cpp.
    """

    type = "Bias"
    bottoms = (1, 2)
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            return
        param = self.layer_param.bias_param
        axis = axis_of(self, bottom[0], param.axis) if param.num_axes else 0
        end = bottom[0].num_axes if param.num_axes == -1 else axis + param.num_axes
        if param.num_axes < -1 or end > bottom[0].num_axes:
            raise self.fault(f"num_axes {param.num_axes} from axis {axis} does not fit a bottom of shape "
                             f"{bottom[0].shape_string()}")
        make_parameters(self, [(bottom[0].shape[axis:end], param.filler)])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = bottom[1] if len(bottom) > 1 else self.blobs[0]
        axis = axis_of(self, bottom[0], self.layer_param.bias_param.axis) if bias.num_axes else 0
        if bottom[0].shape[axis:axis + bias.num_axes] != bias.shape:
            raise self.fault(f"a bias of shape {bias.shape_string()} does not fit a bottom of shape "
                             f"{bottom[0].shape_string()} from axis {axis} on")
        self.aligned = (*bias.shape, *[1] * (bottom[0].num_axes - axis - bias.num_axes))
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        bias = bottoms[1] if len(bottoms) > 1 else params[0]
        return [bottoms[0] + bias.reshape(self.aligned)]


@register
class Crop(TensorLayer):
    """The part of the first bottom that has the second's sizes on the axes from `axis` on, starting at `offset`.

    `offset` is given once for all cropped axes or once for each. Source: src/caffe/layers/crop_layer.cpp.
    """

    type = "Crop"
    bottoms = 2
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, axes = self.layer_param.crop_param, bottom[0].num_axes
        axis = axis_of(self, bottom[0], param.axis)
        offsets = list(param.offset) or [0]
        if len(offsets) not in (1, axes - axis):
            raise self.fault(f"has {len(offsets)} offsets for {axes - axis} cropped axes; give one, or one for each")
        if bottom[1].num_axes < axes:
            raise self.fault(f"its second bottom has {bottom[1].num_axes} axes, the first {axes}")
        offsets = offsets * (axes - axis) if len(offsets) == 1 else offsets
        self.window = [slice(None)] * axis
        for i, offset in enumerate(offsets, axis):
            if offset + bottom[1].shape[i] > bottom[0].shape[i]:
                raise self.fault(f"axis {i}: {bottom[1].shape[i]} from offset {offset} on reaches beyond its "
                                 f"{bottom[0].shape[i]}")
            self.window.append(slice(offset, offset + bottom[1].shape[i]))
        top[0].reshape(*bottom[0].shape[:axis], *bottom[1].shape[axis:axes])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [bottoms[0][tuple(self.window)]]


@register
class Embed(TensorLayer):
    """y = W[x] + b: a row of W (input_dim × num_output) for each index in x; b of length num_output.

    Source: src/caffe/layers/embed_layer.cpp.
    """

    type = "Embed"
    bottoms = 1
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.embed_param
        if param.num_output < 1 or param.input_dim < 1:
            raise self.fault("embed_param needs num_output and input_dim of at least 1")
        wanted = [((param.input_dim, param.num_output), param.weight_filler)]
        make_parameters(self, [*wanted, *[((param.num_output,), param.bias_filler)] * param.bias_term])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape, self.layer_param.embed_param.num_output)

    def allow_force_backward(self, bottom_index: int) -> bool:
        return False

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        index, rows = bottoms[0].long(), len(params[0])
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < rows:
            raise self.fault(f"an index lies outside 0 to {rows - 1} (input_dim {rows})")
        y = torch.nn.functional.embedding(index, params[0])
        return [y + params[1] if len(params) > 1 else y]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[0], "the indices that it looks up")
        super().backward(top, propagate_down, bottom)


def as_rows(x: torch.Tensor, axis: int) -> torch.Tensor:
    """x as a matrix, its axes from `axis` on in a row; there may be no rows."""
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


class _Normalize(torch.autograd.Function):
    """(x − mean) / (deviation + eps) of each row; the gradient takes y for (x − mean) / deviation, as Caffe does."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, eps: float) -> torch.Tensor:
        off = x - x.mean(1, keepdim=True)
        scale = (off * off).mean(1, keepdim=True).sqrt() + eps
        y = off / scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        y, scale = ctx.saved_tensors
        along = gradient - gradient.mean(1, keepdim=True) - y * (gradient * y).mean(1, keepdim=True)
        return along / scale, None


@register
class MVN(TensorLayer):
    """x less its mean, and by default over its deviation, of each channel's plane, or each sample if across_channels.

    Source: src/caffe/layers/mvn_layer.cpp.
    """

    type = "MVN"
    bottoms = 1
    tops = 1

    def gives_unasked(self, bottom_index: int) -> bool:
        return True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num_axes > 4:
            raise self.fault(f"takes at most 4 axes, its bottom has shape {bottom[0].shape_string()}")
        top[0].reshape(bottom[0].num, bottom[0].channels, bottom[0].height, bottom[0].width)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        param, x = self.layer_param.mvn_param, bottoms[0]
        rows = as_rows(x, 1 if param.across_channels else 2)
        if param.normalize_variance:
            return [_Normalize.apply(rows, param.eps)]
        return [rows - rows.mean(1, keepdim=True)]


@register
class Parameter(Layer):
    """A parameter blob of `parameter_param.shape` as a top: they are one memory, gradient included.

    Source: include/caffe/layers/parameter_layer.hpp.
    """

    type = "Parameter"
    bottoms = 0
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = tuple(self.layer_param.parameter_param.shape.dim)
        if not self.blobs:
            self.blobs.append(Blob(*shape, dtype=self.dtype))
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].share_data(self.blobs[0])
        top[0].share_diff(self.blobs[0])


_REDUCTIONS = {
    caffe_pb2.ReductionParameter.SUM: lambda x: x.sum(1),
    caffe_pb2.ReductionParameter.ASUM: lambda x: x.abs().sum(1),
    caffe_pb2.ReductionParameter.SUMSQ: lambda x: (x * x).sum(1),
    caffe_pb2.ReductionParameter.MEAN: lambda x: x.mean(1),
}


@register
class Reduction(TensorLayer):
    """coeff times the sum, sum of magnitudes, sum of squares or mean of all behind `axis` (axis included).

    Source: src/caffe/layers/reduction_layer.cpp.
    """

    type = "Reduction"
    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = axis_of(self, bottom[0], self.layer_param.reduction_param.axis)
        top[0].reshape(*bottom[0].shape[:self.axis])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        param, x = self.layer_param.reduction_param, bottoms[0]
        rows = as_rows(x, self.axis)
        return [_REDUCTIONS[param.operation](rows) * param.coeff]


@register
class Tile(TensorLayer):
    """x repeated `tiles` times along `axis`. Source: src/caffe/layers/tile_layer.cpp."""

    type = "Tile"
    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.tile_param
        self.axis = axis_of(self, bottom[0], param.axis)
        if param.tiles < 1:
            raise self.fault("tile_param needs tiles of at least 1")
        shape = list(bottom[0].shape)
        shape[self.axis] *= param.tiles
        top[0].reshape(*shape)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        repeats = [1] * bottoms[0].dim()
        repeats[self.axis] = self.layer_param.tile_param.tiles
        return [bottoms[0].repeat(repeats)]
