"""Damage that keeps a message well-formed: its fields take other values, vanish, or come twice."""

from __future__ import annotations

import random
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_FLOATS = (0.0, -1.0, 1.0, 0.5, 2.0, 1e-30, 1e30, 3e38, float("inf"), float("-inf"), float("nan"))
_SMALL = (0, 1, 2, 3, 4, 5, 7, 8, 16, 100)
_INTEGERS = (*_SMALL, *_SMALL, -1, -2, -100, 1000, 65536, 10**6, 10**8, 2**31 - 1, -(2**31))
_WIDE = (*_INTEGERS, 2**32, 2**63 - 1, -(2**63))
_TEXTS = ("", "x", "data", "label", "ReLU", "Softmax", "xavier", "L1", "step", "poly", "a" * 5000, "\u00e9", "/", ".",
          "a/b")


def damage(message: Message, draw: random.Random) -> None:
    """One to four changes somewhere in the message."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        parts = list(_parts(message))
        part = draw.choice(parts)
        given = [field for field, _ in part.ListFields()]
        fields = given if given and draw.random() < 0.7 else list(part.DESCRIPTOR.fields)
        if fields:
            _change(part, draw.choice(fields), parts, draw)


def _parts(message: Message) -> Iterator[Message]:
    """The message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.label == field.LABEL_REPEATED else (value,):
                yield from _parts(inner)


def _change(part: Message, field: FieldDescriptor, parts: list[Message], draw: random.Random) -> None:
    repeated = field.label == field.LABEL_REPEATED
    if draw.random() < 0.15:
        part.ClearField(field.name)
    elif field.message_type is not None:
        alike = [other for other in parts if other.DESCRIPTOR is field.message_type]
        target = getattr(part, field.name)
        if not repeated:
            target.SetInParent()
            if alike and draw.random() < 0.5:
                target.CopyFrom(draw.choice(alike))
        elif len(target) and draw.random() < 0.4:
            del target[draw.randrange(len(target))]
        else:
            target.add().CopyFrom(draw.choice(alike) if alike else field.message_type._concrete_class())
    elif repeated:
        values = getattr(part, field.name)
        if len(values) and draw.random() < 0.6:
            values[draw.randrange(len(values))] = _value(field, parts, draw)
        elif len(values) and draw.random() < 0.3:
            del values[draw.randrange(len(values))]
        else:
            values.extend([_value(field, parts, draw)] * draw.choice((1, 1, 1, 2, 40)))
    else:
        setattr(part, field.name, _value(field, parts, draw))


def _value(field: FieldDescriptor, parts: list[Message], draw: random.Random):
    """A value that the field can hold; names are most often ones that the message has elsewhere."""
    if field.enum_type is not None:
        return draw.choice(field.enum_type.values).number
    kind = field.cpp_type
    if kind == field.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return draw.choice((*_FLOATS, draw.uniform(-3, 3)))
    if kind == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return draw.randbytes(draw.choice((0, 1, 300)))
        known = [text for part in parts for other, value in part.ListFields() if other.type == field.TYPE_STRING
                 for text in ([value] if isinstance(value, str) else value)]
        return draw.choice(known if known and draw.random() < 0.8 else _TEXTS)
    least = 0 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64) else -(2**63)
    many = _WIDE if kind in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else _INTEGERS
    return draw.choice([number for number in many if number >= least])
