"""Losses of predictions and targets: Euclidean, hinge, sigmoid cross-entropy, contrastive, multinomial logistic."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from caffe.blob import Blob
from caffe.layer_types.arrange import as_rows
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.loss import BATCH_SIZE, FULL, VALID, LossLayer
from caffe.layer_types.support import summed_in_order
from caffe.proto import caffe_pb2

LOG_THRESHOLD = 1e-20  # below it a probability counts as this much: kLOG_THRESHOLD in Caffe
CLOSE = 1e-4  # keeps the contrastive loss's gradient finite where a pair is equal


class TensorLoss(LossLayer, TensorLayer):
    """A loss as a formula on tensors, without gradient for its labels."""

    labels = 1  # which bottom has no gradient

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index != self.labels

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(any(propagate_down[self.labels:]), "its labels")
        super().backward(top, propagate_down, bottom)


def label_of_each(layer: TensorLayer, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """One class index for each of N rows of scores (N × classes), shape (N, 1); raises for one that is no class."""
    index = labels.reshape(-1).long()
    if len(index) != len(scores):
        raise layer.fault(f"has {len(index)} labels for {len(scores)} samples; it takes one for each")
    classes = scores.shape[1]
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise layer.fault(f"a label lies outside 0 to {classes - 1}, the classes that the scores have")
    return index[:, None]


@register
class EuclideanLoss(TensorLoss):
    """Σ (a − b)² / 2N, with a gradient for both bottoms. Source: src/caffe/layers/euclidean_loss_layer.cpp."""

    type = "EuclideanLoss"
    labels = 2

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise self.fault(f"bottoms of shapes {bottom[0].shape_string()} and {bottom[1].shape_string()} "
                             "must hold as many numbers")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        off = bottoms[0].reshape(-1) - bottoms[1].reshape(-1)
        return [(off * off).sum() / len(bottoms[0]) / 2]


@register
class HingeLoss(TensorLoss):
    """Σ max(0, 1 + s·x)^p / N over N × classes scores x, s = −1 at the label, else 1; p by `norm` (L1, L2).

    Source: src/caffe/layers/hinge_loss_layer.cpp.
    """

    type = "HingeLoss"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        scores = as_rows(bottoms[0], 1)
        sign = torch.ones_like(scores).scatter_(1, label_of_each(self, scores, bottoms[1]), -1.0)
        margin = torch.relu(1 + sign * scores)
        if self.layer_param.hinge_loss_param.norm == caffe_pb2.HingeLossParameter.L2:
            margin = margin * margin
        return [margin.sum() / len(scores)]


@register
class SigmoidCrossEntropyLoss(TensorLoss):
    """Σ −(t log σ(x) + (1 − t) log(1 − σ(x))) / divisor, over the targets t that are not `ignore_label`.

    The divisor, at least 1, is by `normalization` the count (FULL), the count not ignored (VALID), N (BATCH_SIZE,
    the default here) or 1 (NONE). Source: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp.
    """

    type = "SigmoidCrossEntropyLoss"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise self.fault(f"scores of shape {bottom[0].shape_string()} and targets of shape "
                             f"{bottom[1].shape_string()} must hold as many numbers")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x, target = bottoms[0].reshape(-1), bottoms[1].reshape(-1)
        loss = functional.binary_cross_entropy_with_logits(x, target, reduction="none")
        param = self.layer_param.loss_param
        counted = len(x)
        if param.HasField("ignore_label"):
            ignored = target.trunc() == param.ignore_label
            loss = loss.masked_fill(ignored, 0)
            counted -= int(ignored.sum())
        mode = param.normalization if param.HasField("normalization") else BATCH_SIZE
        if param.HasField("normalize") and not param.HasField("normalization"):
            mode = VALID if param.normalize else BATCH_SIZE
        divisor = {FULL: len(x), VALID: counted, BATCH_SIZE: len(bottoms[0])}.get(mode, 1)
        return [summed_in_order(loss) / max(divisor, 1)]


@register
class ContrastiveLoss(TensorLoss):
    """Σ [similar] d² + [dissimilar] max(margin − d, 0)² over N pairs / 2N, d = ‖a − b‖; bottoms a, b, similar.

    `legacy_version` has max(margin − d², 0) in the second term. Source: src/caffe/layers/contrastive_loss_layer.cpp.
    """

    type = "ContrastiveLoss"
    bottoms = 3
    labels = 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if bottom[0].count != bottom[1].count or bottom[0].count != bottom[0].num * bottom[0].channels:
            raise self.fault(f"takes two bottoms N×C, not of shapes {bottom[0].shape_string()} and "
                             f"{bottom[1].shape_string()}")
        if bottom[2].count != bottom[0].num:
            raise self.fault(f"takes one label for each of {bottom[0].num} pairs; it has {bottom[2].count}")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        param = self.layer_param.contrastive_loss_param
        pairs = len(bottoms[0])
        off = as_rows(bottoms[0] - bottoms[1].reshape(bottoms[0].shape), 1)
        square = (off * off).sum(1)
        similar = bottoms[2].reshape(-1).trunc() != 0
        if param.legacy_version:
            apart = torch.relu(param.margin - square)
        else:
            root = square.detach().sqrt()
            # the value is the root; its gradient is Caffe's, whose denominator is never 0
            distance = root + (square - square.detach()) / (2 * (root + CLOSE))
            apart = torch.relu(param.margin - distance) ** 2
        return [summed_in_order(torch.where(similar, square, apart)) / pairs / 2]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        # where the labels' gradient is asked for, Caffe leaves it as it is
        super().backward(top, [*propagate_down[:2], False], bottom)


@register
class MultinomialLogisticLoss(TensorLoss):
    """−Σ log max(p, 1e-20) / N, p the probability at the label of N × classes; the gradient is −1 / (N · max(…)).

    Source: src/caffe/layers/multinomial_logistic_loss_layer.cpp.
    """

    type = "MultinomialLogisticLoss"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        probabilities = as_rows(bottoms[0], 1)
        p = probabilities.gather(1, label_of_each(self, probabilities, bottoms[1]))
        p = p + (p.detach().clamp(min=LOG_THRESHOLD) - p.detach())
        return [-summed_in_order(p.log()) / len(probabilities)]
