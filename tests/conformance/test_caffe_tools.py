"""convert_imageset, compute_image_mean, extract_features and the upgrade tools, byte for byte as real Caffe 1.0's.

golden/tools.json is by make_tools_golden.py, upgrade/*.upgraded by upgrade/upgrade.sh; the last tests run real Caffe.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import recording_cases
from tool_cases import ENCODED, LIST, PIXELS, ROOT, digest, entries, write_images

from caffe.cli import main
from caffe.formats.data_source import open_source
from caffe.proto import caffe_pb2

HERE = Path(__file__).resolve().parent
UPGRADES = sorted((HERE / "upgrade").glob("*.prototxt"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def golden():
    return json.loads((HERE / "golden" / "tools.json").read_text())


def logged(capfd) -> list[str]:
    return [line.split("] ", 1)[1] for line in capfd.readouterr().err.splitlines()]


def test_databases_and_means_are_real_caffes(place, golden, capfd):
    write_images(place, ("png", "bmp"))
    for name, flags in PIXELS.items():
        assert main(["convert_imageset", *flags, ROOT, LIST, name]) == 0
        assert logged(capfd) == golden[name]["log"]
        assert digest(place / name) == golden[name]["digest"], name
    assert main(["compute_image_mean", "resized", "mean.binaryproto"]) == 0
    assert logged(capfd) == golden["mean"]["log"]
    assert (place / "mean.binaryproto").read_bytes().hex() == golden["mean"]["bytes"]


def test_a_shuffled_database_holds_the_same_images(place):
    write_images(place, ("png",))
    assert main(["convert_imageset", ROOT, LIST, "plain"]) == 0
    assert main(["convert_imageset", "--shuffle", ROOT, LIST, "shuffled"]) == 0
    plain, shuffled = entries(place / "plain"), entries(place / "shuffled")
    assert sorted(value for _, value in plain) == sorted(value for _, value in shuffled)
    assert sorted(key[9:] for key, _ in plain) == sorted(key[9:] for key, _ in shuffled)


def test_a_failed_conversion_leaves_nothing(place, capfd):
    write_images(place, ("png",))
    assert main(["convert_imageset", "--check_size", ROOT, LIST, "new"]) == 2
    assert "resize them" in capfd.readouterr().err
    (place / "other.txt").write_text("0.png one\n")
    assert main(["convert_imageset", ROOT, "other.txt", "new"]) == 2
    assert "other.txt:1: a line is an image's name" in capfd.readouterr().err
    assert sorted(p.name for p in place.iterdir()) == [ROOT.rstrip("/"), LIST, "other.txt"]
    assert main(["convert_imageset", ROOT, LIST, "images"]) == 2
    assert "is there already" in capfd.readouterr().err


@pytest.mark.parametrize("file", UPGRADES, ids=lambda file: file.stem)
def test_upgraded_prototxt_is_real_caffes_to_the_byte(file, place):
    tool = "upgrade_solver_proto_text" if file.name.startswith("solver_") else "upgrade_net_proto_text"
    assert main([tool, str(file), "new.prototxt"]) == (1 if file.stem == "v0_misplaced" else 0)
    assert (place / "new.prototxt").read_bytes() == file.with_suffix(".upgraded").read_bytes()


def test_tools_agree_with_real_caffe_where_opencv_encodes(place, real_caffe):
    write_images(place, ("png", "jpg", "bmp", "JPEG"))
    for name, flags in {**PIXELS, **ENCODED}.items():
        real_caffe(place, "convert_imageset", *flags, ROOT, LIST, f"{name}_there")
        assert main(["convert_imageset", *flags, ROOT, LIST, name]) == 0
        assert entries(place / name) == entries(place / f"{name}_there"), name
    real_caffe(place, "compute_image_mean", "encoded_resized", "there.binaryproto")
    assert main(["compute_image_mean", "encoded_resized", "here.binaryproto"]) == 0
    assert (place / "here.binaryproto").read_bytes() == (place / "there.binaryproto").read_bytes()


def test_features_agree_with_real_caffe(place, real_caffe):
    recording_cases.write(place)
    assert main(["train", "--solver=nesterov.prototxt", "--minloglevel=2"]) == 0
    arguments = ["run_iter_60.caffemodel", recording_cases.MODEL, "label,conv1,ip1"]
    real_caffe(place, "extract_features", *arguments, "label_there,conv1_there,ip1_there", "2", "lmdb")
    assert main(["extract_features", *arguments, "label,conv1,ip1", "2", "lmdb"]) == 0
    for name in ("label", "conv1", "ip1"):
        ours, theirs = entries(place / name), entries(place / f"{name}_there")
        assert [key for key, _ in ours] == [key for key, _ in theirs] and len(ours) == 48
        for (_, our_value), (_, their_value) in zip(ours, theirs):
            mine, other = caffe_pb2.Datum.FromString(our_value), caffe_pb2.Datum.FromString(their_value)
            np.testing.assert_allclose(mine.float_data, other.float_data, rtol=1e-4, atol=1e-5)
            del mine.float_data[:], other.float_data[:]
            assert mine == other


@pytest.mark.parametrize("model", ["cifar10_full_iter_70000", "lenet_iter_10000"])
def test_upgraded_weights_are_real_caffes_to_the_byte(model, place, shared, real_caffe):
    file = place / "old.caffemodel"
    file.write_bytes((shared / "caffe" / "v1" / f"{model}.caffemodel").read_bytes())
    real_caffe(place, "upgrade_net_proto_binary", "old.caffemodel", "there.caffemodel")
    assert main(["upgrade_net_proto_binary", "old.caffemodel", "here.caffemodel"]) == 0
    assert (place / "here.caffemodel").read_bytes() == (place / "there.caffemodel").read_bytes()


def test_leveldbs_are_exchanged_with_real_caffe(place, real_caffe):
    write_images(place, ("png",))
    one_size = ["--resize_width=20", "--resize_height=20", ROOT, LIST]  # as a mean needs
    real_caffe(place, "convert_imageset", "--backend=leveldb", *one_size, "theirs")
    for name, backend in (("lmdb", "lmdb"), ("ours", "leveldb")):
        assert main(["convert_imageset", f"--backend={backend}", *one_size, name]) == 0
    level = caffe_pb2.DataParameter.LEVELDB
    stored = entries(place / "lmdb")
    for name in ("theirs", "ours"):
        source = open_source(str(place / name), level)
        assert [(key, value) for key, value in source.records()] == stored
        del source
    for name, backend in (("lmdb", "lmdb"), ("ours", "leveldb")):
        real_caffe(place, "compute_image_mean", f"--backend={backend}", name, f"{name}.binaryproto")
    assert (place / "ours.binaryproto").read_bytes() == (place / "lmdb.binaryproto").read_bytes()
