"""Softmax, the losses and Accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from caffe.blob import Blob
from caffe.layer_types.base import Count, Layer, TensorLayer, register
from caffe.layer_types.support import axis_of, summed_in_order
from caffe.proto import caffe_pb2

FLT_MIN = float(np.finfo(np.float32).tiny)  # 1.175494e-38: also for float64, as in Caffe

_mode = caffe_pb2.LossParameter.NormalizationMode.Value
FULL, VALID, BATCH_SIZE = _mode("FULL"), _mode("VALID"), _mode("BATCH_SIZE")


@register
class Softmax(TensorLayer):
    """exp(x) / Σ exp(x) along `axis` (1). src/caffe/layers/softmax_layer.cpp"""

    type = "Softmax"
    bottoms = 1
    tops = 1

    def gives_unasked(self, bottom_index: int) -> bool:
        return True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = axis_of(self, bottom[0], self.layer_param.softmax_param.axis)
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [torch.softmax(bottoms[0], self.axis)]


def labels_of(layer: Layer, scores: Blob, labels: Blob, axis: int, ignored: int | None
              ) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels as class indices of shape (outer, 1, inner), and which of them count (not `ignored`).

    Scores are of shape (outer…, classes, inner…) with the classes at `axis`. A label's fraction is cut off.
    Raises for a label that is no class; real Caffe reads past the end of its memory there.
    """
    index = labels.tensor().long().view(prod(scores.shape[:axis]), 1, prod(scores.shape[axis + 1:]))
    counted = torch.ones_like(index, dtype=torch.bool) if ignored is None else index != ignored
    classes = scores.shape[axis]
    wrong = counted & ((index < 0) | (index >= classes))
    if wrong.any():
        raise layer.fault(f"a label is {int(index[wrong][0])}, but there are {classes} classes, 0 to {classes - 1}; "
                          "correct the labels, or set ignore_label")
    return index.masked_fill(~counted, 0), counted


def check_labels(layer: Layer, scores: Blob, labels: Blob, axis: int) -> None:
    """Raise unless there is one label for each vector of scores along `axis`."""
    wanted = prod(scores.shape[:axis]) * prod(scores.shape[axis + 1:])
    if labels.count != wanted:
        raise layer.fault(f"{labels.count} label(s) for scores of shape {scores.shape_string()} with the classes "
                          f"at axis {axis}; it takes {wanted}")


def as_planes(values: torch.Tensor, axis: int) -> torch.Tensor:
    """A view of shape (outer, length of `axis`, inner)."""
    shape = values.shape
    return values.view(prod(shape[:axis]), shape[axis], prod(shape[axis + 1:]))


class LossLayer(Layer):
    """A scalar of predictions and labels; its first top has loss weight 1 unless told otherwise.

    src/caffe/layers/loss_layer.cpp
    """

    bottoms: Count = 2
    tops: Count = 1
    auto_tops = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.layer_param.loss_weight:
            if len(top) > 1:
                raise self.fault(f"has {len(top)} tops; give one loss_weight for each "
                                 "(loss_weight: 1 loss_weight: 0)")
            self.layer_param.loss_weight.append(1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape[:1] != bottom[1].shape[:1]:
            raise self.fault(f"predictions of shape {bottom[0].shape_string()} and labels of shape "
                             f"{bottom[1].shape_string()}: the first dimension must be equal")
        top[0].reshape()

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index != 1


@register
class SoftmaxWithLoss(LossLayer):
    """−Σ log max(p, FLT_MIN) / divisor, where p is the softmax at the label; its gradient is (p − 1)/divisor.

    The divisor, at least 1, is by `normalization` the number of labels (FULL), of those not `ignore_label`
    (VALID, the default), the outer size (BATCH_SIZE) or 1 (NONE). A second top holds the softmax.
    src/caffe/layers/softmax_loss_layer.cpp
    """

    type = "SoftmaxWithLoss"
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.layer_param.loss_param
        self.ignored = param.ignore_label if param.HasField("ignore_label") else None
        self.normalization = param.normalization
        if param.HasField("normalize") and not param.HasField("normalization"):
            self.normalization = VALID if param.normalize else BATCH_SIZE

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.axis = axis_of(self, bottom[0], self.axis_setting())
        check_labels(self, bottom[0], bottom[1], self.axis)
        if len(top) > 1:
            top[1].reshape(*bottom[0].shape)

    def axis_setting(self) -> int:
        """The axis of the classes, as the prototxt says it."""
        return self.layer_param.softmax_param.axis

    def losses(self, bottom: Sequence[Blob]) -> torch.Tensor:
        """What each label adds to the loss, perhaps class by class: (outer, 1 or classes, inner)."""
        return -self.prob.gather(1, self.label).clamp(min=FLT_MIN).log()

    def gradient(self, bottom: Sequence[Blob]) -> torch.Tensor:
        """The losses' gradient for the scores: (outer, classes, inner)."""
        return self.prob.scatter_add(1, self.label, -torch.ones_like(self.prob[:, :1]))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.label, self.counted = labels_of(self, bottom[0], bottom[1], self.axis, self.ignored)
        self.prob = torch.softmax(as_planes(bottom[0].tensor(), self.axis), 1)
        terms = self.losses(bottom).masked_fill(~self.counted, 0)
        total = summed_in_order(terms.movedim(1, -1))
        top[0].mutable_tensor().copy_(total / self.divisor(total))
        if len(top) > 1:
            top[1].mutable_tensor().copy_(self.prob.view(top[1].shape))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(any(propagate_down[1:]), "its labels")
        if not propagate_down[0]:
            return
        if not hasattr(self, "prob"):  # no forward yet: the gradient is that of what the bottoms hold
            self.forward(bottom, top)
        weight = top[0].diff_tensor()
        gradient = torch.where(self.counted, self.gradient(bottom), 0) * (weight / self.divisor(weight))
        bottom[0].mutable_diff_tensor().copy_(gradient.view(bottom[0].shape))

    def divisor(self, like: torch.Tensor) -> torch.Tensor:
        """What the loss is divided by, as a scalar of the same type and device as `like`."""
        if self.normalization == VALID:
            count = self.counted.sum().to(like.dtype)
        else:
            outer, _, inner = self.counted.shape
            numbers = {FULL: outer * inner, BATCH_SIZE: outer}
            count = torch.full_like(like, numbers.get(self.normalization, 1))
        return count.clamp(min=1)


def share(part: torch.Tensor, whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """part / whole, 0 of nothing, in the type of `like`."""
    return part.to(like.dtype) / whole.clamp(min=1)


@register
class Accuracy(Layer):
    """The share of labels whose score has fewer than `top_k` (1) others as high or higher; ties count against.

    Labels equal to `ignore_label` do not count; with none counted it is 0. A second top is the same per class.
    src/caffe/layers/accuracy_layer.cpp
    """

    type = "Accuracy"
    bottoms = 2
    tops = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.accuracy_param
        self.ignored = param.ignore_label if param.HasField("ignore_label") else None
        self.axis = axis_of(self, bottom[0], param.axis)
        check_labels(self, bottom[0], bottom[1], self.axis)
        classes = bottom[0].shape[self.axis]
        if param.top_k > classes:
            raise self.fault(f"top_k is {param.top_k}, but there are only {classes} classes")
        top[0].reshape()
        if len(top) > 1:
            top[1].reshape(classes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        label, counted = labels_of(self, bottom[0], bottom[1], self.axis, self.ignored)
        scores = as_planes(bottom[0].tensor(), self.axis)
        others = (scores >= scores.gather(1, label)).sum(1, keepdim=True) - 1
        right = counted & (others < self.layer_param.accuracy_param.top_k)
        top[0].mutable_tensor().copy_(share(right.sum(), counted.sum(), scores))
        if len(top) > 1:
            classes = scores.shape[1]
            right_of_class = torch.bincount(label[right], minlength=classes)
            all_of_class = torch.bincount(label[counted], minlength=classes)
            top[1].mutable_tensor().copy_(share(right_of_class, all_of_class, scores))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(any(propagate_down), "its bottoms")
