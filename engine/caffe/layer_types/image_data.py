"""ImageData: image files named in a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from caffe import glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats.files import read_bytes
from caffe.images.data_transformer import decode
from caffe.layer_types.base import register
from caffe.layer_types.prefetching import ImageBatches
from caffe.random import rng


def read_image(path: str, color: bool, height: int = 0, width: int = 0) -> np.ndarray:
    """An image file as uint8, channels × height × width, BGR or grey; resized (bilinear) where a height is given.

    Raises CaffeError if it is missing or no image. Source: ReadImageToCVMat in src/caffe/util/io.cpp.
    """
    image = decode(read_bytes(path, "an image"), force_color=color, force_gray=not color)
    if not height:
        return image
    import cv2

    return cv2.resize(image.transpose(1, 2, 0), (width, height)).reshape(height, width, -1).transpose(2, 0, 1)


@register
class ImageData(ImageBatches):
    """Images and labels from `source`, a list of lines `path label`, through transform_param.

    The last space of a line splits it, so that paths may have spaces; a label is the whole number that its text
    starts with, else 0, and a line without a space is a path with its label 0 (C's atoi). `root_folder` is put before
    each path as it is. `shuffle` shuffles at the start and at each end of the list, `rand_skip` leaves out up to so
    many lines of the first round. Source: src/caffe/layers/image_data_layer.cpp.
    """

    type = "ImageData"
    tops = 2

    def open(self, top: Sequence[Blob]) -> None:
        param = self.layer_param.image_data_param
        if bool(param.new_height) != bool(param.new_width):
            raise self.fault("has only one of new_height and new_width; give both, or none")
        if param.batch_size < 1:
            raise self.fault("image_data_param.batch_size must be positive")
        glog.info(f"Opening file {param.source}")
        with self.naming_the_layer():
            self._lines = list(enumerate(map(parse, lines_of(param.source)), 1))
        self._stream: rng.Stream | None = None
        if param.shuffle:
            glog.info("Shuffling data")
            self._stream = rng.Stream(int(rng.main().uint32(1)[0]))
            self._shuffle()
        glog.info(f"A total of {len(self._lines)} images.")
        self._next = 0
        if param.rand_skip:
            self._next = int(rng.main().uint32(1)[0]) % param.rand_skip
            glog.info(f"Skipping first {self._next} data points.")
            if self._next >= len(self._lines):
                raise self.fault(f"{param.source}: has {len(self._lines)} images, too few for rand_skip "
                                 f"{param.rand_skip}; reduce it")
        self.batch_size = param.batch_size
        self.shape_tops(top)

    def _shuffle(self) -> None:
        if self._stream is not None:
            self._lines = [self._lines[i] for i in self._stream.shuffled(len(self._lines))]

    def place(self) -> str:
        return f"{self.layer_param.image_data_param.source}, line {self._lines[self._next][0]}"

    def image(self) -> tuple[np.ndarray, float]:
        param = self.layer_param.image_data_param
        _, (name, label) = self._lines[self._next]
        path = param.root_folder + name
        try:
            return read_image(path, param.is_color, param.new_height, param.new_width), label
        except CaffeError as error:
            raise error if path in str(error) else CaffeError(f"{path}: {error}") from None

    def advance(self) -> None:
        self._next += 1
        if self._next == len(self._lines):
            self._next = 0
            self._shuffle()


def lines_of(source: str) -> list[str]:
    """The lines of a text file, any bytes in them kept. Raises CaffeError if it is missing or empty."""
    text = read_bytes(source, "a list of images").decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n")


def parse(line: str) -> tuple[str, int]:
    """The path and the label of a line of the list."""
    name, space, label = line.rpartition(" ")
    number = re.match(r"\s*([+-]?\d+)", label)
    return name if space else label, int(number[1]) if number else 0
