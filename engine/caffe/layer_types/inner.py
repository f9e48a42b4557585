"""Layers with a matrix or a vector of factors: InnerProduct, Scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.support import Parameter, axis_of, make_parameters
from caffe.proto import caffe_pb2


@register
class InnerProduct(TensorLayer):
    """y = x Wᵀ + b, with the axes of x from `axis` on as one vector of length K.

    W is N × K, or K × N with `transpose` (then y = x W + b); N is num_output.
    Source: src/caffe/layers/inner_product_layer.cpp.
    """

    type = "InnerProduct"
    bottoms = 1
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.inner_product_param
        if param.num_output < 1:
            raise self.fault("inner_product_param needs num_output of at least 1")
        axis = axis_of(self, bottom[0], param.axis)
        self._length = prod(bottom[0].shape[axis:])
        shape = (self._length, param.num_output) if param.transpose else (param.num_output, self._length)
        wanted: list[Parameter] = [(shape, param.weight_filler)]
        if param.bias_term:
            wanted.append(((param.num_output,), param.bias_filler))
        make_parameters(self, wanted)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.inner_product_param
        axis = axis_of(self, bottom[0], param.axis)
        length = prod(bottom[0].shape[axis:])
        if length != self._length:
            raise self.fault(f"its weights take vectors of {self._length} numbers; bottom of shape "
                             f"{bottom[0].shape_string()} gives {length} from axis {axis} on")
        top[0].reshape(*bottom[0].shape[:axis], param.num_output)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        weight, *bias = params
        if self.layer_param.inner_product_param.transpose:
            weight = weight.t()
        # W xᵀ, transposed: for the few rows of a batch and a large W the faster order by a quarter
        product = (weight @ bottoms[0].reshape(-1, self._length).t()).t()
        return [product + bias[0] if bias else product.contiguous()]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """∂x = ∂y W, ∂W += ∂yᵀ x, ∂b += Σ ∂y: written out, so that a large W's gradient goes straight to its place."""
        gradient = top[0].diff_tensor().reshape(-1, self.layer_param.inner_product_param.num_output)
        transpose = self.layer_param.inner_product_param.transpose
        if self.param_propagate_down[0]:
            pair = (gradient.t(), bottom[0].tensor().reshape(-1, self._length))
            diff, cleared = self.blobs[0].diff_to_fill()
            torch.addmm(diff, *((pair[1].t(), pair[0].t()) if transpose else pair), beta=0 if cleared else 1, out=diff)
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            self.blobs[1].mutable_diff_tensor().add_(gradient.sum(0))
        if propagate_down[0]:
            weight = self.blobs[0].tensor()
            bottom[0].put_diff((gradient @ (weight.t() if transpose else weight)).view(bottom[0].shape))


@register
class Scale(TensorLayer):
    """y = s · x (+ b), with s and b spread over the axes of x before `axis` and behind their own.

    s is a parameter of `num_axes` axes (−1: all to the end; 0: one number; default filler: 1) or the second
    bottom; b, with `bias_term`, is a parameter of the same shape. Source: src/caffe/layers/scale_layer.cpp.
    """

    type = "Scale"
    bottoms = (1, 2)
    tops = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.scale_param
        wanted: list[Parameter] = []
        if len(bottom) > 1:
            shape = bottom[1].shape
        else:
            shape = self._factor_shape(bottom[0], param)
            one = caffe_pb2.FillerParameter(type="constant", value=1)
            wanted.append((shape, param.filler if param.HasField("filler") else one))
        if param.bias_term:
            wanted.append((shape, param.bias_filler))
        make_parameters(self, wanted)

    def _factor_shape(self, bottom: Blob, param: caffe_pb2.ScaleParameter) -> tuple[int, ...]:
        if param.num_axes < -1:
            raise self.fault(f"num_axes is {param.num_axes}; it must be 0 or more, or -1 for all to the end")
        start = axis_of(self, bottom, param.axis)
        stop = bottom.num_axes if param.num_axes == -1 else start + param.num_axes
        if stop > bottom.num_axes:
            raise self.fault(f"scale_param takes {param.num_axes} axes from axis {start} on, "
                             f"but the bottom has shape {bottom.shape_string()}")
        return bottom.shape[start:stop]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        factor = bottom[1] if len(bottom) > 1 else self.blobs[0]
        self._axis = axis_of(self, bottom[0], self.layer_param.scale_param.axis) if factor.shape else 0
        if bottom[0].shape[self._axis:self._axis + factor.num_axes] != factor.shape:
            raise self.fault(f"factors of shape {factor.shape_string()} do not fit a bottom of shape "
                             f"{bottom[0].shape_string()} from axis {self._axis} on")
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x, factor, *bias = bottoms + params
        behind = (1,) * (x.dim() - self._axis - factor.dim())
        y = x * factor.reshape(factor.shape + behind)
        return [y + bias[0].reshape(factor.shape + behind) if bias else y]
