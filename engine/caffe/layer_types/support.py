"""What several families of layers need: parameter blobs and axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from caffe import context
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.layer_types.base import Layer
from caffe.proto import caffe_pb2
from caffe.random import fillers, rng

Shape = tuple[int, ...]
Parameter = tuple[Shape, caffe_pb2.FillerParameter]


def make_parameters(layer: Layer, wanted: Sequence[Parameter]) -> None:
    """Give the layer its parameter blobs, in this order, filled from the main random stream.

    Blobs that came with the layer's message stay as they are; a wrong number or shape of these is a fault.
    """
    if not layer.blobs:
        for shape, filler in wanted:
            blob = Blob(*shape, dtype=layer.dtype)
            data = blob.data  # of zeros, whose memory nobody has touched yet
            if not (blob.count and filler.type == "constant" and filler.value == 0 and filler.sparse == -1):
                data[...] = _filled(layer, shape, filler)
            layer.blobs.append(blob)
        return
    shapes = [shape for shape, _ in wanted]
    stored = [blob.shape for blob in layer.blobs]
    if stored != shapes:
        raise layer.fault(f"comes with parameters of shapes {stored}, its settings need {shapes}; "
                          "change the settings or remove the stored blobs")


def _filled(layer: Layer, shape: Shape, filler: caffe_pb2.FillerParameter) -> np.ndarray:
    try:
        return fillers.fill(filler, shape, rng.main())
    except CaffeError as error:
        raise layer.fault(str(error)) from None


def is_ours(layer: Layer, offset: int) -> bool:
    """Whether this solver of several takes the offset-th sample; in TEST only the first one runs."""
    return layer.phase == caffe_pb2.TEST or offset % context.solver_count() == context.solver_rank()


def axis_of(layer: Layer, blob: Blob, index: int) -> int:
    """The axis counted from the front for an index that may count from the back; out of range is a fault."""
    try:
        return blob.axis(index)
    except CaffeError as error:
        raise layer.fault(str(error)) from None


def summed_in_order(terms: torch.Tensor) -> torch.Tensor:
    """The sum of all terms, on a CPU rounded after each, in order, as the loops of Caffe's losses round.

    Over the pixels of an image that shows: 250,000 equal terms of 3 come to some tenths of a per cent less or more.
    """
    return _InOrder.apply(terms) if terms.device.type == "cpu" and terms.numel() else terms.sum()


class _InOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx, terms: torch.Tensor) -> torch.Tensor:
        ctx.shape = terms.shape
        return torch.from_numpy(np.add.accumulate(terms.detach().reshape(-1).numpy())[-1:]).reshape(())

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.expand(ctx.shape)
