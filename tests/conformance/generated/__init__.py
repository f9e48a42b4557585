"""Layer configurations drawn from a seed: Case objects over all layer types that run on bottoms.

Each family file has a table TYPES of {layer type: (how many, a function from Draw to Case)}; the function draws only
what Caffe allows, as real Caffe ends the process otherwise. Runs in real Caffe too (Python 3.9, numpy 1.19).
"""

from __future__ import annotations

import zlib
from importlib import import_module

import numpy as np
from layer_cases import Case

from generated.draw import Draw

SEED = 20260101
FAMILIES = ("elementwise", "spatial", "shapes", "parameters", "losses", "recurrent", "sources")


def table() -> dict:
    """{layer type: (how many, maker, family)}."""
    return {kind: (*row, family) for family in FAMILIES
            for kind, row in import_module(f"generated.{family}").TYPES.items()}


def names(seeds: tuple[int, ...] = (SEED,)) -> list[str]:
    """`<type> <number>` of the usual seed, `<type> <number>/<seed>` of others."""
    return [f"{kind} {number:02d}" + (f"/{seed}" if seed != SEED else "")
            for seed in seeds for kind, (count, *_) in table().items() for number in range(count)]


def case(name: str) -> Case:
    """The configuration of that name, the same at every call."""
    kind, number = name.rsplit(" ", 1)
    number, _, seed = number.partition("/")
    return table()[kind][1](Draw(np.random.RandomState(zlib.crc32(f"{seed or SEED} {kind} {number}".encode()))))
