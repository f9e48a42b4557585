"""Layers that pick samples of a batch: BatchReindex by their indices, Filter by a selector."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register


@register
class BatchReindex(TensorLayer):
    """y[i] = x[index[i]] along the first axis; bottoms x, index (any number, 0 to N − 1).

    Source: src/caffe/layers/batch_reindex_layer.cpp.
    """

    type = "BatchReindex"
    bottoms = 2
    tops = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[1].num_axes != 1:
            raise self.fault(f"its index has shape {bottom[1].shape_string()}; it takes one axis")
        top[0].reshape(bottom[1].count, *bottom[0].shape[1:])

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index == 0

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        index = bottoms[1].long()
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(bottoms[0]):
            raise self.fault(f"an index lies outside 0 to {len(bottoms[0]) - 1}, the batch that it picks from")
        return [bottoms[0].index_select(0, index)]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[1], "its index")
        super().backward(top, propagate_down, bottom)


@register
class Filter(TensorLayer):
    """The samples of each bottom whose selector, the last bottom (N×1×…), is not 0; a top for each other bottom.

    Until the first forward the tops have all N samples; after it as many as were selected, down to none.
    The samples left out get a gradient of 0. Source: src/caffe/layers/filter_layer.cpp.
    """

    type = "Filter"
    bottoms = (2, None)
    tops = (1, None)
    _selected: torch.Tensor | None = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            raise self.fault(f"has {len(top)} top(s) for {len(bottom)} bottoms; it needs one fewer than bottoms, the "
                             "last bottom is the selector")
        if any(blob in top for blob in bottom):
            raise self.fault("cannot work in place; give each top a name of its own")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        selector = bottom[-1]
        if not selector.shape or any(n != 1 for n in selector.shape[1:]):
            raise self.fault(f"its selector, the last bottom, has shape {selector.shape_string()}; it takes N×1×…")
        for i, blob in enumerate(bottom[:-1]):
            if blob.shape[:1] != selector.shape[:1]:
                raise self.fault(f"bottom {i} has shape {blob.shape_string()} and the selector "
                                 f"{selector.shape_string()}; they need the same number of samples")
        first = self._selected is None
        self._selected = selector.tensor().reshape(-1).nonzero().reshape(-1)
        samples = selector.shape[0] if first else len(self._selected)
        for blob, source in zip(top, bottom):
            blob.reshape(samples, *source.shape[1:])

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index < len(self.layer_param.bottom) - 1

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        assert self._selected is not None
        return [x.index_select(0, self._selected) for x in bottoms[:-1]]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[-1], "its selector")
        super().backward(top, propagate_down, bottom)
