"""LMDBs of Datums by frame: a writer whose map grows, and a reader that works across processes."""
from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, TypeVar

import lmdb
import numpy as np

from data_prep import datum
from data_prep.errors import InputError

Result = TypeVar("Result")

FIRST_MAP = 64 << 20  # bytes; the map doubles when it is full, the file grows with its content

# LMDB wants a database opened once per process; a training and a validation net may both read it.
_open_environments: weakref.WeakValueDictionary[tuple[int, str], Any] = weakref.WeakValueDictionary()


def _close_inherited() -> None:
    """In a forked child: give up the parent's open databases, which must not be used after a fork."""
    for environment in list(_open_environments.values()):
        environment.close()
    _open_environments.clear()


os.register_at_fork(after_in_child=_close_inherited)


def key(frame: int) -> bytes:
    """The key of a frame; keys sort as frames do."""
    return b"%08d" % frame


class Writer:
    """Writes Datums in batches; each batch is on the disk, whole, when `write` returns.

    Raises lmdb.Error where the disk is full; what earlier calls wrote stays.
    """

    def __init__(self, path: str | os.PathLike[str]):
        os.makedirs(path, exist_ok=True)
        self._environment = lmdb.open(os.fspath(path), map_size=FIRST_MAP)

    def write(self, datums: Iterable[tuple[int, bytes]]) -> None:
        """Store (frame, serialised Datum) pairs, all or none of them."""
        batch = list(datums)
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for frame, value in batch:
                        transaction.put(key(frame), value)
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])

    def close(self) -> None:
        self._environment.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Reader:
    """Reads the Datums of one LMDB. It may be pickled, forked and shared between threads."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._environment: Any = None
        self._pid = -1

    def __len__(self) -> int:
        return self._opened().stat()["entries"]

    def read(self, frame: int) -> np.ndarray:
        """The image C×H×W of a frame, as `datum.decode` gives it.

        Raises InputError if it is not there or cannot be decoded.
        """
        return self.use(frame, lambda serialised: datum.decode(bytes(serialised)))

    def read_bytes(self, frame: int) -> bytes:
        """The serialised Datum of a frame. Raises InputError if it is not there."""
        return self.use(frame, bytes)

    def use(self, frame: int, function: Callable[[memoryview], Result]) -> Result:
        """What `function` makes of the serialised Datum of a frame, which it sees where it lies and must not keep.

        Raises InputError if it is not there, and with the file and the frame what `function` raises of it.
        """
        with self._opened().begin(buffers=True) as transaction:
            value = transaction.get(key(frame))
            if value is None:
                raise InputError(f"{self.path}: no frame {frame} (it has {len(self)}); "
                                 "run `ethocaffe prepare` again to rebuild it")
            try:
                return function(value)
            except InputError as error:
                raise InputError(f"{self.path}: frame {frame}: {error}") from None

    def close(self) -> None:
        self._environment = None

    def _opened(self) -> Any:
        if self._environment is None or self._pid != os.getpid():
            self._pid = os.getpid()
            place = (self._pid, os.path.realpath(self.path))
            self._environment = _open_environments.get(place) or _open(self.path)
            _open_environments[place] = self._environment
        return self._environment

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_environment": None, "_pid": -1}


def _open(path: Path) -> Any:
    if not (path / "data.mdb").is_file():
        raise InputError(f"{path}: no LMDB there; run `ethocaffe prepare` on its dataset")
    try:
        # No lock file is needed: a finished LMDB is never written again, only replaced.
        environment = lmdb.open(os.fspath(path), readonly=True, lock=False)
    except lmdb.Error as error:
        raise InputError(f"{path}: cannot be opened as an LMDB ({error}); "
                         "run `ethocaffe prepare` again to rebuild it") from None
    promised = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if (path / "data.mdb").stat().st_size < promised:
        environment.close()
        # Reading past the end of a mapped file would kill the process.
        raise InputError(f"{path}: data.mdb is cut short; run `ethocaffe prepare` again to rebuild it")
    return environment


def open_reader(path: str | os.PathLike[str]) -> Reader:
    """Open an LMDB that `ethocaffe prepare` made. Raises InputError if there is none, or it is cut short."""
    reader = Reader(path)
    len(reader)
    return reader


def digest(reader: Reader) -> str:
    """A fingerprint of an LMDB: SHA-256 over its number of entries and its first, middle and last Datum.

    It tells two videos' LMDBs apart without reading gigabytes.
    """
    entries = len(reader)
    total = hashlib.sha256(b"%d" % entries)
    for frame in sorted({0, entries // 2, max(entries - 1, 0)}):
        total.update(reader.read_bytes(frame))
    return total.hexdigest()
