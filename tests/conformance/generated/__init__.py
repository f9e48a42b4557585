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


def cases() -> dict[str, Case]:
    """{`<type> <number>`: case}, the same at every call."""
    found = {}
    for kind, (count, make, _) in table().items():
        for number in range(count):
            name = f"{kind} {number:02d}"
            found[name] = make(Draw(np.random.RandomState(zlib.crc32(f"{SEED} {name}".encode()))))
    return found
