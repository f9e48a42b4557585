"""Reading HDF5 files that may be damaged or by strangers: whatever libhdf5 says of them is a CaffeError.

libhdf5 trusts its files: a damaged one can crash it, keep it busy for ever, or have it take all memory. So another
process reads a file through first, within limits; only then does this one open it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from caffe.errors import CaffeError

# what h5py raises for damaged files and for ones that are laid out otherwise: a dataset where a group should be, …
_FAULTS = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError)
_LEAST_SECONDS, _BYTES_A_SECOND = 20, 5_000_000
# beyond this and what the file holds, no file needs memory to be read in pieces of 16 MB
_SPARE_MEMORY = 2 << 30
_READ_ALL = """
import sys
import h5py
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
except (ImportError, ValueError, OSError):
    pass
seen = set()
def read(thing):
    place = h5py.h5o.get_info(thing.id).addr
    if place in seen:
        return
    seen.add(place)
    if isinstance(thing, h5py.Group):
        for name in thing:
            if name in thing and thing.get(name) is not None:
                read(thing[name])
    elif not thing.shape:
        thing[()]
    elif thing.chunks:
        for piece in thing.iter_chunks():
            thing[piece]
    else:
        rows = max(1, (16 << 20) // max(1, thing.nbytes // max(1, len(thing))))
        for start in range(0, len(thing), rows):
            thing[start:start + rows]
try:
    with h5py.File(sys.argv[1], "r") as file:
        read(file)
except Exception as error:
    sys.exit(" ".join(str(error).split()) or type(error).__name__)
"""


@contextmanager
def open_hdf5(file: str) -> Iterator[Any]:
    """An HDF5 file open for reading, as h5py's File. Raises CaffeError, also for what goes wrong inside `with`."""
    import h5py

    try:
        known = os.stat(file)
    except OSError as error:
        raise CaffeError(f"{file}: cannot be opened: {error.strerror}") from None
    if fault := _fault_of(os.path.realpath(file), known.st_size, known.st_mtime_ns):
        raise CaffeError(f"{file}: is not a readable HDF5 file: {fault}")
    opened = None
    try:
        opened = h5py.File(file, "r")
        yield opened
    except CaffeError:
        raise
    except _FAULTS as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise CaffeError(f"{file}: is damaged, or not laid out as Caffe's HDF5 files are: {line}") from error
    finally:
        if opened is not None:
            opened.close()


def read_array(dataset: Any, shape: tuple[int, ...], place: str) -> np.ndarray:
    """The numbers of a dataset. Raises CaffeError, before any is read, unless it has that shape and holds numbers."""
    if dataset.shape != shape:
        raise CaffeError(f"{place} has shape {dataset.shape}, {shape} is needed")
    _require_numbers(dataset, place)
    return dataset[()]


def read_integer(dataset: Any, place: str) -> int:
    """The one number of a dataset, a scalar or, as Caffe writes it, of shape (1,). Raises CaffeError."""
    if dataset.shape not in ((), (1,)):
        raise CaffeError(f"{place} has shape {dataset.shape}, one number is needed")
    _require_numbers(dataset, place)
    return int(np.asarray(dataset[()]).reshape(-1)[0])


def _require_numbers(dataset: Any, place: str) -> None:
    if dataset.dtype.kind not in "fiu":
        raise CaffeError(f"{place} holds {dataset.dtype}, numbers are needed")


@lru_cache(maxsize=4096)
def _fault_of(file: str, size: int, changed: int) -> str:
    """What is wrong with the file, "" if it can be read from beginning to end."""
    memory = str(_SPARE_MEMORY + 2 * size)
    seconds = _LEAST_SECONDS + size / _BYTES_A_SECOND
    try:
        child = subprocess.run([sys.executable, "-c", _READ_ALL, file, memory], timeout=seconds,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return "it is damaged: reading it does not come to an end; copy it again"
    if child.returncode == 1:
        return (child.stderr.strip().splitlines() or ["it is damaged"])[-1]
    return "it is damaged so that libhdf5 breaks down; copy it again" if child.returncode else ""
