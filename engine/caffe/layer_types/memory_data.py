"""MemoryData: arrays that a script gives with Net.set_input_arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe import glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.images.data_transformer import DataTransformer
from caffe.layer_types.base import Layer, register


@register
class MemoryData(Layer):
    """Batches of the arrays given by `set_arrays`, one after the other and again from the start.

    Tops: data, batch_size × channels × height × width, and labels, batch_size, then batch_size×1×1×1 from the first
    forward on. The arrays are read at each forward, so changes to them count; real Caffe's tops are the arrays
    themselves, here they are copies. Source: src/caffe/layers/memory_data_layer.cpp.
    """

    type = "MemoryData"
    bottoms = 0
    tops = 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.memory_data_param
        self._shape = (param.batch_size, param.channels, param.height, param.width)
        if 0 in self._shape:
            raise self.fault("memory_data_param needs batch_size, channels, height and width, all positive")
        try:
            # arrays are not transformed; but real Caffe's transform reads its mean file and takes a seed
            DataTransformer(self.layer_param.transform_param, self.phase).seed()
        except CaffeError as error:
            raise self.fault(str(error)) from error
        top[0].reshape(*self._shape)
        top[1].reshape(param.batch_size)
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None
        self._position = 0

    def set_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Go through `data` (N × channels × height × width) and `labels` (N×1×1×1) from the next forward on.

        Both C-contiguous float32, N a multiple of batch_size; CaffeError if not (CheckContiguousArray and
        Net_SetInputArrays in python/caffe/_caffe.cpp).
        """
        batch, *sizes = self._shape
        for name, array, wanted in (("data", data, tuple(sizes)), ("labels", labels, (1, 1, 1))):
            if not isinstance(array, np.ndarray) or array.dtype != np.float32 or not array.flags.c_contiguous:
                raise self.fault(f"the {name} array must be float32 and C-contiguous: "
                                 "np.ascontiguousarray(array, np.float32)")
            if array.ndim != 4 or array.shape[1:] != wanted:
                raise self.fault(f"the {name} array has shape {array.shape}; it takes N × "
                                 f"{' × '.join(map(str, wanted))}")
        if len(data) != len(labels):
            raise self.fault(f"{len(data)} samples came with {len(labels)} labels; give one for each")
        if not len(data) or len(data) % batch:
            raise self.fault(f"{len(data)} samples came for batches of {batch}; give a multiple of batch_size")
        if self.layer_param.HasField("transform_param"):
            glog.warning(f"layer '{self.name}' ({self.type}): arrays are taken as they are, without transform_param")
        self._arrays, self._position = (data, labels), 0

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._arrays is None:
            raise self.fault("has no data yet; call net.set_input_arrays(data, labels) first")
        data, labels = self._arrays
        batch = slice(self._position, self._position + self._shape[0])
        top[0].reshape(*self._shape)
        top[1].reshape(self._shape[0], 1, 1, 1)
        top[0].data[...] = data[batch]
        top[1].data[...] = labels[batch]
        self._position = batch.stop % len(data)
