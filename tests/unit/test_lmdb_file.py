"""LMDBs by their pages: what liblmdb writes is read the same, what is damaged is said."""

from __future__ import annotations

import random
import struct

import lmdb
import pytest

from caffe import CaffeError
from caffe.formats.lmdb_file import LmdbFile

PAGE = 4096


def fill(path, records, **settings):
    with lmdb.open(str(path), map_size=1 << 26, sync=False, **settings) as environment:
        with environment.begin(write=True) as batch:
            for key, value in records:
                batch.put(key, value)
        return list(environment.begin().cursor())


def read(path):
    file = LmdbFile(str(path))
    return [(record.key, file.value(record)) for record in file.records()]


@pytest.mark.parametrize("count", [0, 1, 30, 800])
@pytest.mark.parametrize("single_file", [False, True])
def test_records_are_those_of_liblmdb(count, single_file, tmp_path):
    """Keys and values of any length, of several transactions, some of them deleted again."""
    draw = random.Random(count)
    path = tmp_path / "db"
    for _ in range(3):
        records = [(draw.randbytes(draw.randint(1, draw.choice((8, 500)))),
                    draw.randbytes(draw.choice((0, 1, 50, 2000, 4080, 4081, 9000)))) for _ in range(count)]
        fill(path, records, subdir=not single_file)
        with lmdb.open(str(path), map_size=1 << 26, sync=False, subdir=not single_file) as environment, \
                environment.begin(write=True) as batch:
            for key, _ in records[::3]:
                batch.delete(key)
    with lmdb.open(str(path), subdir=not single_file, readonly=True, lock=False) as environment:
        assert read(path) == list(environment.begin().cursor())


@pytest.fixture
def damaged(tmp_path):
    """`damaged(change)` reads an LMDB of three levels after `change(content)`; values are long ones and short ones."""
    def run(change):
        fill(tmp_path / "db", [(b"%08d" % k + bytes(400), bytes(5000 if k % 50 == 0 else 20)) for k in range(300)])
        file = tmp_path / "db" / "data.mdb"
        content = bytearray(file.read_bytes())
        kept = change(content)
        file.write_bytes(content if kept is None else kept)
        return read(tmp_path / "db")

    return run


def root_of(content):
    """The place of the root page: that of the later of the two metas."""
    meta = max((0, PAGE), key=lambda start: struct.unpack_from("<Q", content, start + 144)[0])
    return struct.unpack_from("<Q", content, meta + 128)[0] * PAGE


def first_leaf_of(content):
    place = root_of(content)
    while content[place + 10] & 1:
        node = place + struct.unpack_from("<H", content, place + 16)[0]
        place = int.from_bytes(content[node:node + 6], "little") * PAGE
    return place


def test_undamaged(damaged):
    assert len(damaged(lambda content: None)) == 300


def set_at(place, form, value):
    def change(content):
        start = place(content) if callable(place) else place
        for at in ((start, start + PAGE) if start < PAGE else (start,)):
            struct.pack_into(form, content, at, value)
    return change


def node(content):
    leaf = first_leaf_of(content)
    return leaf + struct.unpack_from("<H", content, leaf + 16)[0]


@pytest.mark.parametrize(("change", "message"), [
    (set_at(16, "<I", 1), "does not start like one"),
    (set_at(20, "<I", 2), "of format 2"),
    (set_at(40, "<I", 1000), "page size is 1000"),
    (set_at(94, "<H", 60), "60 pages deep"),
    (set_at(92, "<H", 4), "several values for a key"),
    (set_at(128, "<Q", 10**6), "sends to page 1000000"),
    (set_at(128, "<Q", 1), "sends to page 1 of"),
    (set_at(root_of, "<Q", 3), "is not where it should be"),
    (set_at(lambda c: root_of(c) + 10, "<H", 2), "is of a wrong kind"),
    (set_at(lambda c: root_of(c) + 12, "<H", 60000), "entries"),
    (set_at(lambda c: root_of(c) + 16, "<H", 4095), "entries outside itself"),
    (set_at(lambda c: node(c) + 6, "<H", 5000), "a key of 5000 bytes"),
    (set_at(lambda c: node(c) + 2, "<H", 200), "sends for"),
    (set_at(lambda c: node(c) + 4, "<H", 0), "a value of 5000 bytes"),
    (lambda content: content[:100], "only 100 bytes"),
    (lambda content: content[:5000], "cut short|cannot be opened"),
    (lambda content: content[:-PAGE * 20], "cut short"),
    (lambda content: b"", "only 0 bytes"),
], ids=range(18))
def test_damage_is_said(change, message, damaged):
    with pytest.raises(CaffeError, match=message) as caught:
        damaged(change)
    assert "data.mdb: " in str(caught.value) and "\n" not in str(caught.value)


def test_a_branch_that_leads_back_to_itself(damaged):
    def change(content):
        root = root_of(content)
        first = root + struct.unpack_from("<H", content, root + 16)[0]
        content[first:first + 6] = (root // PAGE).to_bytes(6, "little")

    with pytest.raises(CaffeError, match="is of a wrong kind"):
        damaged(change)
