"""Boost's ziggurat for standard normal numbers in single precision, many at a time.

One draw takes a word w of the stream: its lowest bit is the sign, the next seven the layer i, the upper 24
a fraction r. Where x = r·x_i lies below x_(i+1), in 98.8 % of draws, x is the value: those are vectorised. In
a wedge a second word decides; the tail takes more. Heights and widths of the layers follow from the tail's
start R and the layers' common area V (Marsaglia and Tsang, "The Ziggurat Method for Generating Random
Variables", 2000).

Source of the order of draws and roundings: boost/random/normal_distribution.hpp, exponential_distribution.hpp
and detail/int_float_pair.hpp, for RealType = float. Every operation below is on float32, as there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numpy as np

_FRACTION = np.float32(2.0**-24)
_UNIT = np.float32(2.0**-32)
# Words from here on round to 2³² in single precision: uniform_01 draws again.
_TOO_LARGE = 0xFFFFFF80
_ONE = np.float32(1)


class Table(NamedTuple):
    """Widths x_i and heights y_i of n layers: x_0 = V / f(x_1), x_1 = R … x_n = 0; y_0 = 0 … y_n = 1."""

    x: np.ndarray
    y: np.ndarray


def _table(layers: int, start: str, area: str, height: Callable, width: Callable) -> Table:
    with localcontext() as context:
        context.prec = 45
        tail, volume = Decimal(start), Decimal(area)
        y = [Decimal(0), height(tail)]
        x = [volume / y[1], tail]
        while len(x) < layers:
            y.append(y[-1] + volume / x[-1])
            x.append(width(y[-1]))
    return Table(np.array([*map(float, x), 0.0]), np.array([*map(float, y), 1.0]))


@cache
def normal_table() -> Table:
    """128 layers under exp(−x²/2)."""
    return _table(128, "3.4426198558966521214243204914673397043375973858509",
                  "0.0099125630353364610790956853058101621973797012828879",
                  lambda x: (-x * x / 2).exp(), lambda y: (-2 * y.ln()).sqrt())


@cache
def exponential_table() -> Table:
    """256 layers under exp(−x)."""
    return _table(256, "7.6971174701310497140446280480152154991139686400553",
                  "0.0039496598225815572199775719568148610919128123713095",
                  lambda x: (-x).exp(), lambda y: -y.ln())


class _Body(NamedTuple):
    """By the low byte of a word: what its fraction is multiplied with, and the first word not accepted."""

    scale: np.ndarray
    limit: np.ndarray


@cache
def _body() -> _Body:
    x = normal_table().x
    layer = np.arange(256) >> 1
    width = x.astype(np.float32)[layer] * _FRACTION
    limit = np.zeros(256, np.uint32)
    for byte in range(256):
        below = x[layer[byte] + 1]
        near = int(below / x[layer[byte]] * 2**24)
        fractions = np.arange(max(near - 4, 0), near + 5).astype(np.float32)
        accepted = (fractions * width[byte]).astype(np.float64) < below
        limit[byte] = (max(near - 4, 0) + np.count_nonzero(accepted)) << 8
    return _Body(np.where(np.arange(256) & 1, width, -width).astype(np.float32), limit)


class Variant(NamedTuple):
    """What changed between versions of Boost: how a wedge decides, how the tail is drawn."""

    wedge: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    tail: Callable[[np.ndarray, int], tuple[np.float32, int]]


class Block(NamedTuple):
    """Values made from a block of words, and how many words they took."""

    values: np.ndarray
    used: int


def normal_block(words: np.ndarray, wanted: int, variant: Variant) -> Block:
    """Up to `wanted` standard normal values from `words` (uint32): as many as these make whole draws of."""
    body = _body()
    low = words.astype(np.uint8)
    values = (words >> np.uint32(8)).astype(np.float32)
    values *= body.scale[low]
    slow = np.flatnonzero(words >= body.limit[low])

    following = words[np.minimum(slow + 1, len(words) - 1)]
    layer = low[slow] >> 1
    special = (layer == 0) | (following >= _TOO_LARGE) | (slow == len(words) - 1)
    visited = np.ones(len(slow), bool)
    keep = np.ones(len(words), bool)
    ends: dict[int, int] = {}
    stop = len(words)
    for j in np.flatnonzero(special | _follows(slow)):
        place = int(slow[j])
        if not visited[j]:
            continue
        if j > 0 and slow[j - 1] == place - 1 and visited[j - 1]:
            visited[j] = False
        elif special[j]:
            try:
                value, end = _attempt(words, place, variant)
            except IndexError:
                stop = place
                visited[j:] = False
                break
            if value is None:
                keep[place] = False
            else:
                values[place] = value
            keep[place + 1:end] = False
            ends[place] = end
            visited[j + 1:np.searchsorted(slow, end)] = False

    wedge = visited & ~special
    at = slow[wedge]
    keep[at] = variant.wedge(layer[wedge], np.abs(values[at]), following[wedge].astype(np.float32) * _UNIT)
    keep[at + 1] = False

    made = values[:stop][keep[:stop]]
    if len(made) < wanted:
        return Block(made, stop)
    last = int(np.flatnonzero(keep[:stop])[wanted - 1])
    return Block(made[:wanted], ends.get(last, last + 2 if last in at else last + 1))


def _follows(places: np.ndarray) -> np.ndarray:
    """True for those that stand directly behind the one before."""
    follows = np.zeros(len(places), bool)
    follows[1:] = np.diff(places) == 1
    return follows


def _attempt(words: np.ndarray, place: int, variant: Variant) -> tuple[np.float32 | None, int]:
    """One slow draw at `place`: its value (None if rejected) and the place after it.

    Raises IndexError if it needs more words than there are.
    """
    byte = int(words[place]) & 255
    sign = np.float32((byte & 1) * 2 - 1)
    layer = byte >> 1
    if layer == 0:
        value, place = variant.tail(words, place + 1)
        return value * sign, place
    x = np.float32(int(words[place]) >> 8) * np.abs(_body().scale[byte])
    y01, place = _uniform(words, place + 1)
    accepted = variant.wedge(np.array([layer]), np.array([x]), np.array([y01]))[0]
    return (x * sign if accepted else None), place


def _uniform(words: np.ndarray, place: int) -> tuple[np.float32, int]:
    """boost::uniform_01<float> at `place`."""
    while words[place] >= _TOO_LARGE:
        place += 1
    return np.float32(words[place]) * _UNIT, place + 1


def _exp(x: np.ndarray) -> np.ndarray:
    # By way of double precision, as the C library's expf does.
    return np.exp(x.astype(np.float64)).astype(np.float32)


def _wedge_by_density(layer: np.ndarray, x: np.ndarray, y01: np.ndarray) -> np.ndarray:
    table = normal_table()
    y = table.y.astype(np.float32)[layer] + y01 * np.diff(table.y).astype(np.float32)[layer]
    return y < _exp(-x * x / np.float32(2))


def _wedge_by_bounds(layer: np.ndarray, x: np.ndarray, y01: np.ndarray) -> np.ndarray:
    """The density is asked only between the chord and the tangent, which change sides at x = 1."""
    table = normal_table()
    width, height = table.x.astype(np.float32)[layer], table.y.astype(np.float32)[layer]
    y = height + y01 * np.diff(table.y).astype(np.float32)[layer]
    chord = (-np.diff(table.x)).astype(np.float32)[layer] * y01 - (width - x)
    tangent = y - (height + (width - x) * height * width)
    convex = table.x[layer] >= 1
    upper, lower = np.where(convex, chord, tangent), np.where(convex, tangent, chord)
    return (upper < 0) & ((lower < 0) | (y < _exp(-(x * x / np.float32(2)))))


def _exponential_by_logarithm(words: np.ndarray, place: int) -> tuple[np.float32, int]:
    uniform, place = _uniform(words, place)
    return np.float32(-math.log(_ONE - uniform)), place


def _exponential_by_ziggurat(words: np.ndarray, place: int) -> tuple[np.float32, int]:
    table = exponential_table()
    width, height = table.x.astype(np.float32), table.y.astype(np.float32)
    shift = np.float32(0)
    while True:
        word = int(words[place])
        place += 1
        layer = word & 255
        x = np.float32(word >> 8) * _FRACTION * width[layer]
        if x < width[layer + 1]:
            return shift + x, place
        if layer == 0:
            shift += width[1]
            continue
        y01, place = _uniform(words, place)
        y = height[layer] + y01 * np.float32(table.y[layer + 1] - table.y[layer])
        above = np.float32(table.x[layer] - table.x[layer + 1]) * y01 - (width[layer] - x)
        below = y - (height[layer + 1] + (width[layer + 1] - x) * height[layer + 1])
        if above < 0 and (below < 0 or y < np.float32(math.exp(-x))):
            return x + shift, place


def _tail(exponential: Callable) -> Callable[[np.ndarray, int], tuple[np.float32, int]]:
    """|value| beyond R, by rejection from an exponential that starts there."""
    def tail(words: np.ndarray, place: int) -> tuple[np.float32, int]:
        start = np.float32(normal_table().x[1])
        while True:
            x, place = exponential(words, place)
            y, place = exponential(words, place)
            x = x / start
            if np.float32(2) * y > x * x:
                return x + start, place
    return tail


# Boost 1.56 to 1.63, and from 1.64 on.
FIRST = Variant(_wedge_by_density, _tail(_exponential_by_logarithm))
SECOND = Variant(_wedge_by_bounds, _tail(_exponential_by_ziggurat))
