"""Layers that move or combine values: Concat, Slice, Split, Flatten, Reshape, Eltwise, Silence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch

from caffe.blob import Blob
from caffe.layer_types.base import Layer, TensorLayer, register
from caffe.layer_types.support import axis_of
from caffe.proto import caffe_pb2

PROD, SUM, MAX = (caffe_pb2.EltwiseParameter.EltwiseOp.Value(name) for name in ("PROD", "SUM", "MAX"))


def axis_or_dim(layer: Layer, blob: Blob, param, old_field: str) -> int:
    """The axis that a Concat or Slice works on: `axis`, or the old field, which cannot count from the back."""
    if not param.HasField(old_field):
        return axis_of(layer, blob, param.axis)
    axis = getattr(param, old_field)
    if param.HasField("axis"):
        raise layer.fault(f"has both axis and {old_field}; give only axis")
    if axis >= blob.num_axes:
        raise layer.fault(f"{old_field} {axis} is out of range for a bottom of shape {blob.shape_string()}")
    return axis


def share_all(top: Blob, bottom: Blob) -> None:
    """Make a top another view of its bottom, data and diff."""
    top.share_data(bottom)
    top.share_diff(bottom)


@register
class Concat(TensorLayer):
    """The bottoms one behind the other along `axis` (1). A single bottom is shared.

    src/caffe/layers/concat_layer.cpp
    """

    type = "Concat"
    bottoms = (1, None)
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = axis_or_dim(self, bottom[0], self.layer_param.concat_param, "concat_dim")
        shape = list(bottom[0].shape)
        for i, blob in enumerate(bottom[1:], 1):
            others = list(blob.shape)
            if len(others) != len(shape) or any(
                    n != m for k, (n, m) in enumerate(zip(others, shape)) if k != self.axis):
                raise self.fault(f"bottom {i} has shape {blob.shape_string()} and bottom 0 "
                                 f"{bottom[0].shape_string()}; only axis {self.axis} may differ")
            shape[self.axis] += others[self.axis]
        top[0].reshape(*shape)
        if len(bottom) == 1:
            share_all(top[0], bottom[0])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [torch.cat(bottoms, self.axis)]


@register
class Slice(TensorLayer):
    """The bottom cut along `axis` (1) at each `slice_point`, or into equal parts. A single top is shared.

    src/caffe/layers/slice_layer.cpp
    """

    type = "Slice"
    bottoms = 1
    tops = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.slice_param
        self.axis = axis_or_dim(self, bottom[0], param, "slice_dim")
        self.sizes = self._sizes(bottom[0].shape[self.axis], list(param.slice_point), len(top))
        shape = list(bottom[0].shape)
        for blob, size in zip(top, self.sizes):
            shape[self.axis] = size
            blob.reshape(*shape)
        if len(top) == 1:
            share_all(top[0], bottom[0])

    def _sizes(self, length: int, points: list[int], parts: int) -> list[int]:
        if not points:
            if length % parts:
                raise self.fault(f"axis {self.axis} of length {length} cannot be cut into {parts} equal tops; "
                                 "give slice_point")
            return [length // parts] * parts
        if len(points) != parts - 1:
            raise self.fault(f"has {len(points)} slice_point(s) for {parts} tops; it needs one fewer than tops")
        ends = [0, *points, length]
        sizes = [stop - start for start, stop in pairwise(ends)]
        if min(sizes) < 1:
            raise self.fault(f"slice_points {points} must rise from above 0 to below {length}, "
                             f"the length of axis {self.axis}")
        return sizes

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return torch.split(bottoms[0], self.sizes, self.axis)


@register
class Split(Layer):
    """The bottom's data for every top; the bottom's diff is the sum of theirs. The net inserts it.

    src/caffe/layers/split_layer.cpp
    """

    type = "Split"
    bottoms = 1
    tops = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(self, bottom, top)
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.share_data(bottom[0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        first, *others = [blob.diff_tensor() for blob in top]
        total = first + others[0] if others else first.clone()
        for diff in others[1:]:
            total += diff
        bottom[0].put_diff(total)


def refuse_in_place(layer: Layer, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
    """Raise for a layer whose top would be its own bottom."""
    if bottom[0] in top:
        raise layer.fault("cannot work in place; give the top another name than the bottom")


class OtherShape(Layer):
    """A top that is its bottom in another shape: they share data and diff. Subclasses write `new_shape`."""

    bottoms = 1
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        refuse_in_place(self, bottom, top)
        shape = self.new_shape(bottom[0])
        if prod(shape) != bottom[0].count:
            raise self.fault(f"the new shape {shape} holds {prod(shape)} numbers "
                             f"and the bottom {bottom[0].shape_string()}; they must be as many")
        top[0].reshape(*shape)
        share_all(top[0], bottom[0])

    def new_shape(self, bottom: Blob) -> list[int]:
        raise NotImplementedError


@register
class Flatten(OtherShape):
    """Axes `axis` (1) to `end_axis` (−1, inclusive) made one. src/caffe/layers/flatten_layer.cpp"""

    type = "Flatten"

    def new_shape(self, bottom: Blob) -> list[int]:
        param = self.layer_param.flatten_param
        shape = list(bottom.shape)
        start, stop = axis_of(self, bottom, param.axis), axis_of(self, bottom, param.end_axis) + 1
        if start > stop:
            raise self.fault(f"end_axis {param.end_axis} lies before axis {param.axis} "
                             f"in a bottom of shape {bottom.shape_string()}")
        return [*shape[:start], prod(shape[start:stop]), *shape[stop:]]


@register
class Reshape(OtherShape):
    """`num_axes` (−1: all) axes from `axis` (0) replaced by `shape`: 0 copies a dimension, one −1 is inferred.

    A negative `axis` counts from behind the last axis. src/caffe/layers/reshape_layer.cpp
    """

    type = "Reshape"

    def new_shape(self, bottom: Blob) -> list[int]:
        param = self.layer_param.reshape_param
        old = list(bottom.shape)
        start = param.axis if param.axis >= 0 else len(old) + param.axis + 1
        stop = len(old) if param.num_axes == -1 else start + param.num_axes
        if not 0 <= start <= stop <= len(old):
            raise self.fault(f"axis {param.axis} and num_axes {param.num_axes} do not fit a bottom of shape "
                             f"{bottom.shape_string()}")
        new = list(param.shape.dim)
        if new.count(-1) > 1 or min(new, default=0) < -1:
            raise self.fault(f"shape {new}: dimensions are positive, 0 to copy, or at most one −1 to infer")
        for i, dim in enumerate(new):
            if dim == 0:
                if start + i >= len(old):
                    raise self.fault(f"shape {new} copies axis {start + i}, which a bottom of shape "
                                     f"{bottom.shape_string()} does not have")
                new[i] = old[start + i]
        shape = [*old[:start], *new, *old[stop:]]
        if -1 in new:
            known = -prod(shape)
            if known == 0 or bottom.count % known:
                raise self.fault(f"the {bottom.count} numbers of the bottom cannot be divided by the product "
                                 f"of the other dimensions, {known}")
            shape[start + new.index(-1)] = bottom.count // known
        return shape


class _QuotientProduct(torch.autograd.Function):
    """Π x, with ∂/∂xᵢ taken as (Π x)/xᵢ: Caffe's way where stable_prod_grad is false (0/0 for xᵢ = 0)."""

    @staticmethod
    def forward(ctx, *factors: torch.Tensor) -> torch.Tensor:
        product = multiply(factors)
        ctx.save_for_backward(product, *factors)
        return product

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        product, *factors = ctx.saved_tensors
        return tuple(product / factor * gradient for factor in factors)


def add(terms: Sequence[torch.Tensor]) -> torch.Tensor:
    """The elementwise sum, from the first to the last."""
    total = terms[0] + terms[1]
    for term in terms[2:]:
        total = total + term
    return total


def multiply(factors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The elementwise product, from the first to the last."""
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def largest(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """The elementwise maximum. Of equal values the second wins over the first, then the earlier one."""
    best = torch.where(values[0] > values[1], values[0], values[1])
    for other in values[2:]:
        best = torch.where(other > best, other, best)
    return best


@register
class Eltwise(TensorLayer):
    """Elementwise PROD Π xᵢ, SUM Σ coeffᵢ·xᵢ (the default) or MAX, whose gradient goes to the one that won.

    src/caffe/layers/eltwise_layer.cpp
    """

    type = "Eltwise"
    bottoms = (2, None)
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.eltwise_param
        if len(param.coeff) not in (0, len(bottom)):
            raise self.fault(f"has {len(param.coeff)} coeff(s) for {len(bottom)} bottoms; give one for each")
        if param.coeff and param.operation == PROD:
            raise self.fault("coeff is for operation SUM only; leave it out with PROD")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom):
            if blob.shape != bottom[0].shape:
                raise self.fault(f"bottom {i} has shape {blob.shape_string()} and bottom 0 "
                                 f"{bottom[0].shape_string()}; they must be equal")
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        param = self.layer_param.eltwise_param
        if param.operation == PROD:
            return [multiply(bottoms) if param.stable_prod_grad else _QuotientProduct.apply(*bottoms)]
        if param.operation == MAX:
            return [largest(bottoms)]
        if not param.coeff:
            return [add(bottoms)]
        return [add([c * x for c, x in zip(param.coeff, bottoms)])]


@register
class Silence(Layer):
    """Takes blobs that nobody else wants, so that they are no outputs; their gradient is 0.

    src/caffe/layers/silence_layer.cpp
    """

    type = "Silence"
    bottoms = (1, None)
    tops = 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, need in zip(bottom, propagate_down):
            if need:
                blob.mutable_diff_tensor().zero_()
