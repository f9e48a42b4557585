"""The values that inputs, parameters and diffs of a case take: drawn from a seed, the same in every Python.

A kind is a word and numbers: "normal 0.5", "uniform -1 1", "integers 0 5" (5 left out), "grid" (multiples of
a half near 0: many ties and zeros).
"""

from __future__ import annotations

import zlib
from typing import Callable

import numpy as np

KINDS: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda rng, shape, std=1.0: std * rng.standard_normal(shape),
    "uniform": lambda rng, shape, low, high: rng.uniform(low, high, shape),
    "integers": lambda rng, shape, low, high: rng.randint(int(low), int(high), shape),
    "grid": lambda rng, shape: np.round(2 * rng.standard_normal(shape)) / 2,
}


def source(name: str) -> np.random.RandomState:
    """The random numbers of the case of that name."""
    return np.random.RandomState(zlib.crc32(name.encode()))


def draw(rng: np.random.RandomState, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """An array of the shape (float32; a 0-axis array for an empty shape)."""
    word, *numbers = kind.split()
    return np.asarray(KINDS[word](rng, tuple(shape), *map(float, numbers)), np.float32)
