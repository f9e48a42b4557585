"""The Datums of a database, once, in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator

from caffe import glog
from caffe.data_source import DatumCursor
from caffe.errors import CaffeError
from caffe.proto import caffe_pb2


def datums(path: str, backend: str) -> Iterator[tuple[str, caffe_pb2.Datum]]:
    """(key, Datum) of each entry. Raises CaffeError for an unknown backend and what is no database of Datums."""
    if backend != "lmdb":
        raise CaffeError(f"the backend is lmdb here, not '{backend}'")
    cursor = DatumCursor(path)
    glog.info(f"Opened {backend} {path}")
    first = cursor.key()
    while True:
        try:
            datum = cursor.datum()
        except CaffeError as error:
            raise CaffeError(f"{path}, key {cursor.key()}: {error}") from None
        yield cursor.key(), datum
        cursor.advance()
        if cursor.key() == first:
            return
