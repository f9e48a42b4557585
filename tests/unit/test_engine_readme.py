"""The engine's page says where each layer type is."""

from __future__ import annotations

import re
from pathlib import Path

import caffe.layer_types

README = Path(__file__).resolve().parents[2] / "engine" / "README.md"
ROOMS = README.parent / "caffe"


def test_layer_types_are_in_the_files_named():
    rows = re.findall(r"^\| `(\w+\.py)` \| ([\w, ]+) \|$", README.read_text(), re.MULTILINE)
    named = {name: file for file, names in rows for name in names.split(", ")}
    assert sorted(named) == caffe.layer_type_list()
    creators = caffe.layer_types.base._types
    assert {name: f"{create.__module__.rpartition('.')[2]}.py" for name, create in creators.items()} == named


def test_files_and_folders_named_are_there():
    table = README.read_text().split("| in `caffe/` | holds |")[1].split("Each layer is maths")[0]
    named = re.findall(r"`(\w+(?:\.py|/))`", table)
    there = {path.name + "/" * path.is_dir() for path in ROOMS.rglob("*")}
    assert len(named) > 20 and set(named) - there == {"layers/"}  # which it says is not there
