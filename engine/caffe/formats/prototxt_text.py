"""Messages as text, byte for byte as C++ protobuf prints them for Caffe: fields by number, the shortest exact floats.

Python's own printer differs in numbers (1.0 for 1) and in strings that are not ASCII. The rules are those of
google/protobuf/text_format.cc and stubs/strutil.cc, version 3.
"""

from __future__ import annotations

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe.proto.fields import is_repeated

_ESCAPES = {10: r"\n", 13: r"\r", 9: r"\t", 34: r"\"", 39: r"\'", 92: r"\\"}


def to_text(message: Message, utf8: bool = False) -> str:
    r"""`message` as prototxt, as C++ writes it to files (é is \303\251), or as it logs it (`utf8`: é stays)."""
    lines: list[str] = []
    _print(message, "", lines, utf8)
    return "".join(lines)


def _print(message: Message, indent: str, lines: list[str], utf8: bool) -> None:
    for field, value in message.ListFields():
        values = value if is_repeated(field) else [value]
        for each in values:
            if field.message_type is None:
                lines.append(f"{indent}{field.name}: {_scalar(field, each, utf8)}\n")
                continue
            lines.append(f"{indent}{field.name} {{\n")
            _print(each, indent + "  ", lines, utf8)
            lines.append(f"{indent}}}\n")


def _scalar(field: FieldDescriptor, value, utf8: bool) -> str:
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _shortest(np.float32(value), 6, 9)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _shortest(np.float64(value), 15, 17)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.type == FieldDescriptor.TYPE_ENUM:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if isinstance(value, str):
        return f'"{_escaped(value.encode(), utf8)}"'
    return f'"{_escaped(value, False)}"' if isinstance(value, bytes) else str(value)


def _shortest(value: np.floating, digits: int, exact_digits: int) -> str:
    """%g with so few digits if these say the number exactly, otherwise with enough of them."""
    text = f"{float(value):.{digits}g}"
    return text if np.isnan(value) or type(value)(text) == value else f"{float(value):.{exact_digits}g}"


def _escaped(data: bytes, utf8: bool) -> str:
    kept = data.decode(errors="replace") if utf8 else data.decode("latin-1")
    limit = 0x110000 if utf8 else 0x7F
    return "".join(_ESCAPES.get(ord(c)) or (c if 32 <= ord(c) < limit and ord(c) != 0x7F else f"\\{ord(c):03o}")
                   for c in kept)
