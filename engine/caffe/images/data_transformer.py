"""From a Datum to the numbers of a net: decode, crop, mirror, subtract the mean, scale.

Formulas and the order of the random draws: src/caffe/data_transformer.cpp; decoding: src/caffe/util/io.cpp.
"""

from __future__ import annotations

import numpy as np

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.proto import caffe_pb2
from caffe.random import rng


def image_of(datum: caffe_pb2.Datum, force_color: bool = False, force_gray: bool = False) -> np.ndarray:
    """The Datum's numbers as channels × height × width: uint8, or float32 where it holds floats.

    Encoded images come as BGR, in grey or with alpha as they are stored unless forced; the Datum's own sizes
    are then not looked at. Raises CaffeError for data that does not fit its sizes or cannot be decoded.
    """
    if datum.encoded:
        return decode(datum.data, force_color, force_gray)
    values = (np.frombuffer(datum.data, np.uint8) if datum.data else np.asarray(datum.float_data, np.float32))
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1 or values.size != shape[0] * shape[1] * shape[2]:
        raise CaffeError(f"the Datum says {shape[0]}×{shape[1]}×{shape[2]} (channels, height, width) but holds "
                         f"{values.size} numbers; an encoded image must be marked encoded: true")
    return values.reshape(shape)


def decode(data: bytes, force_color: bool, force_gray: bool) -> np.ndarray:
    """An encoded image (PNG, JPEG, …) as uint8 channels × height × width. Raises CaffeError."""
    import cv2

    flags = cv2.IMREAD_COLOR if force_color else cv2.IMREAD_GRAYSCALE if force_gray else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # no bytes at all, or more pixels than there is memory for
        image = None
    if image is None:
        raise CaffeError("the encoded image cannot be decoded; it is damaged or of an unknown format")
    if image.dtype != np.uint8:
        raise CaffeError(f"the encoded image has {image.dtype} pixels; it takes 8 bits a channel")
    return image.transpose(2, 0, 1) if image.ndim == 3 else image[None]


class DataTransformer:
    """A layer's transform_param at work in a phase; its random numbers come from a stream of its own."""

    def __init__(self, param: caffe_pb2.TransformationParameter, phase: int):
        self.param = param
        self.train = phase == caffe_pb2.TRAIN
        if param.force_color and param.force_gray:
            raise CaffeError("transform_param has both force_color and force_gray; use one")
        if param.HasField("mean_file") and param.mean_value:
            raise CaffeError("transform_param has both mean_file and mean_value; use one")
        if param.HasField("mean_file"):
            glog.info(f"Loading mean file from: {param.mean_file}")
        self.mean_image = read_mean(param.mean_file) if param.HasField("mean_file") else None
        self.stream: rng.Stream | None = None

    @property
    def needs_random(self) -> bool:
        return self.param.mirror or (self.train and self.param.crop_size > 0)

    def seed(self) -> None:
        """Take a seed from the main stream, if this transform draws at all."""
        if self.needs_random:
            self.stream = rng.Stream(int(rng.main().uint32(1)[0]))

    def image_of(self, datum: caffe_pb2.Datum) -> np.ndarray:
        return image_of(datum, self.param.force_color, self.param.force_gray)

    def shape(self, image: np.ndarray) -> tuple[int, int, int]:
        """Channels, height and width that an image will have."""
        size = self.param.crop_size
        channels, height, width = image.shape
        if min(height, width) < size:
            raise CaffeError(f"crop_size {size} is larger than the image, {height}×{width}")
        return (channels, size, size) if size else (channels, height, width)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(image − mean)·scale, cropped (at random in TRAIN, else in the centre) and mirrored by chance: float32."""
        channels, height, width = image.shape
        _, rows, columns = self.shape(image)
        mirror = self.param.mirror and self._draw(2)
        down, right = (height - rows) // 2, (width - columns) // 2
        if self.train and self.param.crop_size:
            down = self._draw(height - rows + 1)
            right = self._draw(width - columns + 1)
        window = (slice(None), slice(down, down + rows), slice(right, right + columns))
        values = image[window].astype(np.float32)
        if self.mean_image is not None:
            if self.mean_image.shape != image.shape:
                raise CaffeError(f"{self.param.mean_file} is {_sizes(self.mean_image)} and the image "
                                 f"{_sizes(image)} (channels×height×width, before the crop); they must be equal")
            values -= self.mean_image[window]
        elif self.param.mean_value:
            if len(self.param.mean_value) not in (1, channels):
                raise CaffeError(f"has {len(self.param.mean_value)} mean_value(s) for {channels} channels; "
                                 "give one, or one for each")
            values -= np.asarray(self.param.mean_value, np.float32)[:, None, None]
        if self.param.scale != 1:
            values *= np.float32(self.param.scale)
        return values[:, :, ::-1] if mirror else values

    def _draw(self, n: int) -> int:
        """A whole number from 0 to n − 1: the next word of the stream modulo n."""
        assert self.stream is not None
        return int(self.stream.uint32(1)[0]) % n


def read_mean(path: str) -> np.ndarray:
    """A mean image from a .binaryproto, channels × height × width. Raises CaffeError."""
    proto = binaryproto.read_blob(path)
    shape = (1,) * 4 + binaryproto.blob_shape(proto)
    if any(n != 1 for n in shape[:-3]):
        raise CaffeError(f"{path}: holds a blob of shape {shape[4:]}, not one image")
    return binaryproto.numbers(proto, "data").astype(np.float32).reshape(shape[-3:])


def _sizes(image: np.ndarray) -> str:
    return "×".join(map(str, image.shape))
