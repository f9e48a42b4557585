"""Datums from an LMDB or a LevelDB in the order of their keys, again and again: what Caffe's data layers read.

Source of the order: src/caffe/util/db_lmdb.cpp, src/caffe/util/db_leveldb.cpp, src/caffe/layers/data_layer.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol
from weakref import WeakValueDictionary

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.formats.lmdb_file import LmdbFile
from caffe.proto import caffe_pb2


class Source(Protocol):
    """Records in the order of their keys; each starts with its key, its value is read when it is asked for."""

    def records(self) -> Iterator[Any]: ...

    def value(self, record: Any) -> bytes: ...


class LevelDb:
    """A LevelDB, read with plyvel. Opening it takes its lock and may tidy its log up, as in real Caffe."""

    def __init__(self, path: str):
        try:
            import plyvel
        except ImportError:
            raise CaffeError(f"{path}: is a LevelDB, and reading one needs the package plyvel: pip install plyvel, or "
                             "make it an LMDB and set backend: LMDB") from None
        self.path, self._errors = path, (plyvel.Error, OSError)
        try:
            self._database = plyvel.DB(path, create_if_missing=False, paranoid_checks=True)
        except self._errors as error:
            raise self._fault(error) from None

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        try:
            with self._database.iterator(verify_checksums=True) as records:
                yield from records
        except self._errors as error:
            raise self._fault(error) from None

    def value(self, record: tuple[bytes, bytes]) -> bytes:
        return record[1]

    def _fault(self, error: Exception) -> CaffeError:
        reason = error.decode(errors="replace") if isinstance(error, bytes) else str(error)
        return CaffeError(f"{self.path}: cannot be read as a LevelDB ({' '.join(reason.split())}): is it damaged, in "
                          "use by another process, or in a folder that cannot be written to?")


# a process may open a LevelDB only once; a train net and a test net may read the same
_leveldbs: WeakValueDictionary[str, LevelDb] = WeakValueDictionary()


def open_source(path: str, backend: int = caffe_pb2.DataParameter.LMDB) -> Source:
    """The database at `path`. Raises CaffeError if it is missing or of another kind."""
    kind = caffe_pb2.DataParameter.DB.Name(backend)
    if not os.path.exists(path):
        raise CaffeError(f"{path}: there is no such {'LevelDB' if kind == 'LEVELDB' else kind}; check the path (it is "
                         "taken from the working folder)")
    has = {name: os.path.exists(os.path.join(path, name)) for name in ("data.mdb", "CURRENT")}
    if kind == "LMDB":
        if os.path.isdir(path) and not has["data.mdb"]:
            hint = "it looks like a LevelDB: set backend: LEVELDB" if has["CURRENT"] else "is it an LMDB?"
            raise CaffeError(f"{path}: cannot be opened as an LMDB (it has no data.mdb; {hint})")
        return LmdbFile(path)
    if not has["CURRENT"]:
        hint = "it is an LMDB: set backend: LMDB" if has["data.mdb"] or os.path.isfile(path) else "is it a LevelDB?"
        raise CaffeError(f"{path}: cannot be opened as a LevelDB (its backend is LEVELDB, also where none is given; it "
                         f"has no CURRENT; {hint})")
    key = os.path.realpath(path)
    database = _leveldbs.get(key)
    if database is None:
        database = _leveldbs[key] = LevelDb(path)
    return database


class DatumCursor:
    """Goes through a database's Datums in key order and starts again at the end."""

    def __init__(self, path: str, backend: int = caffe_pb2.DataParameter.LMDB):
        self.path = path
        self._source = open_source(path, backend)
        self._start_again()

    def _start_again(self) -> None:
        self._records = self._source.records()
        self._record = next(self._records, None)
        if self._record is None:
            raise CaffeError(f"{self.path}: the database is empty; write Datums into it")

    def key(self) -> str:
        """The current key, to be shown."""
        assert self._record is not None
        text = self._record[0].decode(errors="replace")
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)[:100]

    def datum(self) -> caffe_pb2.Datum:
        """The current Datum. Raises CaffeError for a value that is none (the caller says where: `path`, `key`)."""
        datum = binaryproto.parse(self._source.value(self._record), caffe_pb2.Datum(), "the value")
        if not datum.data and not datum.float_data:
            raise CaffeError("the value is no Caffe Datum with an image; is this another kind of database?")
        return datum

    def advance(self) -> None:
        """Go to the next key, after the last one to the first. Raises CaffeError for a damaged database."""
        self._record = next(self._records, None)
        if self._record is None:
            glog.info("Restarting data prefetching from start.")
            self._start_again()
