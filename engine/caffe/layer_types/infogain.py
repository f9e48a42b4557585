"""InfogainLoss: a loss in which each pair of label and class has a weight of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.layer_types.base import register
from caffe.layer_types.loss import SoftmaxWithLoss
from caffe.layer_types.pair_loss import LOG_THRESHOLD


@register
class InfogainLoss(SoftmaxWithLoss):
    """−Σ_k H[label, k] · log max(p_k, 1e-20) / divisor, p the softmax along `axis`, H classes × classes.

    The gradient is (p_k · Σ_j H[label, j] − H[label, k]) / divisor, clamped or not. H is the third bottom, or comes
    from the file `source`, a BlobProto. The divisor and `ignore_label` are those of SoftmaxWithLoss, but for the old
    `normalize`, which is refused. A second top holds the softmax. Source: src/caffe/layers/infogain_loss_layer.cpp.
    """

    type = "InfogainLoss"
    bottoms = (2, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.layer_param.loss_param.HasField("normalize"):
            raise self.fault("loss_param.normalize is too old for it; set normalization: VALID or BATCH_SIZE")
        self._stored = None if len(bottom) > 2 else self._read_matrix()

    def _read_matrix(self) -> np.ndarray:
        param = self.layer_param.infogain_loss_param
        if not param.source:
            raise self.fault("needs its matrix: give it as the third bottom, or name its file in "
                             "infogain_loss_param.source")
        try:
            return binaryproto.numbers(binaryproto.read_blob(param.source), "data").astype(self.dtype)
        except CaffeError as error:
            raise self.fault(str(error)) from error

    def axis_setting(self) -> int:
        return self.layer_param.infogain_loss_param.axis

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        classes = bottom[0].shape[self.axis]
        held = len(self._stored) if self._stored is not None else bottom[2].count
        if held != classes**2:
            where = self.layer_param.infogain_loss_param.source if self._stored is not None else "the third bottom"
            raise self.fault(f"its matrix ({where}) holds {held} numbers; for {classes} classes it takes "
                             f"{classes} × {classes}")

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index == 0

    def weights(self, bottom: Sequence[Blob]) -> torch.Tensor:
        """H's row of each label: (outer, classes, inner)."""
        matrix = torch.as_tensor(self._stored).to(self.prob) if self._stored is not None else bottom[2].tensor()
        classes = self.prob.shape[1]
        return matrix.reshape(classes, classes)[self.label[:, 0]].movedim(-1, 1)

    def losses(self, bottom: Sequence[Blob]) -> torch.Tensor:
        return -(self.weights(bottom) * self.prob.clamp(min=LOG_THRESHOLD).log())

    def gradient(self, bottom: Sequence[Blob]) -> torch.Tensor:
        weights = self.weights(bottom)
        return self.prob * weights.sum(1, keepdim=True) - weights
