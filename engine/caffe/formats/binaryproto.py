"""Caffe's binary files: weights (.caffemodel), solver states (.solverstate), mean images (.binaryproto).

The wire format carries no type, so any of these parses as any other, with nothing in it: what was read is
checked, and the error says what the file looks like.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats.files import read_bytes, write_bytes
from caffe.proto import caffe_pb2

M = TypeVar("M", bound=Message)

_LEGACY = ("num", "channels", "height", "width")
# The fields that weights are read from, by number: layers of today (name, blobs), of V1 (name, blobs) and of V0 in it.
_WEIGHTS: dict[int, dict] = {100: {1: {}, 7: {}}, 2: {4: {}, 6: {}, 1: {1: {}, 50: {}}}}
# Protobuf's own limit
_LARGEST = 2**31 - 1
# Wire types: a varint, bytes with their length, numbers of a fixed size.
_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}


def parse(data: bytes, message: M, source: str = "binary data") -> M:
    """Fill `message` from its wire format and return it.

    Raises CaffeError if `data` is cut short (with the place), is no protobuf, or has text that is not UTF-8.
    """
    if len(data) > _LARGEST:
        raise CaffeError(f"{source}: is {len(data)} bytes long, and binary files end at 2 GB; use HDF5")
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise CaffeError(f"{source}: {_diagnose(data, message.DESCRIPTOR.name)}") from None
    if not _strings_are_text(message):
        raise CaffeError(f"{source}: is damaged: a name in it is not text")
    return message


def read(path: str | os.PathLike, message: M) -> M:
    """Fill `message` from the binary file at `path` and return it. Raises CaffeError, see `parse`."""
    return parse(read_bytes(path, f"a binary {message.DESCRIPTOR.name}"), message, os.fspath(path))


def read_net(path: str | os.PathLike) -> caffe_pb2.NetParameter:
    """The layers and weights of a .caffemodel, as stored: old formats are not upgraded here.

    Raises CaffeError if the file holds no layers, which is what another kind of file looks like.
    """
    net = read(path, caffe_pb2.NetParameter())
    _check_has_layers(net, path)
    return net


def read_weights(path: str | os.PathLike) -> list[tuple[str, list[caffe_pb2.BlobProto]]]:
    """The name and blobs of each layer of a .caffemodel, of any age and of any fork of Caffe.

    Other fields are not looked at: forks give their numbers other meanings,
    be it such that the file is no NetParameter of ours at all. Raises CaffeError for a file without layers.
    """
    data = read_bytes(path, "a binary NetParameter")
    net = caffe_pb2.NetParameter()
    try:
        parse(data, net, os.fspath(path))
    except CaffeError:
        stripped = _strip(data, _WEIGHTS)
        if stripped is None:
            raise
        net = parse(stripped, net, os.fspath(path))
        glog.warning(f"{os.fspath(path)}: has fields of another Caffe; only the layers' names and blobs are read")
    _check_has_layers(net, path)
    if net.layers:
        glog.info(f"Attempting to upgrade input file specified using deprecated V1LayerParameter: {os.fspath(path)}")
        glog.info("Successfully upgraded file specified using deprecated V1LayerParameter")
    if any(layer.type == "BatchNorm" and len(layer.param) == 3 for layer in net.layer):  # as every snapshot has them
        glog.info(f"Attempting to upgrade batch norm layers using deprecated params: {os.fspath(path)}")
        glog.info("Successfully upgraded batch norm layers using deprecated params.")
    layers = [*net.layer, *(old.layer if old.HasField("layer") else old for old in net.layers)]
    return [(layer.name, list(layer.blobs)) for layer in layers]


def _check_has_layers(net: caffe_pb2.NetParameter, path: str | os.PathLike) -> None:
    if not net.layer and not net.layers:
        raise CaffeError(f"{os.fspath(path)}: holds no layers, so it is not a .caffemodel "
                         f"(a .solverstate or a mean file?)")


def read_solver_state(path: str | os.PathLike) -> caffe_pb2.SolverState:
    """The iteration and history of a .solverstate. Raises CaffeError if the file is of another kind."""
    state = read(path, caffe_pb2.SolverState())
    if not state.HasField("iter") or len(UnknownFieldSet(state)):
        raise CaffeError(f"{os.fspath(path)}: is not a .solverstate (a .caffemodel or a mean file?)")
    return state


def read_blob(path: str | os.PathLike) -> caffe_pb2.BlobProto:
    """The single blob of a .binaryproto, such as a mean image.

    Raises CaffeError if the numbers stored are not as many as its shape says, as in a file of another kind
    or of a fork with messages of its own.
    """
    blob = read(path, caffe_pb2.BlobProto())
    shape = blob_shape(blob)
    stored = len(blob.double_data) or len(blob.data)
    if stored != math.prod(shape) or stored == 0 or min(shape, default=0) < 0:
        raise CaffeError(f"{os.fspath(path)}: its shape is {' '.join(map(str, shape)) or 'missing'} but it "
                         f"holds {stored} numbers: not a blob of Caffe's (a fork's, or another kind of file)")
    return blob


def blob_shape(blob: caffe_pb2.BlobProto) -> tuple[int, ...]:
    """The shape of a stored blob; files from before 2015 have it as num, channels, height, width."""
    if is_legacy(blob):
        return tuple(getattr(blob, name) for name in _LEGACY)
    return tuple(blob.shape.dim)


def is_legacy(blob: caffe_pb2.BlobProto) -> bool:
    """True for a stored blob that has num, channels, height, width in place of `shape`."""
    return any(blob.HasField(name) for name in _LEGACY)


def numbers(blob: caffe_pb2.BlobProto, part: str) -> np.ndarray:
    """The stored numbers of `part` ("data" or "diff"), float32 or, where stored as double, float64; 1-D.

    Taken from the wire format: a tenth of the time of reading the repeated field number by number.
    """
    for name, dtype in ((f"double_{part}", "<f8"), (part, "<f4")):
        if not getattr(blob, name):
            continue
        data = blob.SerializeToString()
        tag = blob.DESCRIPTOR.fields_by_name[name].number << 3 | _BYTES
        places = [(_varint(data, start + 1)[1], end) for start, end in _top_level(data) if data[start] == tag]
        pieces = [memoryview(data)[start:end] for start, end in places]
        return np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), dtype)
    return np.empty(0, "<f4")


def set_numbers(blob: caffe_pb2.BlobProto, part: str, values: np.ndarray) -> None:
    """Store a 1-D array in `part` ("data" or "diff"), as double where it is float64."""
    double = values.dtype == np.float64
    name = f"double_{part}" if double else part
    packed = values.astype("<f8" if double else "<f4", copy=False).tobytes()
    blob.ClearField(name)
    blob.MergeFromString(field(blob.DESCRIPTOR.fields_by_name[name].number, packed))


def field(number: int, content: bytes) -> bytes:
    """A field of bytes (also: text, a message, packed numbers) in the wire format."""
    return _to_varint(number << 3 | _BYTES) + _to_varint(len(content)) + content


def write(path: str | os.PathLike, message: Message) -> None:
    """Write `message` in the wire format to `path`, in one move."""
    write_bytes(path, message.SerializeToString())


def _strings_are_text(message: Message) -> bool:
    """False if a string is not UTF-8: protobuf finds out when it is read, and then gives bytes or raises."""
    try:
        for field, value in message.ListFields():
            many = [value] if isinstance(value, (Message, str, bytes)) else value
            if field.type == field.TYPE_STRING and not all(isinstance(text, str) for text in many):
                return False
            inner = field.message_type is not None and field.message_type.name != "BlobProto"
            if inner and not all(map(_strings_are_text, many)):
                return False
    except UnicodeDecodeError:
        return False
    return True


def _strip(data: bytes, kept: dict[int, dict]) -> bytes | None:
    """Only the fields of these numbers, and of those the same inside; None if the data is no wire format."""
    parts = []
    for start, end in _top_level(data):
        if end is None or end > len(data):
            return None
        tag, place = _varint(data, start)
        if tag >> 3 not in kept:
            continue
        inside = kept[tag >> 3]
        if inside and tag & 7 == _BYTES:
            content = _strip(data[_varint(data, place)[1]:end], inside)
            if content is None:
                return None
            parts.append(field(tag >> 3, content))
        else:
            parts.append(data[start:end])
    return b"".join(parts)


def _diagnose(data: bytes, kind: str) -> str:
    sample = data[:1000]
    if all(byte >= 32 or byte in b"\t\r\n" for byte in sample) and sample.count(b":") + sample.count(b"{"):
        return f"looks like text, a binary {kind} was expected (are weights and network swapped?)"
    for start, end in _top_level(data):
        if end is None:
            break
        if end > len(data):
            return (f"is cut short: it is {len(data)} bytes long and what starts at byte {start} "
                    f"needs {end}: copy or download it again")
    return f"is not a binary {kind}, or it is damaged"


def _top_level(data: bytes) -> Iterator[tuple[int, int | None]]:
    """Start and end of each field of the outermost message; the end is None where the data makes no sense."""
    place = 0
    while place < len(data):
        start = place
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _BYTES:
            size, place = _varint(data, place)
            place += size
        elif kind == _VARINT:
            _, place = _varint(data, place)
        elif kind in _FIXED:
            place += _FIXED[kind]
        else:
            yield start, None
            return
        yield start, place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place` and the place after it, which is past the end where the number is cut off."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            return value, len(data) + 1
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, place


def _to_varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(parts + bytes([value]))
