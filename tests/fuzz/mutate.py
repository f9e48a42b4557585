"""Damage to files, drawn from a random.Random: what bad disks, bad downloads and bad people do to them."""

from __future__ import annotations

import random
import re

# at the edges of what the formats' integers hold
_EXTREMES = (0, 1, 2, 7, 127, 128, 255, 4096, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63,
             2**64 - 1)
_NUMBERS = ("0", "-1", "1", "2", "3", "4", "5", "7", "16", "100", "1000", "65536", "100000000", "2000000000",
            "2147483647", "2147483648", "4294967295", "9223372036854775807", "99999999999999999999", "-2147483648",
            "1e38", "1e400", "-inf", "nan", "0.5", "0x7fffffff", "true", "TEST", '"text"')
_TOKEN = re.compile(r'"[^"]*"|[\w.+-]+|\S')
_NUMBER = re.compile(r"(?<![\w.])-?\d[\w.+-]*")


def damage(data: bytes, draw: random.Random, text: bool, others: list[bytes]) -> bytes:
    """`data` after one to three mutations; text mutations too where it is text; `others` lend pieces."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        mutate = draw.choice(_TEXT if text and draw.random() < 0.9 else _BYTES)
        data = mutate(data, draw, draw.choice(others) if others else data)
    return data


# -- any file ------------------------------------------------------------------------------------------------------
def _place(data: bytes, draw: random.Random) -> int:
    """A place in the file, more often near its start, where the structure is."""
    if not data:
        return 0
    span = len(data) if draw.random() < 0.5 else min(len(data), draw.choice((64, 512, 4096, 16384)))
    return draw.randrange(span)


def _flip_bits(data: bytes, draw: random.Random, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, draw: random.Random, other: bytes) -> bytes:
    place, size = _place(data, draw), draw.choice((1, 2, 4, 8, 16, 200))
    filler = draw.choice((b"\0", b"\xff", b"\x80", b"\x7f", b"{", draw.randbytes(1)))
    return data[:place] + filler * size + data[place + size:]


def _set_integer(data: bytes, draw: random.Random, other: bytes) -> bytes:
    size = draw.choice((1, 2, 4, 8))
    place = _place(data, draw) // size * size
    value = draw.choice(_EXTREMES) % 256**size
    return data[:place] + value.to_bytes(size, "little") + data[place + size:]


def _set_varint(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """A length or a number of the wire format replaced by another one."""
    value, parts = draw.choice(_EXTREMES), bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    place = _place(data, draw)
    return data[:place] + bytes(parts) + bytes([value]) + data[place + draw.choice((0, 1, 1, 2, 4)):]


def _truncate(data: bytes, draw: random.Random, other: bytes) -> bytes:
    return data[: _place(data, draw)]


def _cut_out(data: bytes, draw: random.Random, other: bytes) -> bytes:
    place = _place(data, draw)
    return data[:place] + data[place + draw.choice((1, 2, 8, 100, 4096)):]


def _repeat(data: bytes, draw: random.Random, other: bytes) -> bytes:
    place, size = _place(data, draw), draw.choice((1, 4, 40, 400, 4096))
    return data[:place] + data[place:place + size] * draw.choice((2, 3, 50)) + data[place + size:]


def _splice(data: bytes, draw: random.Random, other: bytes) -> bytes:
    start = _place(other, draw)
    piece = other[start:start + draw.choice((1, 16, 256, 4096, len(other)))]
    place = _place(data, draw)
    return data[:place] + piece + data[place + draw.choice((0, len(piece))):]


def _nest(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """The whole put into many fields of one another, as a parser's stack fears."""
    tag = bytes([draw.choice((1, 2, 6, 7, 8, 21, 25)) << 3 & 0xFF | 2])
    for _ in range(draw.choice((2, 50, 150, 2000))):
        size, parts = len(data), bytearray()
        while size >= 0x80:
            parts.append(size & 0x7F | 0x80)
            size >>= 7
        data = tag + bytes(parts) + bytes([size]) + data
        if len(data) > 4_000_000:
            break
    return data


_BYTES = (_flip_bits, _set_bytes, _set_integer, _set_varint, _truncate, _cut_out, _repeat, _splice, _nest)


# -- text -----------------------------------------------------------------------------------------------------------
def _string(data: bytes) -> str:
    return data.decode("latin-1")


def _number(data: bytes, draw: random.Random, other: bytes) -> bytes:
    text = _string(data)
    found = list(_NUMBER.finditer(text))
    if not found:
        return data
    hit = draw.choice(found)
    return (text[: hit.start()] + draw.choice(_NUMBERS) + text[hit.end():]).encode("latin-1")


def _token(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """A token taken out, given twice, or replaced by one from elsewhere."""
    text = _string(data)
    found = list(_TOKEN.finditer(text))
    if not found:
        return data
    hit, lent = draw.choice(found), _TOKEN.findall(_string(other)) or ["x"]
    new = draw.choice(("", f"{hit[0]} {hit[0]}", draw.choice(lent), draw.choice(_TOKEN.findall(text))))
    return (text[: hit.start()] + new + text[hit.end():]).encode("latin-1")


def _lines(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """Lines taken out, given again elsewhere, or lent from another file."""
    lines, lent = data.split(b"\n"), other.split(b"\n")
    place, size = draw.randrange(len(lines)), draw.choice((1, 1, 3, 10))
    piece = draw.choice(([], lines[place:place + size] * 2, lent[draw.randrange(len(lent)):][:size]))
    lines[place:place + size] = piece
    if draw.random() < 0.3:
        draw.shuffle(lines)
    return b"\n".join(lines)


def _deep(data: bytes, draw: random.Random, other: bytes) -> bytes:
    pairs = ((b"{", b"}"), (b"layer {", b"}"), (b"net_param {", b"}"), (b"[", b"]"), (b"<", b">"))
    opening, closing = draw.choice(pairs)
    depth = draw.choice((3, 90, 300, 5000))
    place = _place(data, draw)
    return data[:place] + opening * depth + closing * draw.choice((0, depth)) + data[place:]


def _long(data: bytes, draw: random.Random, other: bytes) -> bytes:
    piece = draw.choice((b"a", b'"', b"\\", b"#", b" ", b"1", b"\\x", b"\xc3", b"\xff", b"dim: 1 ", b"'\\377' "))
    place = _place(data, draw)
    return data[:place] + piece * draw.choice((1, 40, 5000, 100_000)) + data[place:]


_TEXT = (_number, _number, _number, _number, _number, _number, _token, _token, _lines, _lines, _deep, _long)
