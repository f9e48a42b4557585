"""Weights from other files: which layers are taken from a caffemodel, and which are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from caffe.proto import caffe_pb2
from data_prep.errors import InputError

# What the thesis takes from AlexNet (section 4.5.1, Pretraining).
PRETRAINED = ("conv1", "conv2", "conv3", "conv4", "conv5")


def read_caffemodel(path: str | Path) -> dict[str, Any]:
    """Every layer of a binary caffemodel that has blobs, by its name, as a message with `blobs`.

    Reads today's layers and the older `layers` of version 1. Raises InputError for what is not a caffemodel.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a .caffemodel file") from None
    net = caffe_pb2.NetParameter()
    try:
        net.ParseFromString(content)
    except Exception:  # protobuf's DecodeError, whose module differs between its versions
        raise InputError(f"{path}: is not a caffemodel, or is cut short; fetch it again") from None
    layers = {layer.name: layer for layer in (*net.layers, *net.layer) if layer.blobs}
    if not layers:
        raise InputError(f"{path}: no layer in it has weights; give a .caffemodel file")
    return layers


class Copied(NamedTuple):
    """What became of a net and a caffemodel: layers copied, layers of the net that keep their own weights, and
    layers of the file that were left there."""

    copied: list[str]
    fresh: list[str]
    left: list[str]


def copy_weights(net: Any, path: str | Path, names: tuple[str, ...] = PRETRAINED) -> Copied:
    """Copy the weights of the layers `names` from a caffemodel into a net, nothing else.

    Nothing is copied if any shape differs: raises InputError that names the layer and the shapes.
    """
    stored = read_caffemodel(path)
    wanted = [name for name in names if name in net.params]
    missing = [name for name in wanted if name not in stored]
    if not wanted:
        raise InputError(f"{path}: the network has no layer named {', '.join(names)}, so nothing can be copied")
    if missing:
        raise InputError(f"{path}: has no weights for {', '.join(missing)}; it holds {', '.join(stored)}")
    arrays = {name: [_array(blob, name, path) for blob in stored[name].blobs] for name in wanted}
    for name in wanted:
        _check_shapes(name, [tuple(blob.data.shape) for blob in net.params[name]], arrays[name], path)
    for name in wanted:
        for blob, values in zip(net.params[name], arrays[name]):
            blob.data[...] = values.reshape(blob.data.shape)
    fresh, left = ([name for name in some if name not in wanted] for some in (net.params, stored))
    return Copied(wanted, fresh, left)


def check_same_shapes(deployed: Any, deploy: Path, trained: Any, train_val: Path) -> None:
    """Raise InputError unless each layer with weights of the net `deployed`, read from the file `deploy`, is in the
    net `trained`, read from `train_val`, with weights of the same shapes."""
    for name, blobs in deployed.params.items():
        if name not in trained.params:
            raise InputError(f"{deploy}: layer {name!r} has weights, but {train_val} has no such layer to learn them")
        here, there = ([tuple(blob.data.shape) for blob in some] for some in (blobs, trained.params[name]))
        if here != there:
            shapes = [" and ".join(map(_times, some)) for some in (here, there)]
            raise InputError(
                f"{deploy}: layer {name!r} has weights of {shapes[0]} here and {shapes[1]} in {train_val}; "
                "make the two layers alike"
            )


def _check_shapes(name: str, own: list[tuple[int, ...]], stored: list[np.ndarray], path: str | Path) -> None:
    if len(own) != len(stored):
        raise InputError(f"{path}: layer {name!r} has {len(stored)} blobs there and {len(own)} in the network")
    for here, values in zip(own, stored):
        if _without_leading_ones(values.shape) != _without_leading_ones(here):
            raise InputError(
                f"{path}: layer {name!r} is {_times(values.shape)} there and {_times(here)} in the "
                "network; take weights of the same network, or rename the layer"
            )


def _array(blob: Any, name: str, path: str | Path) -> np.ndarray:
    """A BlobProto's values in its shape; the older formats gave four numbers instead of a shape."""
    old = any(blob.HasField(field) for field in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if old else tuple(blob.shape.dim)
    values = np.array(blob.double_data or blob.data, dtype=np.float32)
    if values.size != int(np.prod(shape)):
        raise InputError(
            f"{path}: layer {name!r} says {_times(shape)} and holds {values.size} values; it is damaged: fetch it again"
        )
    return values.reshape(shape)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """1×1×M×N is M×N and 1×1×1×N is N, as in files of the older formats."""
    start = next((at for at, length in enumerate(shape) if length != 1), len(shape))
    return tuple(int(length) for length in shape[start:])


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
