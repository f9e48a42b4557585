"""pycaffe's coord_map: how the coordinates of one top of a NetSpec relate to those of another, and crops by it.

A map is (axis, scale, shift): place x of the input, counted along the axes after `axis`, is place scale · x + shift
of the output's grid seen from the input. Pointwise layers have (None, 1, 0). Source: python/caffe/coord_map.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from caffe.errors import CaffeAssertionError, CaffeError
from caffe.net_spec import Function, Top, layers

PASS_THROUGH_LAYERS = ["AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Log", "LRN", "Exp", "MVN",
                       "Power", "ReLU", "PReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold"]
_TWO_SIDED = {f"{what}_{side}" for what in ("pad", "kernel", "stride") for side in "hw"}

Map = tuple[Any, Any, Any]
IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(CaffeError):
    """A layer whose output has no coordinates in common with its input."""


class AxisMismatchException(CaffeError):
    """Two maps that count from different axes."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(axis, stride, extent of the dilated kernel, pad) of a layer that slides a window, each with a number per axis.

    Raises CaffeAssertionError for the old fields that end in _h and _w.
    """
    params = next((fn.params[key] for key in ("convolution_param", "pooling_param") if key in fn.params), fn.params)
    old = _TWO_SIDED & {*params, *fn.params}
    if old:
        raise CaffeAssertionError(f"{fn.type_name}: cropping does not support {', '.join(sorted(old))}; "
                                  "give kernel_size, stride and pad instead")
    if "kernel_size" not in params:
        raise UndefinedMapException(f"{fn.type_name}: has no kernel_size")
    kernel, dilation, stride, pad = (np.array(params.get(key, default), ndmin=1) for key, default in (
        ("kernel_size", 1), ("dilation", 1), ("stride", 1), ("pad", 0)))
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """(first axis that is cropped, offsets) of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def _convolution(fn: Function) -> Map:
    axis, stride, extent, pad = conv_params(fn)
    return axis, 1 / stride, (pad - (extent - 1) / 2) / stride


def _deconvolution(fn: Function) -> Map:
    axis, stride, extent, pad = conv_params(fn)
    return axis, stride, (extent - 1) / 2 - pad


def _crop(fn: Function) -> Map:
    axis, offset = crop_params(fn)
    return axis - 1, 1, -offset


_MAPS: dict[str, Callable[[Function], Map]] = {
    **dict.fromkeys(("Convolution", "Pooling", "Im2col"), _convolution),
    **dict.fromkeys(PASS_THROUGH_LAYERS, lambda fn: IDENTITY),
    "Deconvolution": _deconvolution,
    "Crop": _crop,
}


def coord_map(fn: Function) -> Map:
    """The map of one layer. Raises UndefinedMapException for a type that has none."""
    if fn.type_name not in _MAPS:
        raise UndefinedMapException(f"{fn.type_name}: its output has no coordinates in common with its input")
    return _MAPS[fn.type_name](fn)


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that is `next_map` and then `base_map`. Raises AxisMismatchException if their axes differ."""
    (base_axis, base_scale, base_shift), (axis, scale, shift) = base_map, next_map
    if None not in (base_axis, axis) and base_axis != axis:
        raise AxisMismatchException(f"one map counts from axis {base_axis}, the other from axis {axis}")
    return axis if base_axis is None else base_axis, base_scale * scale, base_scale * shift + base_shift


def inverse(coord_map: Map) -> Map:
    """The map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def _ancestors(top: Top) -> Iterator[tuple[Top, Map]]:
    """`top` and all that it is computed from by layers with a map, each with the map from there to `top`."""
    waiting: list[tuple[Top, Map]] = [(top, IDENTITY)]
    seen = set()
    while waiting:
        top, found = waiting.pop(0)
        if top in seen:
            continue
        seen.add(top)
        yield top, found
        # Crop's second bottom gives a size and no values
        bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
        try:
            waiting += [(bottom, compose(found, coord_map(top.fn))) for bottom in bottoms]
        except UndefinedMapException:
            continue


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from one top to another by way of what both are computed from. Raises CaffeError if there is nothing."""
    from_maps = dict(_ancestors(top_from))
    for top, found in _ancestors(top_to):
        if top in from_maps:
            return compose(found, inverse(from_maps[top]))
    raise CaffeError(f"could not compute the map from a {top_from.fn.type_name} to a {top_to.fn.type_name}: no spatial "
                     "layers connect them")


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts `top_from` to the place and size of `top_to`.

    Raises CaffeAssertionError if the scales differ, or if the offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    for problem, fine in (("scale mismatch on crop (scale", np.all(scale == 1)),
                          ("cannot crop negative offset (shift", np.all(shift <= 0)),
                          ("cannot crop noninteger offset (shift", np.all(np.round(shift) == shift))):
        if not fine:
            raise CaffeAssertionError(f"{problem} = {scale if 'scale' in problem else shift})")
    offset = [int(place) for place in np.atleast_1d(-np.round(shift))]
    return layers.Crop(top_from, top_to, crop_param=dict(axis=2 if axis is None else axis + 1, offset=offset))
