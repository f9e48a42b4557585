"""The values that parameters start with. Source: include/caffe/filler.hpp, in single precision throughout."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from caffe.errors import CaffeError
from caffe.proto.caffe_pb2 import FillerParameter
from caffe.random.rng import Stream

Shape = tuple[int, ...]


def fill(param: FillerParameter, shape: Sequence[int], stream: Stream) -> np.ndarray:
    """A float32 array of `shape` as the filler `param` makes it, drawing from `stream`.

    Raises CaffeError for an unknown type, an empty shape, or parameters that the filler does not take.
    """
    shape = tuple(int(extent) for extent in shape)
    if param.type not in _FILLERS:
        raise CaffeError(f"unknown filler {param.type!r}: there are {', '.join(sorted(_FILLERS))}")
    if math.prod(shape) == 0:
        raise CaffeError(f"filler {param.type!r} is asked to fill an empty blob of shape {shape}")
    if param.sparse != -1 and param.type != "gaussian":
        raise CaffeError(f"filler {param.type!r} takes no sparse (only gaussian does)")
    try:
        return _FILLERS[param.type](param, shape, stream).reshape(shape)
    except CaffeError as error:
        raise CaffeError(f"filler {param.type!r}: {error}") from None


def _constant(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    return np.full(shape, param.value, np.float32)


def _uniform(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    return stream.uniform(param.min, param.max, math.prod(shape))


def _gaussian(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    """N(mean, std²); with `sparse`, each value is kept with probability sparse / shape[0], otherwise zero."""
    values = stream.gaussian(param.mean, param.std, math.prod(shape))
    if param.sparse < -1:
        raise CaffeError(f"sparse is a number of inputs, or -1 for all, not {param.sparse}")
    if param.sparse >= 0:
        probability = np.float32(param.sparse) / np.float32(shape[0] if shape else 1)
        values *= stream.bernoulli(float(probability), len(values), np.float32)
    return values


def _positive_unitball(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    """U(0, 1), divided by the sum along all axes but the first; the sum runs in order, as Caffe's loop."""
    rows = stream.uniform(0, 1, math.prod(shape)).reshape(shape[0] if shape else 1, -1)
    return rows / np.cumsum(rows, axis=1, dtype=np.float32)[:, -1:]


def _xavier(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    """U(−a, a) with a = √(3 / n). Source: Glorot and Bengio, 2010."""
    scale = np.sqrt(np.float32(3) / _fan(param, shape))
    return stream.uniform(-scale, scale, math.prod(shape))


def _msra(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    """N(0, 2 / n). Source: He, Zhang, Ren and Sun, 2015."""
    std = np.sqrt(np.float32(2) / _fan(param, shape))
    return stream.gaussian(0, std, math.prod(shape))


def _fan(param: FillerParameter, shape: Shape) -> np.float32:
    """n of xavier and msra: inputs per output, outputs per input, or their mean, by variance_norm."""
    count = math.prod(shape)
    fan_in = count // shape[0] if shape else count
    fan_out = count // shape[1] if len(shape) > 1 else count
    if param.variance_norm == FillerParameter.AVERAGE:
        return np.float32(fan_in + fan_out) / np.float32(2)
    return np.float32(fan_out if param.variance_norm == FillerParameter.FAN_OUT else fan_in)


def _bilinear(param: FillerParameter, shape: Shape, stream: Stream) -> np.ndarray:
    """The kernel that upsamples by linear interpolation, the same for every plane."""
    if len(shape) != 4 or shape[2] != shape[3]:
        raise CaffeError(f"the blob must have 4 axes and square planes, not the shape {shape}")
    width = shape[3]
    factor = math.ceil(width / 2)
    centre = np.float32((width - 1) / (2.0 * factor))
    ramp = np.float32(1) - np.abs(np.arange(width, dtype=np.float32) / np.float32(factor) - centre)
    return np.broadcast_to(ramp[:, None] * ramp[None, :], shape).copy()


_FILLERS: dict[str, Callable[[FillerParameter, Shape, Stream], np.ndarray]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
