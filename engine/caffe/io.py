"""pycaffe's caffe.io: stored blobs and Datums as arrays, images, and the Transformer that prepares net inputs.

Images are float32, H×W×K, RGB, in [0, 1]. Resizing follows scikit-image as real Caffe uses it (version 0.18):
see caffe.images.resampling.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe.errors import CaffeError, CaffeFileNotFoundError
from caffe.formats import binaryproto
from caffe.images.resampling import resize_image
from caffe.proto import caffe_pb2

__all__ = [
    "Transformer", "array_to_blobproto", "array_to_datum", "arraylist_to_blobprotovector_str",
    "blobproto_to_array", "blobprotovector_str_to_arraylist", "caffe_pb2", "datum_to_array", "load_image",
    "oversample", "resize_image",
]


def blobproto_to_array(blob: caffe_pb2.BlobProto, return_diff: bool = False) -> np.ndarray:
    """The data (or diff) of a stored blob, as float64 in the blob's shape.

    Raises ValueError if the numbers stored are not as many as the shape says: a file of another format.
    """
    values = binaryproto.numbers(blob, "diff" if return_diff else "data").astype(np.float64)
    shape = binaryproto.blob_shape(blob)
    if not _fits(values, shape):
        raise ValueError(f"the blob's shape is {' '.join(map(str, shape)) or 'missing'} but it holds {len(values)} "
                         "numbers: not a BlobProto of Caffe's, or a damaged one")
    return values.reshape(shape)


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> caffe_pb2.BlobProto:
    """A BlobProto of an array of any shape, in single precision; `diff`, if given, must have the same shape."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    binaryproto.set_numbers(blob, "data", np.asarray(arr, np.float32).reshape(-1))
    if diff is not None:
        binaryproto.set_numbers(blob, "diff", np.asarray(diff, np.float32).reshape(-1))
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """A list of arrays as a serialised BlobProtoVector."""
    return caffe_pb2.BlobProtoVector(blobs=map(array_to_blobproto, arraylist)).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """The arrays in a serialised BlobProtoVector. Raises CaffeError if it is none."""
    vector = binaryproto.parse(str, caffe_pb2.BlobProtoVector())
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> caffe_pb2.Datum:
    """A Datum of a C×H×W array: uint8 as bytes, anything else as floats. Raises ValueError unless it has 3 axes."""
    if arr.ndim != 3:
        raise ValueError(f"a Datum holds channels × height × width; the array has shape {arr.shape}")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).reshape(-1).tolist())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: caffe_pb2.Datum) -> np.ndarray:
    """The C×H×W array in a Datum: uint8 where it holds bytes, otherwise float64.

    Raises ValueError if the Datum holds an encoded image (PNG, JPEG) or its length does not fit its size.
    """
    if datum.encoded:
        raise ValueError("the Datum holds an encoded image: decode datum.data first (cv2.imdecode)")
    values = np.frombuffer(datum.data, np.uint8).copy() if datum.data else np.array(datum.float_data, float)
    size = datum.channels, datum.height, datum.width
    if not _fits(values, size):
        raise ValueError(f"the Datum's size is {size} but it holds {len(values)} numbers")
    return values.reshape(size)


def _fits(values: np.ndarray, shape: Sequence[int]) -> bool:
    return len(values) == math.prod(shape) and min(shape, default=0) >= 0


def load_image(filename: str | os.PathLike, color: bool = True) -> np.ndarray:
    """The image in a file as float32 in [0, 1]: H×W×3 RGB, or H×W×1 grey if not `color`. Alpha is dropped.

    Grey is 0.2125 R + 0.7154 G + 0.0721 B (scikit-image). Raises CaffeError if it is no image that can be read,
    and one that is a FileNotFoundError too if it is not there.
    """
    import cv2

    name = os.fspath(filename)
    if not os.path.exists(name):
        raise CaffeFileNotFoundError(f"{name}: not found, an image was expected")
    try:
        pixels = cv2.imread(name, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # more pixels than there is memory for
        pixels = None
    if pixels is None:
        raise CaffeError(f"{name}: is not an image that can be read, or is damaged")
    image = pixels.astype(np.float64)
    if pixels.dtype.kind == "u":
        image /= 256**pixels.itemsize - 1
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
        return (np.tile(image, (1, 1, 3)) if color else image).astype(np.float32)
    image = image[:, :, 2::-1]
    if not color:
        image = (image @ [0.2125, 0.7154, 0.0721])[:, :, np.newaxis]
    return image.astype(np.float32)


def oversample(images: Sequence[np.ndarray], crop_dims: Sequence[int]) -> np.ndarray:
    """The four corners and the centre of each H×W×K image, then the same mirrored: 10·N × h × w × K, float32."""
    height, width, channels = images[0].shape
    h, w = (int(extent) for extent in crop_dims)
    corners = [(top, left) for top in (0, height - h) for left in (0, width - w)]
    # Cut towards zero, as the coordinates were when they became integers.
    places = [*corners, (int(height / 2 - h / 2), int(width / 2 - w / 2))]
    crops = np.empty((10 * len(images), h, w, channels), np.float32)
    for index, image in enumerate(images):
        own = crops[10 * index:10 * index + 10]
        for crop, (top, left) in zip(own, places):
            crop[...] = image[top:top + h, left:left + w]
        own[5:] = own[:5, :, ::-1]
    return crops


class Transformer:
    """Brings images into the form a net's inputs have.

    `inputs` maps each input's name to its shape (N, K, H, W). In this order, what was set is applied: resize to
    H×W, `transpose` (to K×H×W), `channel_swap`, times `raw_scale`, minus `mean`, times `input_scale`.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The H'×W'×K image `data` as input `in_` takes it: float32, K×H×W once `transpose` is set."""
        size = tuple(self._shape(in_)[2:])
        image = data.astype(np.float32)
        if image.shape[:2] != size:
            image = resize_image(image, size)
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[self.channel_swap[in_], :, :]
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The image that `preprocess` made `data` from, except for its size."""
        self._shape(in_)
        image = data.copy().squeeze()
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of axes: (2, 0, 1) makes H×W×K into K×H×W."""
        if len(order) != len(self._shape(in_)) - 1:
            raise CaffeError(f"transpose of '{in_}': {tuple(order)} must name {len(self._shape(in_)) - 1} axes")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of channels, after `transpose`: (2, 1, 0) makes RGB into BGR."""
        if len(order) != self._shape(in_)[1]:
            raise CaffeError(f"channel swap of '{in_}': {tuple(order)} must name its {self._shape(in_)[1]} channels")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """A factor before the mean is subtracted: 255 for nets that were trained on pixels from 0 to 255."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """The mean to subtract: one number per channel, or an image K×H'×W', which is resized to the input's size.

        Raises ValueError if it has other channels than the input or another number of axes.
        """
        channels, *size = self._shape(in_)[1:]
        if mean.ndim == 1:
            if len(mean) != channels:
                raise ValueError(f"mean of '{in_}': {len(mean)} numbers for {channels} channels")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"mean of '{in_}': its shape is {mean.shape}, not channels × height × width")
        elif (1,) * (3 - mean.ndim) + mean.shape != (channels, *size):
            mean = _resize_mean(mean.reshape(-1, *mean.shape[-2:]), size)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """A factor after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> Sequence[int]:
        if in_ not in self.inputs:
            raise CaffeError(f"'{in_}' is not one of the net's inputs: {', '.join(map(str, self.inputs))}")
        return self.inputs[in_]


def _resize_mean(mean: np.ndarray, size: Sequence[int]) -> Any:
    low, high = mean.min(), mean.max()
    span = high - low or 1
    resized = resize_image(((mean - low) / span).transpose(1, 2, 0), size)
    return resized.transpose(2, 0, 1) * np.float32(span) + np.float32(low)
