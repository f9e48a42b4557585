"""The record of what real Caffe gave: one .npz per family, all arrays end to end in `values`, their names and
shapes as JSON in `index` (thousands of small arrays would be mostly headers)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "golden"

Results = dict  # {case: {name: array}}


def path(family: str) -> Path:
    return FOLDER / f"layers_{family}.npz"


def save(family: str, results: Results) -> None:
    """Write {case: {name: array}} as float32."""
    entries = [(case, name, array) for case, arrays in results.items() for name, array in arrays.items()]
    index = json.dumps([[case, name, list(array.shape)] for case, name, array in entries])
    values = np.concatenate([np.ravel(array) for _, _, array in entries]).astype(np.float32)
    np.savez_compressed(path(family), values=values, index=np.frombuffer(index.encode(), np.uint8))


def load(family: str) -> Results:
    """Read {case: {name: array}}."""
    with np.load(path(family)) as stored:
        values, index = stored["values"], json.loads(stored["index"].tobytes())
    results: Results = {}
    start = 0
    for case, name, shape in index:
        stop = start + int(np.prod(shape, dtype=int))
        results.setdefault(case, {})[name] = values[start:stop].reshape(shape)
        start = stop
    return results
