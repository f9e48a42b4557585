"""Caffe's Datum message (caffe.proto): how a picture lies in an LMDB."""
from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from caffe.proto import caffe_pb2
from data_prep.errors import InputError


def encode_raw(image: np.ndarray) -> bytes:
    """A uint8 image C×H×W as a serialised Datum of raw bytes, channel by channel (no label)."""
    channels, height, width = image.shape
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width, data=image.tobytes())
    return datum.SerializeToString()


def encode_floats(values: np.ndarray) -> bytes:
    """Float32 values (n,) as a serialised Datum of n channels of one pixel (float_data, no label)."""
    datum = caffe_pb2.Datum(channels=len(values), height=1, width=1, float_data=values.tolist())
    return datum.SerializeToString()


def look(serialised: memoryview, shape: tuple[int, ...]) -> np.ndarray:
    """`decode`'s image, but where it is one of this shape as `encode_raw` writes it, the bytes where they lie: what
    protobuf takes to copy them is many times what a net's data layer needs to use them.

    Raises InputError as `decode` does.
    """
    start, size = _start(shape), int(np.prod(shape))
    if len(serialised) == len(start) + size and serialised[: len(start)] == start:
        return np.frombuffer(serialised, np.uint8, size, len(start)).reshape(shape)
    return decode(bytes(serialised))


@lru_cache(maxsize=8)
def _start(shape: tuple[int, ...]) -> bytes:
    """What stands before the bytes of a raw image, its last field."""
    image = np.zeros(shape, np.uint8)
    return encode_raw(image)[: -image.size]


def decode(serialised: bytes) -> np.ndarray:
    """The uint8 image C×H×W of a serialised Datum, encoded or raw; float32 where it holds float_data.

    An encoded colour picture comes as three channels in OpenCV's order (blue, green, red), as Caffe reads it.
    Raises InputError if the bytes are not a Datum, or hold another number of values than they say.
    """
    datum = caffe_pb2.Datum()
    try:
        datum.ParseFromString(serialised)
    except Exception:  # protobuf's DecodeError, whose module differs between its versions
        raise InputError("not a Caffe Datum; run `ethocaffe prepare` again to rebuild the LMDB") from None
    if datum.encoded:
        return _decode_picture(datum.data)
    values = np.array(datum.float_data, np.float32) if datum.float_data else np.frombuffer(datum.data, np.uint8)
    unit = "numbers" if datum.float_data else "bytes"
    shape = (datum.channels, datum.height, datum.width)
    if values.size == 0 or values.size != int(np.prod(shape)):
        raise InputError(f"a Datum says {shape[0]}×{shape[1]}×{shape[2]} but holds {values.size} {unit}; "
                         "run `ethocaffe prepare` again to rebuild the LMDB")
    return values.reshape(shape)


def _decode_picture(data: bytes) -> np.ndarray:
    buffer = np.frombuffer(data, np.uint8)
    picture = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if buffer.size else None
    if picture is None or picture.dtype != np.uint8:
        raise InputError("a Datum's picture cannot be decoded; run `ethocaffe prepare` again")
    return picture[np.newaxis] if picture.ndim == 2 else np.ascontiguousarray(picture.transpose(2, 0, 1))
