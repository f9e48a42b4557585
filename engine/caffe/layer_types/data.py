"""Layers that bring data into a net: Input, DummyData, Data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from caffe import context, fillers, glog, rng
from caffe.blob import Blob
from caffe.data_source import DatumCursor
from caffe.data_transformer import DataTransformer
from caffe.errors import CaffeError
from caffe.layer_types.base import Layer, register
from caffe.proto import caffe_pb2


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
class Data(Layer):
    """Images, and labels if there is a second top, from an LMDB of Datums, through transform_param.

    batch_size Datums a forward, in the order of the keys, starting again at the end; each batch has the shape
    of its first image. With several solvers each takes every n-th Datum in TRAIN. `rand_skip` and `prefetch`
    change nothing, the former as in Caffe 1.0.
    src/caffe/layers/data_layer.cpp, src/caffe/layers/base_data_layer.cpp
    """

    type = "Data"
    bottoms = 0
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.data_param
        if param.backend != caffe_pb2.DataParameter.LMDB:
            raise self.fault(f"{param.source}: its backend is LEVELDB, also where none is given; only LMDB can be "
                             "read: convert the data and set backend: LMDB")
        if param.batch_size < 1:
            raise self.fault("data_param.batch_size must be given and positive")
        try:
            self.cursor = DatumCursor(param.source)
            self.transform = DataTransformer(self.layer_param.transform_param, self.phase)
        except CaffeError as error:
            raise self.fault(str(error)) from error
        # Caffe seeds its transformer twice and then the prefetching thread
        self.transform.seed()
        with self._naming_the_datum():
            image = self.transform.image_of(self.cursor.datum())
            self._shape(top, self.transform.shape(image))
        glog.info("output data size: " + ",".join(map(str, [*top[0].shape, 1, 1, 1][:4])))
        self.transform.seed()
        rng.main().uint32(1)
        self.offset = 0

    @contextmanager
    def _naming_the_datum(self) -> Iterator[None]:
        """Errors inside say which source and key they come from."""
        try:
            yield
        except CaffeError as error:
            raise self.fault(f"{self.cursor.path}, key {self.cursor.key()}: {error}") from error

    def _shape(self, top: Sequence[Blob], image_shape: tuple[int, ...]) -> None:
        size = self.layer_param.data_param.batch_size
        top[0].reshape(size, *image_shape)
        if len(top) > 1:
            top[1].reshape(size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for item in range(self.layer_param.data_param.batch_size):
            while not self._is_ours():
                self._advance()
            with self._naming_the_datum():
                datum = self.cursor.datum()
                image = self.transform.image_of(datum)
                shape = self.transform.shape(image)
                if item == 0:
                    self._shape(top, shape)
                elif shape != top[0].shape[1:]:
                    raise CaffeError(f"the image gives {shape} (channels, height, width), the first of its batch "
                                     f"{top[0].shape[1:]}; make all images of one size, or set batch_size: 1")
                top[0].data[item] = self.transform(image)
            if len(top) > 1:
                top[1].data[item] = datum.label
            self._advance()

    def _is_ours(self) -> bool:
        """Whether this solver of several takes the Datum; in TEST only the first one runs."""
        return self.phase == caffe_pb2.TEST or self.offset % context.solver_count() == context.solver_rank()

    def _advance(self) -> None:
        try:
            self.cursor.advance()
        except CaffeError as error:
            raise self.fault(str(error)) from error
        self.offset += 1
