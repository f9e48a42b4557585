"""Reading an LMDB by its pages: every number in the file is checked before it is followed.

liblmdb trusts its file, so that a damaged one or one that is cut short ends the process. Here such a file is a
CaffeError, and nothing is mapped into memory. The format is that of lmdb.h and mdb.c, version 1 (LMDB 0.9, 64
bits, little-endian): pages of one size; a page's header of 16 bytes; two meta pages, of which the one with the higher
transaction counts; a B+ tree of branch and leaf pages; values that are too long for a leaf on pages of their own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from caffe.errors import CaffeError

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEADER = 16
_META = struct.Struct("<IIQQ 48s 48s QQ")  # magic, version, address, map size, two databases, last page, transaction
_DATABASE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, branch, leaf and overflow pages, entries, root
_NODE = struct.Struct("<HHHH")  # size or child page in two parts, flags (of a branch: the child's third part), key size
_BRANCH, _LEAF, _META_PAGE = 1, 2, 8
_KINDS = 1 | 2 | 4 | 8 | 32
_BIG_DATA = 1
_ORDERS = 2 | 8  # reverse and integer keys: both only mean another order
_NO_ROOT = 2**64 - 1
_PAGE_SIZES = [2**k for k in range(8, 16)]
_DEEPEST = 32


class Record(NamedTuple):
    """A key and where its value lies in the file, in bytes."""

    key: bytes
    start: int
    size: int


class LmdbFile:
    """An LMDB, a folder with data.mdb or one file, open to read as it was when it was opened.

    Raises CaffeError where it is none, is cut short, or is damaged.
    """

    def __init__(self, path: str):
        self.file = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
        try:
            self._stream = open(self.file, "rb", buffering=0)  # noqa: SIM115 (stays open)
        except OSError as error:
            raise CaffeError(f"{self.file}: cannot be opened as an LMDB: {error.strerror}") from None
        self._length = os.fstat(self._stream.fileno()).st_size
        self._read_meta()
        needed = (self._last_page + 1) * self._page_size
        if self._length < needed:
            self._check_all()

    def records(self) -> Iterator[Record]:
        """All records in the order of their keys."""
        if self._root == _NO_ROOT:
            return iter(())
        return self._below(self._root, self._depth)

    def value(self, record: Record) -> bytes:
        """The value of a record."""
        return self._read(record.start, record.size)

    # -- the file's parts ------------------------------------------------------------------------------------------
    def _read_meta(self) -> None:
        first = self._meta_at(0)
        self._page_size = _DATABASE.unpack(first[4])[0]
        if self._page_size not in _PAGE_SIZES:
            raise self._damaged(f"its page size is {self._page_size}")
        second = self._meta_at(self._page_size)
        meta = second if second[7] > first[7] else first
        _, flags, self._depth, *_, self._root = _DATABASE.unpack(meta[5])
        self._last_page = meta[6]
        if flags & ~_ORDERS:
            raise CaffeError(f"{self.file}: is an LMDB of another kind, with several values for a key (flags {flags}); "
                             "Caffe's have one Datum for each")
        if self._root != _NO_ROOT and not 0 < self._depth <= _DEEPEST:
            raise self._damaged(f"its tree is {self._depth} pages deep")

    def _meta_at(self, start: int) -> tuple:
        if self._length < start + _HEADER + _META.size:
            raise CaffeError(f"{self.file}: cannot be opened as an LMDB: it is only {self._length} bytes long; "
                             "is it one? Copy it again")
        page = self._read(start, _HEADER + _META.size)
        meta = _META.unpack_from(page, _HEADER)
        if meta[0] != _MAGIC or not page[10] & _META_PAGE:
            raise CaffeError(f"{self.file}: cannot be opened as an LMDB: it does not start like one, is damaged, or "
                             "was written on a machine of 32 bits; make it again or copy it again")
        if meta[1] != _VERSION:
            raise CaffeError(f"{self.file}: is an LMDB of format {meta[1]}; format {_VERSION} can be read: write it "
                             "again with LMDB 0.9")
        return meta

    def _check_all(self) -> None:
        """Go through the whole tree of a file that ends early.

        The pages that are missing may be some that were never used, as when a long transaction was given up.
        """
        for record in self.records():
            self._check_place(record.start, record.size)

    def _below(self, number: int, depth: int) -> Iterator[Record]:
        """The records under a page, which is `depth` pages above the leaves' end. Depth ends every cycle."""
        page = self._page(number)
        kind = int.from_bytes(page[10:12], "little") & _KINDS
        if kind != (_LEAF if depth == 1 else _BRANCH):
            raise self._damaged(f"page {number} is of a wrong kind, {kind}")
        start = number * self._page_size
        for place in self._places(page, number):
            low, middle, high, key_size = _NODE.unpack_from(page, place)
            value = place + _NODE.size + key_size
            if value > len(page):
                raise self._damaged(f"page {number} has a key of {key_size} bytes")
            if depth > 1:
                yield from self._below(low | middle << 16 | high << 32, depth - 1)
                continue
            key, size = page[place + _NODE.size:value], low | middle << 16
            if high & _BIG_DATA:
                first = int.from_bytes(page[value:value + 8], "little")
                # a page behind the last one would be overwritten by the next writer: no value lies there
                if first + (_HEADER + size - 1) // self._page_size > self._last_page:
                    raise self._damaged(f"page {number} sends for {size} bytes to page {first} of {self._last_page}")
                yield Record(key, first * self._page_size + _HEADER, size)
            elif value + size > len(page):
                raise self._damaged(f"page {number} has a value of {size} bytes")
            else:
                yield Record(key, start + value, size)

    def _page(self, number: int) -> bytes:
        if not 1 < number <= self._last_page:
            raise self._damaged(f"it sends to page {number} of {self._last_page}")
        page = self._read(number * self._page_size, self._page_size)
        if int.from_bytes(page[:8], "little") != number:
            raise self._damaged(f"page {number} is not where it should be")
        return page

    def _places(self, page: bytes, number: int) -> tuple[int, ...]:
        """Where a page's nodes start, in the order of their keys."""
        end = int.from_bytes(page[12:14], "little")
        count = (end - _HEADER) // 2
        if not _HEADER <= end <= len(page):
            raise self._damaged(f"page {number} has {count} entries")
        places = struct.unpack_from(f"<{count}H", page, _HEADER)
        if places and not (end <= min(places) and max(places) <= len(page) - _NODE.size):
            raise self._damaged(f"page {number} has entries outside itself")
        return places

    def _read(self, start: int, size: int) -> bytes:
        self._check_place(start, size)
        try:
            data = os.pread(self._stream.fileno(), size, start)
        except OSError as error:
            raise CaffeError(f"{self.file}: cannot be read: {error.strerror}") from None
        if len(data) != size:
            raise self._damaged("it became shorter while it was read")
        return data

    def _check_place(self, start: int, size: int) -> None:
        if start + size > self._length:
            needed = (self._last_page + 1) * self._page_size
            raise CaffeError(f"{self.file}: is cut short, {self._length} of {needed} bytes: copy it again")

    def _damaged(self, what: str) -> CaffeError:
        return CaffeError(f"{self.file}: is damaged ({what}): copy it again or make it again")
