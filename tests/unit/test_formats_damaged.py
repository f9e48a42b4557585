"""Damaged files of annotations: one line that says where, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from annotation_files import FILES, VIDEOS, need, random_annotation

from data_prep import formats
from data_prep.errors import InputError
from data_prep.timeline import steady

KNOWN = formats.Known(VIDEOS, fps=25)
SWAPS = (
    b"",
    b"-1",
    b"1e308",
    b"nan",
    b"\0",
    b"\xff",
    b'"',
    b",",
    b"\n",
    b"{}",
    b"[]",
    b"null",
    b"NA",
    b"99999999999999999999",
)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, a stretch left out or repeated, or a few bytes replaced."""
    at = int(rng.integers(len(content)))
    length = int(rng.integers(1, 30))
    return (
        lambda: content[:at],
        lambda: content[:at] + content[at + length :],
        lambda: content[:at] + content[at : at + length] + content[at:],
        lambda: content[:at] + SWAPS[rng.integers(len(SWAPS))] + content[at + length :],
        lambda: content[:at] + SWAPS[rng.integers(len(SWAPS))] + content[at + 1 :],
    )[rng.integers(5)]()


def tried(path: Path, content: bytes, format: str | None) -> bool:
    """Whether it was refused, which has to be in one line that names the file."""
    path.write_bytes(content)
    try:
        formats.read(path, KNOWN, format)
    except InputError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1500
        return True
    return False


@pytest.mark.parametrize("file", FILES)
def test_damaged_real_files(shared, tmp_path, file):
    content = (shared / "annotations" / file).read_bytes()
    name = formats.detect(shared / "annotations" / file).name
    rng = np.random.default_rng(len(content))
    path = tmp_path / Path(file).name
    refused = sum(tried(path, damaged(content, rng), name) for _ in range(40))
    assert refused or "fly2" in file


@pytest.mark.parametrize("name", formats.writable())
def test_damaged_files_of_ours(tmp_path, name):
    need(name)
    path = tmp_path / f"x{formats.find(name).extensions[0]}"
    formats.write(path, [random_annotation(2, steady(25, 200), exclusive=True)], name)
    content = path.read_bytes()
    rng = np.random.default_rng(5)
    assert sum(tried(path, damaged(content, rng), name) for _ in range(60 if name != "nwb" else 8))


@pytest.mark.parametrize("name", formats.known_names())
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}", b"[]", b"null", b"\0" * 100, b"\xff\xfe", b"a,b\n1,2\n", b"{" * 5000, b"[" * 200_000]
)
def test_another_file_named_as_of_a_format(tmp_path, name, content):
    need(name)
    assert tried(tmp_path / "x", content, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",background,eat\n0,1,0\n2,1,0\n", r"line 3: frame '2' where 1 should come"),
        (",background,eat\n0,1,0\n1,1,2\n", r"line 3: '2' where 0, 1 or -1 should be"),
        (",background,eat\n0,1,0\n1,1\n", r"line 3: 2 columns where the header has 3"),
        (",background,eat,eat\n0,1,0,0\n", r"line 1"),
        ("label,start_frame,stop_frame\neat,3,3\n", r"line 2: from frame 3 to 3 there is no frame"),
        ("label,start_frame,stop_frame\neat,3.5,7\n", r"line 2: 3\.5 or 7 is not a whole frame"),
        ("label,start_frame,stop_frame\neat,three,7\n", r"line 2: 'three' is not a number"),
        ("label,start_time,stop_time\neat,9,7\n", r"line 2: ends at 7 s, before it begins at 9 s"),
        ("label,start_frame,stop_frame\n,1,7\n", r"frame 1 has no behaviour"),
        ("frame,time,label,eat\n0,0,eat,1\n0,0,eat,1\n", r"line 3: frame 0 after frame 0"),
        ("frame,time,label,eat\n0,0,groom,1\n", r"line 2: not a row of predictions"),
        ("Time,Subject,Behavior,Status\n1,a,eat,STOP\n", r"line 2, observation 'x': state 'eat' of 'a' stops without"),
        (
            "Time,Subject,Behavior,Status\n1,a,eat,START\n2,a,eat,START\n",
            r"line 3, .* starts a second time at 2\.000 s",
        ),
        ("Time,Subject,Behavior,Status\n1,a,eat,BEGUN\n", r"line 2, .* neither START, STOP nor POINT"),
        ("Behavior,Behavior type,Start (s),Stop (s)\neat,STATE,NA,2\n", r"line 2, .* 'NA' is not a number"),
    ],
)
def test_the_place_is_named(tmp_path, text, words):
    file = tmp_path / "x.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        formats.read(file, KNOWN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": {"a.mp4": [0, 1, 2]}}, "labels of 'a.mp4'"),
        ({"labels": {"a.mp4": [[0, 1], [1]]}}, "labels of 'a.mp4'"),
        ({"labels": {"a.mp4": []}}, "labels of 'a.mp4'"),
        ({"labels": {"a.mp4": [-1]}}, "labels of 'a.mp4'"),
        ({"labels": {"a.mp4": [0.5]}}, "labels of 'a.mp4'"),
        ({"class_names": {"0": "eat", "2": "rest"}}, "does not name the classes 0, 1"),
        ({"labels": 3}, 'no "labels"'),
    ],
)
def test_feral_places(tmp_path, change, words):
    file = tmp_path / "x.json"
    good = {"class_names": {"0": "other", "1": "eat"}, "is_multilabel": False, "labels": {"a.mp4": [0, 1]}}
    file.write_text(json.dumps({**good, **change}))
    with pytest.raises(InputError, match=words):
        formats.read(file)
