"""Layers that bring data into a net: Input, DummyData, Data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe.blob import Blob
from caffe.formats.data_source import DatumCursor
from caffe.layer_types.base import Layer, register
from caffe.layer_types.prefetching import ImageBatches
from caffe.layer_types.support import is_ours
from caffe.proto import caffe_pb2
from caffe.random import fillers, rng


@register
class Input(Layer):
    """Tops of the given shapes, which scripts fill. src/caffe/layers/input_layer.cpp"""

    type = "Input"
    bottoms = 0
    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = self.layer_param.input_param.shape
        if len(shapes) not in (0, 1, len(top)):
            raise self.fault(f"has {len(shapes)} shapes for {len(top)} tops; give none, one, or one for each")
        for i, blob in enumerate(top):
            if shapes:
                blob.reshape(*shapes[i % len(shapes)].dim)


@register
class DummyData(Layer):
    """Tops filled by fillers: constant ones once, the others anew before every forward.

    src/caffe/layers/dummy_data_layer.cpp
    """

    type = "DummyData"
    bottoms = 0
    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dummy_data_param
        self.fillers = list(param.data_filler) or [caffe_pb2.FillerParameter()]
        for blob, shape in zip(top, self._shapes(len(top))):
            blob.reshape(*shape)
        if len(self.fillers) not in (1, len(top)):
            raise self.fault(f"has {len(self.fillers)} data_fillers for {len(top)} tops; give none, one, or one each")
        self.fillers *= len(top) // len(self.fillers)
        self._fill(top, constant=True)

    def _shapes(self, tops: int) -> list[list[int]]:
        """The shape of each top, from `shape` or from the old num, channels, height and width."""
        param = self.layer_param.dummy_data_param
        old = [list(getattr(param, name)) for name in ("num", "channels", "height", "width")]
        if any(old) and param.shape:
            raise self.fault("has both shape and the old num, channels, height, width; give only shape")
        dims = old if any(old) else [[list(shape.dim) for shape in param.shape]]
        if any(len(values) not in (1, tops) for values in dims):
            raise self.fault(f"give shape (or num, channels, height and width) once, or once for each of {tops} tops")
        every = [values * (tops // len(values)) for values in dims]
        return [list(shape) for shape in zip(*every)] if any(old) else every[0]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._fill(top, constant=False)

    def _fill(self, top: Sequence[Blob], constant: bool) -> None:
        for blob, filler in zip(top, self.fillers):
            if (filler.type == "constant") == constant:
                blob.data[...] = fillers.fill(filler, blob.shape, rng.main())


@register
class Data(ImageBatches):
    """Images, and labels if there is a second top, from an LMDB or a LevelDB of Datums, through transform_param.

    batch_size Datums a forward, in the order of the keys, starting again at the end; each batch has the shape
    of its first image. With several solvers each takes every n-th Datum in TRAIN. `rand_skip` and `prefetch`
    change nothing, the former as in Caffe 1.0.
    src/caffe/layers/data_layer.cpp, src/caffe/layers/base_data_layer.cpp
    """

    type = "Data"

    def open(self, top: Sequence[Blob]) -> None:
        param = self.layer_param.data_param
        if param.batch_size < 1:
            raise self.fault("data_param.batch_size must be given and positive")
        with self.naming_the_layer():
            self.cursor = DatumCursor(param.source, param.backend)
        self.batch_size = param.batch_size
        self.shape_tops(top)
        self.offset = 0

    def place(self) -> str:
        return f"{self.cursor.path}, key {self.cursor.key()}"

    def image(self) -> tuple[np.ndarray, float]:
        datum = self.cursor.datum()
        return self.transform.image_of(datum), datum.label

    def skip(self) -> None:
        while not is_ours(self, self.offset):
            self.advance()

    def advance(self) -> None:
        with self.naming_the_layer():
            self.cursor.advance()
        self.offset += 1
