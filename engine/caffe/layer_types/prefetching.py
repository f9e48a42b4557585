"""What the layers share whose images go through transform_param, batch by batch: Data, ImageData."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from caffe import glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.images.data_transformer import DataTransformer
from caffe.layer_types.base import Layer
from caffe.random import rng


class Prefetching(Layer):
    """A layer that takes its random numbers from the main stream as real Caffe's do, which read ahead on a thread.

    A seed for the transform, what `open` takes, a seed for the transform again, one for the thread.
    Source: src/caffe/layers/base_data_layer.cpp.
    """

    bottoms = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with self.naming_the_layer():
            self.transform = DataTransformer(self.layer_param.transform_param, self.phase)
        self.transform.seed()
        self.open(top)
        self.transform.seed()
        rng.main().uint32(1)

    def open(self, top: Sequence[Blob]) -> None:
        """Open the source and give the tops their shapes (DataLayerSetUp)."""
        raise NotImplementedError

    def log_size(self, data: Blob) -> None:
        """Log the shape of the images, as Caffe does."""
        glog.info("output data size: " + ",".join(map(str, [*data.shape, 1, 1, 1][:4])))

    @contextmanager
    def naming_the_layer(self) -> Iterator[None]:
        """Errors inside say which layer they come from."""
        try:
            yield
        except CaffeError as error:
            raise self.fault(str(error)) from error


class ImageBatches(Prefetching):
    """A layer of one image after the other, `batch_size` in a batch; their shape may change from batch to batch."""

    tops: int | tuple[int, int | None] = (1, 2)
    batch_size = 0

    def image(self) -> tuple[np.ndarray, float]:
        """The current image, channels × height × width, and its label."""
        raise NotImplementedError

    def place(self) -> str:
        """Where the current image is, for errors."""
        raise NotImplementedError

    def advance(self) -> None:
        """Go to the next image, after the last one to the first."""
        raise NotImplementedError

    def skip(self) -> None:
        """Go past images that are not this solver's."""

    def shape_tops(self, top: Sequence[Blob]) -> None:
        """Give the tops the shape of a batch of images like the current one."""
        with self._naming_the_image():
            self._shape(top, self.transform.shape(self.image()[0]))
        self.log_size(top[0])

    @contextmanager
    def _naming_the_image(self) -> Iterator[None]:
        try:
            yield
        except CaffeError as error:
            raise self.fault(f"{self.place()}: {error}") from error

    def _shape(self, top: Sequence[Blob], image_shape: tuple[int, ...]) -> None:
        top[0].reshape(self.batch_size, *image_shape)
        if len(top) > 1:
            top[1].reshape(self.batch_size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for item in range(self.batch_size):
            self.skip()
            with self._naming_the_image():
                image, label = self.image()
                shape = self.transform.shape(image)
                if item == 0:
                    self._shape(top, shape)
                elif shape != top[0].shape[1:]:
                    raise CaffeError(f"the image gives {shape} (channels, height, width), the first of its batch "
                                     f"{top[0].shape[1:]}; make all images of one size, or set batch_size: 1")
                top[0].data[item] = self.transform(image)
            if len(top) > 1:
                top[1].data[item] = label
            self.advance()
