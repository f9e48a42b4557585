"""Nets in older formats, against what real Caffe 1.0's upgrade_net_proto_text makes of them: upgrade/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe import CaffeError, prototxt
from caffe.proto import caffe_pb2
from caffe.upgrade import upgrade_net, upgrade_solver

FOLDER = Path(__file__).resolve().parent / "upgrade"


@pytest.mark.parametrize("name", ["v1", "inputs"])
def test_old_nets_become_what_real_caffe_makes_of_them(name):
    ours = upgrade_net(prototxt.read_net(FOLDER / f"{name}.prototxt"))
    theirs = prototxt.read(FOLDER / f"{name}.upgraded", caffe_pb2.NetParameter())
    assert prototxt.to_text(ours) == prototxt.to_text(theirs)


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
    ('layers { layer { name: "a" type: "relu" } }', "V0"),
    ('input: "x" input_dim: 2', "four for each"),
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
