"""Databases of Datums written as Caffe's tools write them: entries kept until commit, then put in one transaction.

Sources: src/caffe/util/db_lmdb.cpp, src/caffe/util/db.cpp.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from caffe import glog
from caffe.errors import CaffeError

_FIRST_SIZE = 1 << 24  # bytes that an LMDB may take; doubled whenever they are used up


class Writer(Protocol):
    """A database being written: `put` what `commit` then stores."""

    def put(self, key: bytes, value: bytes) -> None: ...

    def commit(self) -> None: ...


class LmdbWriter:
    """An LMDB in the empty folder `path`."""

    def __init__(self, path: str):
        import lmdb

        self._full = lmdb.MapFullError
        self._size = _FIRST_SIZE
        self._environment = lmdb.open(path, map_size=self._size)
        self._entries: list[tuple[bytes, bytes]] = []

    def put(self, key: bytes, value: bytes) -> None:
        self._entries.append((key, value))

    def commit(self) -> None:
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._entries:
                        transaction.put(key, value)
                break
            except self._full:
                self._size *= 2
                self._environment.set_mapsize(self._size)
        self._entries.clear()

    def close(self) -> None:
        self._environment.close()


class LevelDbWriter:
    """A LevelDB in the empty folder `path`. Raises CaffeError without the package plyvel."""

    def __init__(self, path: str):
        try:
            import plyvel
        except ImportError:
            raise CaffeError("writing a LevelDB needs the package plyvel: pip install plyvel, or choose the backend "
                             "lmdb") from None
        self._database = plyvel.DB(path, create_if_missing=True, block_size=65536, write_buffer_size=1 << 28)
        self._batch = self._database.write_batch()

    def put(self, key: bytes, value: bytes) -> None:
        self._batch.put(key, value)

    def commit(self) -> None:
        self._batch.write()
        self._batch.clear()

    def close(self) -> None:
        self._database.close()


WRITERS: dict[str, type[LmdbWriter] | type[LevelDbWriter]] = {"lmdb": LmdbWriter, "leveldb": LevelDbWriter}


@contextmanager
def new_database(path: str, backend: str) -> Iterator[Writer]:
    """A new database at `path`, which is there only if the block ends well.

    Raises CaffeError if something is there already, the backend is unknown, or it cannot be written.
    """
    if backend not in WRITERS:
        raise CaffeError(f"the backend is {' or '.join(WRITERS)} here, not '{backend}'")
    target = path.rstrip("/")
    if os.path.lexists(target):
        raise CaffeError(f"{path}: is there already; remove it, or name another database to write")
    folder, name = os.path.split(target)
    temporary = None
    try:
        temporary = tempfile.mkdtemp(prefix=f".{name}.", dir=folder or ".")
        writer = WRITERS[backend](temporary)
        glog.info(f"Opened {backend} {path}")
        try:
            yield writer
        finally:
            writer.close()
        os.chmod(temporary, 0o755)
        os.rename(temporary, target)
    except Exception as error:
        # the databases' errors are classes of their own
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in ("lmdb", "plyvel"):
            raise
        raise CaffeError(f"{path}: cannot be written: {_reason(error)}; make room there, or choose another place"
                         ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _reason(error: Exception) -> str:
    """What the system or the database says; plyvel says it in bytes."""
    said = getattr(error, "strerror", None) or (error.args[0] if error.args else error)
    return " ".join((said.decode(errors="replace") if isinstance(said, bytes) else str(said)).split())
