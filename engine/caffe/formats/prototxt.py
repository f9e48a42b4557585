"""Caffe's text format: nets and solvers as prototxt.

Parsing is protobuf's own text_format; this module adds errors that a person can act on: one line with the
file, line and column, what is wrong, and the nearest name that Caffe knows.
"""

from __future__ import annotations

import difflib
import os
import re
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from caffe.errors import CaffeError
from caffe.formats import forks
from caffe.formats.files import read_bytes, write_bytes
from caffe.proto import caffe_pb2

M = TypeVar("M", bound=Message)

# protobuf takes minutes for a string of them
_TOO_MANY_BACKSLASHES = "\\" * 1000
_OTHERS = {"SolverParameter": "NetParameter", "NetParameter": "SolverParameter"}
_LONGEST = 400  # characters of an error that quotes the file
_UNKNOWN_FIELD = re.compile(r'Message type "caffe\.([\w.]+)" has no field named "([^"]*)"')
_UNKNOWN_VALUE = re.compile(r'Enum type "caffe\.([\w.]+)" has no value (?:named|with number) ([^\s.]+)')
_TWICE = re.compile(r'Message type "caffe\.([\w.]+)" should not have multiple "([^"]*)" fields')
# Newer protobufs put the whole source line between the place and the message.
_PLACE = re.compile(r"^\d+:\d+ : (?:'.*?': )?", re.DOTALL)


def parse(text: str, message: M, source: str = "prototxt") -> M:
    """Fill `message` from prototxt `text` and return it.

    Raises CaffeError (`source:line:column: …`) for a syntax error, an unknown field or enum value, a value of
    the wrong type or range, or a field given twice.
    """
    if (damage := text.find(_TOO_MANY_BACKSLASHES)) >= 0:
        raise CaffeError(f"{source}:{text.count(chr(10), 0, damage) + 1}: has {len(_TOO_MANY_BACKSLASHES)} backslashes "
                         "in a row; it is damaged")
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        place = f"{source}:{error.GetLine()}:{error.GetColumn()}" if error.GetLine() else source
        raise CaffeError(f"{place}: {_explain(str(error))[:_LONGEST]}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise CaffeError(f"{source}: {' '.join(str(error).split())[:_LONGEST]}") from None


def read(path: str | os.PathLike, message: M) -> M:
    """Fill `message` from the prototxt file at `path` and return it. Raises CaffeError, see `parse`."""
    return parse(_decode(read_bytes(path, f"prototxt text of a {message.DESCRIPTOR.name}"), path),
                 message, os.fspath(path))


def read_net(path: str | os.PathLike) -> caffe_pb2.NetParameter:
    """The net described by the prototxt file at `path`, as written: old formats are not upgraded here."""
    return read(path, caffe_pb2.NetParameter())


def read_solver(path: str | os.PathLike) -> caffe_pb2.SolverParameter:
    """The solver described by the prototxt file at `path`, as written."""
    return read(path, caffe_pb2.SolverParameter())


def to_text(message: Message) -> str:
    """`message` as prototxt, fields in the order of their numbers as Caffe prints them."""
    return text_format.MessageToString(message)


def write(path: str | os.PathLike, message: Message) -> None:
    """Write `message` as prototxt to `path`, in one move."""
    write_bytes(path, to_text(message).encode())


def _decode(data: bytes, path: str | os.PathLike) -> str:
    if b"\0" in data:
        raise CaffeError(f"{os.fspath(path)}: holds binary data, prototxt text was expected "
                         f"(are weights and network swapped?)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Comments in the encodings of people's editors; Caffe takes them as bytes.
        return data.decode("latin-1")


def _explain(error: str) -> str:
    if match := _UNKNOWN_FIELD.search(error):
        return _unknown_field(_descriptor(match[1]), match[2])
    if match := _UNKNOWN_VALUE.search(error):
        enum = _enum_values(match[1])
        return f"{match[2]} is not one of {', '.join(enum)}{_suggest(match[2].upper(), enum)}"
    if match := _TWICE.search(error):
        return f"{match[2]} is given twice in this {match[1]}; it takes one value"
    text = _PLACE.sub("", error, count=1)
    return " ".join(f"{text[:1].lower()}{text[1:]}".split())


def _unknown_field(descriptor: Descriptor | None, name: str) -> str:
    if descriptor is None:
        return f"unknown field {name}"
    unknown = f"{descriptor.name} has no field {name}"
    if name in forks.FIELDS:
        return f"{unknown}, which a fork of Caffe has; {forks.FIELDS[name]}"
    known = [field.name for field in descriptor.fields]
    if typo := _suggest(name, known, cutoff=0.9):
        return unknown + typo
    other = _OTHERS.get(descriptor.name)
    if other and name in getattr(caffe_pb2, other).DESCRIPTOR.fields_by_name:
        return f"{unknown}; {other} has: are the files of net and solver swapped?"
    near = _suggest(name, known)
    holders = [field.name for field in descriptor.fields
               if field.message_type is not None and name in field.message_type.fields_by_name]
    if holders and not near:
        return f"{unknown}; it belongs inside {' or '.join(holders[:4])}"
    return (f"{unknown}{near}; if it comes from a fork of Caffe, name the fork's caffe.proto: "
            'caffe.proto.extend("caffe.proto"), or CAFFE_PROTO=caffe.proto for commands')


def _suggest(name: str, known: list[str], cutoff: float = 0.7) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f": did you mean {near[0]}?" if near else ""


def _descriptor(name: str) -> Descriptor | None:
    return caffe_pb2.DESCRIPTOR.message_types_by_name.get(name)


def _enum_values(name: str) -> list[str]:
    owner, _, enum = name.rpartition(".")
    message = _descriptor(owner)
    enums = message.enum_types_by_name if message else caffe_pb2.DESCRIPTOR.enum_types_by_name
    return [value.name for value in enums[enum].values]
