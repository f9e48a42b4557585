"""Where real Caffe's CHECKs end the process, and where numpy, torch or the memory refuse: one line that names it."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import caffe
from caffe import CaffeError, border, memory
from caffe.blob import Blob
from caffe.commands.datum_writer import new_database
from caffe.formats import binaryproto
from caffe.formats.data_source import DatumCursor
from caffe.proto import caffe_pb2

LEVELDB = caffe_pb2.DataParameter.LEVELDB
INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 5 dim: 6 } } } '


def ip(name, bottom, top, more="", size=3):
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top}" {more} '
            f"inner_product_param {{ num_output: {size} }} }} ")


def conv(body):
    return INPUT + f'layer {{ name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param {{ {body} }} }}'


@pytest.fixture
def net(tmp_path):
    def make(text, phase=caffe.TEST):
        (tmp_path / "net.prototxt").write_text(text)
        return caffe.Net(tmp_path / "net.prototxt", phase)

    return make


def said(message, run, *args, **kwargs):
    with pytest.raises(CaffeError, match=message) as caught:
        run(*args, **kwargs)
    assert "\n" not in str(caught.value)


# -- net.cpp, blob.cpp, layer_factory.cpp ----------------------------------------------------------------------
SHARED = 'param {{ name: "w" {} }}'


@pytest.mark.parametrize(("first", "second", "size", "message"), [
    ("lr_mult: 1", "lr_mult: 2", 3, r"'b' .*'w' has lr_mult 2.0 here and 1.0 in layer 'a'; make them equal"),
    ("decay_mult: 1", "decay_mult: 2", 3, r"'b' .*'w' has decay_mult 2.0 here and 1.0 in layer 'a'"),
    ("", "", 4, r"'b' .*cannot share parameter 'w' of layer 'a': its shape is 3 120 \(360\), here 4 120 \(480\)"),
    ("", "share_mode: PERMISSIVE", 4, r"'b' .*cannot share parameter 'w' of layer 'a'"),
])
def test_shared_parameters(first, second, size, message, net):
    said(message, net, INPUT + ip("a", "x", "y", SHARED.format(first)) + ip("b", "x", "z", SHARED.format(second), size))


@pytest.mark.parametrize(("text", "message"), [
    (conv("num_output: 2000000000 kernel_size: 3"), r"layer 'c' \(Convolution\): .*\(2000000000, 4, 3, 3\)"),
    (conv("num_output: 4 kernel_size: 0"), r"layer 'c' \(Convolution\): kernel sizes"),
    (conv("num_output: 4 kernel_size: 3 stride: 0"), r"layer 'c' \(Convolution\): .*strides"),
    (conv("num_output: 4 kernel_size: 3 group: 0"), r"layer 'c' \(Convolution\): .*group"),
    (conv("num_output: 4 kernel_size: 3 group: 3"), r"layer 'c' \(Convolution\): .*multiples of group 3"),
    (conv("num_output: 4 kernel_size: 9"), r"layer 'c' \(Convolution\): a kernel of extent \[9, 9\] does not fit"),
    (conv("num_output: 0 kernel_size: 3"), r"layer 'c' \(Convolution\): .*num_output"),
    (INPUT.replace("dim: 2", "dim: 2000000000"), r"layer 'x' \(Input\): a blob of shape \(2000000000, 4, 5, 6\)"),
    (INPUT.replace("dim: 2", "dim: -2"), r"layer 'x' \(Input\): a blob's dimensions are 0 or more; \(-2, 4, 5, 6\)"),
    (INPUT.replace("dim: 2", "dim: 1 " * 40), r"layer 'x' \(Input\): a blob has at most 32 axes; 43 were asked for"),
    (INPUT + ip("a", "x", "y", 'param { lr_mult: 1 } loss_weight: 1 loss_weight: 2'), r"layer 'a' .*2 loss_weight"),
    ("layer { " * 500, r"net.prototxt: .*recursion|net.prototxt:1:\d+: .*"),
    ('layer { name: "' + "\\" * 5000 + '" }', "net.prototxt:1: has 1000 backslashes in a row"),
    ('layer { name: "a" type: "DummyData" top: "a" dummy_data_param { shape { dim: 2 } data_filler { type: "uniform" '
     "min: nan } } }", r"layer 'a' .*uniform"),
    ('layer { name: "a" type: "DummyData" top: "a" dummy_data_param { shape { dim: 2 } data_filler { type: "uniform" '
     "min: -3e38 max: 3e38 } } }", r"layer 'a' .*finite range"),
])
def test_nets(text, message, net):
    said(message, lambda: net(text).forward())


def test_ranges_of_layers_and_sharing_of_nets(net):
    one, other = net(INPUT + ip("a", "x", "y")), net(INPUT + ip("a", "x", "y", size=4))
    said("the net has no layer 'b'; its layers: x, a", one.forward, start="b")
    said("the net has no layer 'b'", one.backward, end="b")
    said("cannot share parameter 0 of layer 'a'", one.share_with, other)
    bare = net(INPUT + 'layer { name: "a" type: "ReLU" bottom: "x" top: "y" }')
    said(r"layer 'a' has 2 blob\(s\) in one net and 0 in the other", bare.share_with, one)
    said("cannot be written", one.save, "/nowhere/at/all.caffemodel")
    said("cannot be written", one.save_hdf5, "/nowhere/at/all.h5")


def test_a_name_of_several_lines(net):
    said(r"layer 'a b': unknown bottom blob 'c d'", net, ip("a\\nb", "c\\nd", "y"))


def test_a_layer_type_is_registered_once():
    class Again(caffe.layer_types.TensorLayer):
        type = "ReLU"

    said("layer type 'ReLU' is registered already", caffe.layer_types.register, Again)


def test_blobs():
    said("axis 3 is out of range", Blob(2, 3).axis, 3)
    said("at most 4 axes", lambda: Blob(1, 1, 1, 1, 1).num)
    said("cannot share memory", Blob(2).share_data, Blob(3))
    proto = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2]), data=[1, 2, 3])
    said("holds 3 numbers where 2 are needed", Blob().from_proto, proto)
    proto = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2]), data=[1, 2], diff=[1])
    said("stored diff holds 1 numbers where 2 are needed", Blob().from_proto, proto)


# -- solver.cpp, sgd_solver.cpp --------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "message"), [
    ("average_loss: 0", "average_loss"),
    ('test_net: "net.prototxt"', r"0 test_iter for 1 test net\(s\)"),
    ('test_net: "net.prototxt" test_iter: 1 test_state { } test_state { } test_interval: 1', "2 test_state for 1"),
    ('net_param { }', "exactly one of net"),
    ("test_iter: 1", "no test_interval"),
    ('regularization_type: "L3" weight_decay: 1', "unknown regularization_type 'L3'; known: L1, L2"),
    ('lr_policy: "exp" gamma: -1', "gamma must be 0 or more"),
    ('lr_policy: "step" gamma: 1 stepsize: 0', "needs stepsize above 0"),
    ('lr_policy: "sigmoid" gamma: 1', "needs stepsize above 0"),
    ('solver_type: SGD type: "SGD"', "s.prototxt: has both solver_type and type"),
])
def test_solvers(text, message, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net(INPUT + ip("a", "x", "y", "loss_weight: 1"))
    policy = "" if "lr_policy" in text else 'lr_policy: "fixed"'
    (tmp_path / "s.prototxt").write_text(f'net: "net.prototxt" base_lr: 1 {policy} {text}')
    said(message, lambda: caffe.get_solver("s.prototxt").step(1))


@pytest.mark.parametrize(("change", "message"), [
    ({"iter": -1}, "says iteration -1 and step 0"),
    ({"current_step": -2}, "says iteration 5 and step -2"),
    ({"learned_net": "a\0b"}, "cannot be opened"),
    ({"learned_net": "/dev/zero"}, "/dev/zero: is a device"),
])
def test_states(change, message, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net(INPUT + ip("a", "x", "y", "loss_weight: 1"))
    (tmp_path / "s.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed"')
    solver = caffe.get_solver("s.prototxt")
    state = caffe_pb2.SolverState(**{"iter": 5, "learned_net": "gone", **change})
    state.history.extend(blob.to_proto() for blob in solver.history)
    binaryproto.write("s.solverstate", state)
    said(message, solver.restore, "s.solverstate")
    assert solver.iter == 0


# -- io.cpp, data_transformer.cpp, db_*.cpp --------------------------------------------------------------------
@pytest.mark.parametrize(("datum", "transform", "message"), [
    ({"encoded": True, "data": cv2.imencode(".png", np.zeros((3, 3), np.uint16))[1].tobytes()}, "", "uint16 pixels"),
    ({"channels": 1, "height": 2**30, "width": 2**30, "data": b"1234"}, "", "holds 4 numbers"),
    ({"channels": -1, "height": -2, "width": 2, "data": b"1234"}, "", "holds 4 numbers"),
    ({"channels": 1, "height": 2, "width": 2, "data": b"1234"}, "force_color: true force_gray: true", "both force"),
    ({"channels": 1, "height": 2, "width": 2, "data": b"1234"}, 'mean_file: "gone"', "gone: not found"),
])
def test_datums(datum, transform, message, net, tmp_path):
    import lmdb

    with lmdb.open(str(tmp_path / "db"), map_size=1 << 20) as out, out.begin(write=True) as batch:
        batch.put(b"0", caffe_pb2.Datum(**datum).SerializeToString())
    said(f"layer 'd' .*{message}", lambda: net(
        f'layer {{ name: "d" type: "Data" top: "d" transform_param {{ {transform} }} data_param {{ batch_size: 1 '
        f'source: "{tmp_path}/db" backend: LMDB }} }}').forward())


@pytest.fixture
def leveldb(tmp_path):
    """A LevelDB of two Datums, labels 1 and 2."""
    with new_database(str(tmp_path / "level"), "leveldb") as out:
        for key, label in ((b"0", 1), (b"1", 2)):
            out.put(key, caffe_pb2.Datum(data=b"a", label=label).SerializeToString())
        out.commit()
    return str(tmp_path / "level")


def test_leveldbs_are_read_again_and_again(leveldb):
    cursors = [DatumCursor(leveldb, LEVELDB) for _ in range(2)]
    seen = []
    for _ in range(3):
        seen.append((cursors[0].key(), cursors[0].datum().label))
        cursors[0].advance()
    assert seen == [("0", 1), ("1", 2), ("0", 1)]
    assert cursors[1].key() == "0"


def test_leveldbs_that_cannot_be_read(leveldb, tmp_path, monkeypatch):
    said("it looks like a LevelDB: set backend: LEVELDB", DatumCursor, leveldb)
    said("there is no such LevelDB", DatumCursor, str(tmp_path / "gone"), LEVELDB)
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "data.mdb").write_bytes(b"x")
    said("it is an LMDB: set backend: LMDB", DatumCursor, str(tmp_path / "lm"), LEVELDB)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "plyvel", None)
        said("is a LevelDB, and reading one needs the package plyvel: pip install", DatumCursor, leveldb, LEVELDB)
    for log in Path(leveldb).glob("*.log"):
        log.write_bytes(log.read_bytes().replace(b"a", b"b"))
    said(r"level: cannot be read as a LevelDB .*checksum mismatch", DatumCursor, leveldb, LEVELDB)


# -- what the libraries underneath refuse ----------------------------------------------------------------------
def test_a_blob_larger_than_the_memory(net, monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda: 10_000)
    said(r"layer 'a' \(InnerProduct\): there is not enough memory for a blob of 36000 numbers, .*smaller batch", net,
         INPUT + ip("a", "x", "y", size=300))


@pytest.mark.parametrize(("error", "message"), [
    (MemoryError(), "there is not enough memory for it .*; use a smaller batch"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), "there is not enough memory"),
    (RuntimeError("CUDA out of memory.\nTried to"), "there is not enough memory"),
    (RuntimeError("shapes\nclash"), r"cannot be computed with these shapes, settings and values \(shapes clash\)"),
    (CaffeError("a blob is odd"), "a blob is odd"),
])
def test_faults_of_the_libraries_name_the_layer(error, message, net, monkeypatch):
    made = net(INPUT + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')

    def fail(*args):
        raise error

    monkeypatch.setattr(made.layers[1], "compute", fail)
    said(rf"layer 'r' \(ReLU\): {message}", made.forward)


def test_faults_of_users_layers_pass_as_they_are():
    class Users(caffe.Layer):
        pass

    layer = Users(caffe_pb2.LayerParameter(name="mine"))
    for error in (ValueError("a"), RuntimeError("b"), CaffeError("c")):
        with pytest.raises(type(error)) as caught, border.naming(layer):
            raise error
        assert caught.value is error
