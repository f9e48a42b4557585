"""Datums from an LMDB in the order of their keys, again and again: what Caffe's data layers read.

Source of the order: src/caffe/util/db_lmdb.cpp, src/caffe/layers/data_layer.cpp.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

import lmdb

from caffe import binaryproto
from caffe.errors import CaffeError
from caffe.proto import caffe_pb2

_READ_ALL = """
import collections, os, sys, lmdb
path = sys.argv[1]
with lmdb.open(path, readonly=True, lock=False, subdir=os.path.isdir(path)).begin() as transaction:
    collections.deque(transaction.cursor(), maxlen=0)
"""


class Database:
    """An LMDB opened to read."""

    def __init__(self, path: str):
        self.path = path
        try:
            self.environment = lmdb.open(path, readonly=True, lock=False, readahead=False, create=False,
                                         subdir=os.path.isdir(path))
        except lmdb.Error as error:
            raise CaffeError(f"{path}: cannot be opened as an LMDB ({_reason(error, path)})") from error
        self._check_length()

    def _check_length(self) -> None:
        """Raise if the file is cut short: reading beyond its end would end the process.

        A whole file may lack pages too, at its end, that were never used: then another process tries to read it.
        """
        file = os.path.join(self.path, "data.mdb") if os.path.isdir(self.path) else self.path
        needed = (self.environment.info()["last_pgno"] + 1) * self.environment.stat()["psize"]
        if os.path.getsize(file) < needed and subprocess.run(
                [sys.executable, "-c", _READ_ALL, self.path], capture_output=True).returncode:
            raise CaffeError(f"{file}: is cut short, {os.path.getsize(file)} of {needed} bytes: copy it again")

    def __del__(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


# a process may open an LMDB only once; a train net and a test net may read the same
_databases: WeakValueDictionary[str, Database] = WeakValueDictionary()


def open_lmdb(path: str) -> Database:
    """The database at `path`. Raises CaffeError if it is missing or no LMDB."""
    if not os.path.exists(path):
        raise CaffeError(f"{path}: there is no such LMDB; check the path (it is taken from the working folder)")
    key = os.path.realpath(path)
    database = _databases.get(key)
    if database is None:
        database = _databases[key] = Database(path)
    return database


def _reason(error: lmdb.Error, path: str) -> str:
    if os.path.isdir(path) and not os.path.exists(os.path.join(path, "data.mdb")):
        kind = "it looks like a LevelDB: convert it" if os.path.exists(os.path.join(path, "CURRENT")) else "is it one?"
        return f"it has no data.mdb; {kind}"
    return " ".join(str(error).split())


class DatumCursor:
    """Goes through an LMDB's Datums in key order and starts again at the end."""

    def __init__(self, path: str):
        self.path = path
        self._database = open_lmdb(path)
        with self._reading():
            self._cursor = self._database.environment.begin().cursor()
            if not self._cursor.first():
                raise CaffeError(f"{path}: the LMDB is empty; write Datums into it")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise CaffeError(f"{self.path}: cannot be read as an LMDB ({_reason(error, self.path)})") from error

    def key(self) -> str:
        """The current key, to be shown."""
        return self._cursor.key().decode(errors="replace")

    def datum(self) -> caffe_pb2.Datum:
        """The current Datum. Raises CaffeError for a value that is none (the caller says where: `path`, `key`)."""
        datum = binaryproto.parse(self._cursor.value(), caffe_pb2.Datum(), "the value")
        if not datum.data and not datum.float_data:
            raise CaffeError("the value is no Caffe Datum with an image; is this another kind of LMDB?")
        return datum

    def advance(self) -> None:
        """Go to the next key, after the last one to the first. Raises CaffeError for a damaged LMDB."""
        with self._reading():
            if not self._cursor.next():
                self._cursor.first()
