"""The Datums of a database, once, in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats import binaryproto
from caffe.formats.data_source import open_source
from caffe.proto import caffe_pb2


def datums(path: str, backend: str) -> Iterator[tuple[str, caffe_pb2.Datum]]:
    """(key, Datum) of each entry. Raises CaffeError for an unknown backend, an empty database, what is no Datum."""
    kinds = dict(caffe_pb2.DataParameter.DB.items())
    if backend.upper() not in kinds:
        raise CaffeError(f"the backend is {' or '.join(kinds).lower()}, not '{backend}'")
    source = open_source(path, kinds[backend.upper()])
    glog.info(f"Opened {backend} {path}")
    empty = True
    for record in source.records():
        empty = False
        key = record[0].decode(errors="replace")
        yield key, binaryproto.parse(source.value(record), caffe_pb2.Datum(), f"{path}, key {key}: the value")
    if empty:
        raise CaffeError(f"{path}: the database is empty; write Datums into it")
