"""Caffe's messages as text: the same bytes whatever protobuf release and engine wrote them."""

from __future__ import annotations

import struct

LINE = 100  # a message of plain fields stands on one line if that line is no longer


def shortest_float(value: float) -> str:
    """The shortest decimal number that reads back as the same single-precision float."""
    single = struct.pack("<f", value)
    for digits in range(6, 10):
        text = format(value, f".{digits}g")
        if struct.pack("<f", float(text)) == single:
            break
    return text


def quoted(text: str) -> str:
    """A text-format string; single quotes where the text (JSON, say) holds double ones."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n") + quote


def scalar(field, value) -> str:
    if field.cpp_type == field.CPPTYPE_ENUM:
        return field.enum_type.values_by_number[value].name
    if field.cpp_type == field.CPPTYPE_BOOL:
        return "true" if value else "false"
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return shortest_float(value)
    if field.cpp_type == field.CPPTYPE_STRING:
        return quoted(value)
    return str(value)


def items(message):
    """(field, value) of each set field in the order of their numbers, repeated ones one by one."""
    for field, value in message.ListFields():
        if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
            yield field, value
        else:
            for element in value:
                yield field, element


def message_lines(message) -> list[str]:
    lines = []
    for field, value in items(message):
        if field.cpp_type != field.CPPTYPE_MESSAGE:
            lines.append(f"{field.name}: {scalar(field, value)}")
            continue
        inner = message_lines(value)
        line = f"{field.name} {{ {' '.join(inner)} }}"
        if field.name != "layer" and len(line) <= LINE and not any(part.endswith("}") for part in inner):
            lines.append(line)
        else:
            lines += [f"{field.name} {{", *("  " + part for part in inner), "}"]
    return lines


def message_text(message) -> str:
    """Text format of a protobuf message, two spaces a level, short messages on one line."""
    return "\n".join(message_lines(message)) + "\n"
