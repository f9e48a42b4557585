"""Parameters of a net from and to files: .caffemodel (binary NetParameter) and HDF5, by layer name.

Sources of the rules: Net::CopyTrainedLayersFrom, ToProto, ToHDF5 in src/caffe/net.cpp.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe import glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.formats.files import write_bytes
from caffe.formats.hdf5 import open_hdf5, read_array
from caffe.proto import caffe_pb2

if TYPE_CHECKING:
    from caffe.net import Net

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def load(net: Net, file: str) -> None:
    """Copy from a .caffemodel or HDF5 file, told apart by content, into the layers of the same name."""
    try:
        with open(file, "rb") as stream:
            magic = stream.read(8)
    except (OSError, ValueError) as error:
        raise CaffeError(f"{file}: cannot be opened: {getattr(error, 'strerror', error)}") from None
    if magic == HDF5_MAGIC:
        load_hdf5(net, file)
    else:
        copy_blobs(net, binaryproto.read_weights(file), file)


def copy_blobs(net: Net, source: Sequence[tuple[str, Sequence[caffe_pb2.BlobProto]]], file: str) -> None:
    """Copy the blobs of each layer of `source` into the net's first layer of that name, whatever its type.

    Raises CaffeError, before anything is changed, where the number of blobs or a shape differs.
    """
    targets = _first_by_name(net)
    found = []
    for name, stored in source:
        if name not in targets:
            glog.info(f"Ignoring source layer {name}")
            continue
        blobs = net.layers[targets[name]].blobs
        if len(blobs) != len(stored):
            raise CaffeError(f"{file}: layer '{name}' has {len(stored)} blobs, the net's has {len(blobs)}; "
                             "rename the net's layer to learn it from scratch")
        for j, (blob, proto) in enumerate(zip(blobs, stored)):
            if not blob.matches(proto):
                raise _shape_error(file, name, j, binaryproto.blob_shape(proto), blob)
            found.append((blob, proto, name))
    for blob, proto, name in found:
        try:
            blob.from_proto(proto, reshape=False)
        except CaffeError as error:
            raise CaffeError(f"{file}: layer '{name}': {error}") from None


def share(net: Net, other: Net) -> None:
    """Let the net's layers use the parameter memory of `other`'s layers of the same name."""
    targets = _first_by_name(net)
    for name, layer in zip(other._layer_names, other.layers):
        if name not in targets:
            glog.info(f"Ignoring source layer {name}")
            continue
        blobs = net.layers[targets[name]].blobs
        if len(blobs) != len(layer.blobs):
            raise CaffeError(f"layer '{name}' has {len(layer.blobs)} blob(s) in one net and {len(blobs)} in the other")
        for j, (blob, source) in enumerate(zip(blobs, layer.blobs)):
            if blob.shape != source.shape:
                raise CaffeError(f"cannot share parameter {j} of layer '{name}': shape {source.shape_string()} "
                                 f"in one net, {blob.shape_string()} in the other")
            blob.share_data(source)


def to_proto(net: Net, write_diff: bool = False) -> caffe_pb2.NetParameter:
    """The net with its parameters as a message."""
    param = caffe_pb2.NetParameter(name=net.name)
    for layer in net.layers:
        stored = param.layer.add()
        stored.CopyFrom(layer.layer_param)
        del stored.blobs[:]
        stored.blobs.extend(blob.to_proto(write_diff) for blob in layer.blobs)
    return param


def save(net: Net, file: str, write_diff: bool = False) -> None:
    """Write a .caffemodel; the file appears whole or not at all."""
    binaryproto.write(file, to_proto(net, write_diff))


def save_hdf5(net: Net, file: str, write_diff: bool = False) -> None:
    """Write /data/<layer>/<i> (parameters that the layer owns) and, if asked, /diff/<layer>/<i>."""
    arrays: dict[str, Any] = {}
    for part in ("data", "diff") if write_diff else ("data",):
        for i, (name, layer) in enumerate(zip(net._layer_names, net.layers)):
            arrays[f"{part}/{name}"] = None
            for j, blob in enumerate(layer.blobs):
                if part == "diff" or net.param_owner(i, j):
                    arrays[f"{part}/{name}/{j}"] = getattr(blob, part)
    write_hdf5(file, arrays)


def write_hdf5(file: str, entries: dict[str, Any]) -> None:
    """Write an HDF5 file of path → array, number or text (None: an empty group), whole or not at all."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as out:
        for path, value in entries.items():
            if value is None:
                out.require_group(path)
            elif isinstance(value, str):
                # of a fixed length and ended by a zero: real Caffe reads no other
                out.create_dataset(path, data=value, dtype=h5py.string_dtype(length=len(value.encode()) + 1))
            else:
                out[path] = value
    write_bytes(file, buffer.getvalue())


def load_hdf5(net: Net, file: str) -> None:
    """Copy from an HDF5 snapshot. Raises CaffeError, before anything is changed, where something does not fit."""
    found: list[tuple[Blob, np.ndarray]] = []
    with open_hdf5(file) as source:
        if "data" not in source:
            raise CaffeError(f"{file}: has no group /data; it is not a Caffe HDF5 snapshot")
        for name in sorted(set(source["data"]) - set(net._layer_names)):
            glog.info(f"Ignoring source layer {name}")
        for i, (name, layer) in enumerate(zip(net._layer_names, net.layers)):
            group = source["data"].get(name)
            if group is None:
                continue
            if len(group) > len(layer.blobs):
                raise CaffeError(f"{file}: layer '{name}' has {len(group)} blobs, "
                                 f"the net's has {len(layer.blobs)}")
            for j, blob in enumerate(layer.blobs):
                if str(j) in group:
                    values = group[str(j)]
                    if values.shape != blob.shape:
                        raise _shape_error(file, name, j, values.shape, blob)
                    found.append((blob, read_array(values, blob.shape, f"{file}: parameter {j} of layer '{name}'")))
                elif net.param_owner(i, j):
                    raise CaffeError(f"{file}: layer '{name}' lacks blob {j}")
    for blob, array in found:
        blob.data[...] = array


def _first_by_name(net: Net) -> dict[str, int]:
    """The index of the first layer of each name."""
    return {name: i for i, name in reversed(list(enumerate(net._layer_names)))}


def _shape_error(file: str, layer: str, index: int, stored: tuple[int, ...], blob: Blob) -> CaffeError:
    return CaffeError(f"{file}: parameter {index} of layer '{layer}' has shape {tuple(stored)}, the net needs "
                      f"{blob.shape}; rename the net's layer to learn it from scratch, or use the weights' own net")
