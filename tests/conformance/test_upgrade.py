"""Nets in older formats, against what real Caffe 1.0's upgrade_net_proto_text makes of them: upgrade/README.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe import CaffeError
from caffe.formats import binaryproto, prototxt
from caffe.formats.upgrade import read_solver_file, upgrade_net, upgrade_solver
from caffe.proto import caffe_pb2

FOLDER = Path(__file__).resolve().parent / "upgrade"
SOLVERS = sorted(file.stem for file in FOLDER.glob("solver_*.prototxt"))
NETS = sorted({file.stem for file in FOLDER.glob("*.prototxt")} - set(SOLVERS))


@pytest.mark.parametrize("name", NETS)
def test_old_nets_become_what_real_caffe_makes_of_them(name):
    ours = upgrade_net(prototxt.read_net(FOLDER / f"{name}.prototxt"))
    theirs = prototxt.read(FOLDER / f"{name}.upgraded", caffe_pb2.NetParameter())
    assert prototxt.to_text(ours) == prototxt.to_text(theirs)


@pytest.mark.parametrize("name", SOLVERS)
def test_old_solvers_become_what_real_caffe_makes_of_them(name):
    ours = upgrade_solver(prototxt.read_solver(FOLDER / f"{name}.prototxt"))
    assert ours == prototxt.read(FOLDER / f"{name}.upgraded", caffe_pb2.SolverParameter())


def test_golden_upgrades_are_still_what_real_caffe_gives(real_caffe, tmp_path):
    for file in (*FOLDER.glob("*.prototxt"), FOLDER / "upgrade.sh"):
        shutil.copy(file, tmp_path)
    real_caffe(tmp_path, "sh", "upgrade.sh")
    for name in NETS + SOLVERS:
        assert (tmp_path / f"{name}.upgraded").read_text() == (FOLDER / f"{name}.upgraded").read_text()


@pytest.mark.parametrize("name", ["v0", "v1_types"])
def test_old_weights_become_what_real_caffe_makes_of_them(name, real_caffe, tmp_path):
    old = prototxt.read_net(FOLDER / f"{name}.prototxt")
    random = np.random.default_rng(0)
    for layer in old.layers:
        blobs = (layer.layer if name == "v0" else layer).blobs
        blobs.add(num=1, channels=2, height=3, width=4, data=random.random(24))
        blobs.add(num=1, channels=1, height=1, width=3, data=random.random(3), diff=random.random(3))
    binaryproto.write(tmp_path / "old.caffemodel", old)
    real_caffe(tmp_path, "upgrade_net_proto_binary", "old.caffemodel", "new.caffemodel")
    assert upgrade_net(binaryproto.read_net(tmp_path / "old.caffemodel")) == binaryproto.read_net(
        tmp_path / "new.caffemodel")


def test_what_is_left_out_of_a_net_of_2013_is_said():
    said: list[str] = []
    upgrade_net(prototxt.read_net(FOLDER / "v0_misplaced.prototxt"), "my.prototxt", said.append)
    assert len(said) == 27  # as many as real Caffe says
    assert said[0] == "my.prototxt: layer 'a': num_output is nothing that a V0 layer of type 'relu' has; it is left out"


def test_a_net_of_2013_runs(tmp_path):
    (tmp_path / "net.prototxt").write_text("""
        input: "x" input_dim: 1 input_dim: 1 input_dim: 5 input_dim: 5
        layers { layer { name: "p" type: "padding" pad: 1 } bottom: "x" top: "p" }
        layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 bias_filler { value: 3 } }
                 bottom: "p" top: "c" }""")
    weights = caffe_pb2.NetParameter()
    layer = weights.layers.add().layer
    layer.name, layer.type = "c", "conv"
    layer.blobs.add(num=2, channels=1, height=3, width=3, data=np.ones(18))
    layer.blobs.add(num=1, channels=1, height=1, width=2, data=[0.5, 1])
    binaryproto.write(tmp_path / "w.caffemodel", weights)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, weights=tmp_path / "w.caffemodel")
    scores = net.forward(x=np.ones((1, 1, 5, 5)))["c"]
    assert scores.shape == (1, 2, 5, 5)
    assert (scores[0, 0, 0, 0], scores[0, 1, 2, 2]) == (4.5, 10)


@pytest.mark.parametrize(("prefix", "snapshot"), [("base_lr: 1", "my.solver"),
                                                  ("snapshot_prefix: 'sub'", "sub/my.solver"),
                                                  ("snapshot_prefix: 'sub/x'", "sub/x")])
def test_where_snapshots_go(prefix, snapshot, tmp_path, monkeypatch):
    """The solver's name where no prefix is given, in the folder where one is: UpgradeSnapshotPrefixProperty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "my.solver.prototxt").write_text(prefix)
    assert read_solver_file("my.solver.prototxt").snapshot_prefix == snapshot


def test_a_net_of_today_is_left_as_it_is():
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="a", type="ReLU", bottom=["x"], top=["x"])
    assert upgrade_net(net) is net


def test_input_fields_feed_a_net(tmp_path):
    (tmp_path / "deploy.prototxt").write_text(
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 4 '
        'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')
    net = caffe.Net(tmp_path / "deploy.prototxt", caffe.TEST)
    assert net.inputs == ["x"]
    assert net.forward(x=np.full((2, 3, 4, 4), -1))["y"].max() == 0


@pytest.mark.parametrize(("text", "message"), [
    ('layers { name: "a" type: RELU } layer { name: "b" type: "ReLU" }', "both layer and layers"),
    ('input: "x" input_dim: 2', "four for each"),
    ('layers { layer { name: "a" type: "odd" } }', "layer 'a': unknown V0 layer type 'odd'; known: padding, accuracy"),
    ('layers { layer { name: "a" type: "relu" } bottom: "b" }', "layer 'a': unknown bottom blob 'b'; .*none"),
    ('input: "x" layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" } '
     'layers { layer { name: "a" type: "relu" } bottom: "p" }', r"layer 'a' \(relu\): takes the padding layer 'p'"),
    ('input: "x" layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" top: "q" } '
     'layers { layer { name: "a" type: "conv" } bottom: "p" }', r"padding layer 'p': has 1 bottom\(s\) and 2 top"),
    ('input: "x" input: "y" input_shape { dim: 1 }', "1 input_shape for 2"),
])
def test_what_cannot_be_upgraded_says_why(text, message):
    with pytest.raises(CaffeError, match=message):
        upgrade_net(prototxt.parse(text, caffe_pb2.NetParameter()))


def test_the_old_solver_type():
    old = prototxt.parse("solver_type: NESTEROV base_lr: 1", caffe_pb2.SolverParameter())
    assert (upgrade_solver(old).type, upgrade_solver(old).HasField("solver_type")) == ("Nesterov", False)
    with pytest.raises(CaffeError, match="both"):
        upgrade_solver(prototxt.parse('solver_type: SGD type: "Adam"', caffe_pb2.SolverParameter()))


def test_a_real_v1_caffemodel_is_copied_into_a_net_of_today(shared, tmp_path):
    file = shared / "caffe" / "v1" / "lenet_iter_10000.caffemodel"
    text = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }\n'
    text += ('layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" '
             'convolution_param { num_output: 20 kernel_size: 5 } }')
    (tmp_path / "net.prototxt").write_text(text)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, weights=file)
    stored = caffe_pb2.NetParameter.FromString(file.read_bytes())
    (layer,) = [layer for layer in stored.layers if layer.name == "conv1"]
    np.testing.assert_array_equal(net.params["conv1"][0].data.ravel(), np.array(layer.blobs[0].data, np.float32))
