"""Networks as drawings: every layer is in one box, no two boxes overlap, and arrows go forward."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe.proto import caffe_pb2
from tools import network
from tools.plots.network import layout, plot_network

NAMES = sorted(str(path.parent.relative_to(network.NETWORKS)) for path in network.NETWORKS.rglob("deploy.prototxt"))
INCEPTION = """
layer { name: "data" type: "Input" top: "data" }
layer { name: "left" type: "Convolution" bottom: "data" top: "left" convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "middle" type: "Convolution" bottom: "data" top: "middle"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "middle2" type: "Convolution" bottom: "middle" top: "middle2"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "right" type: "Pooling" bottom: "data" top: "right" pooling_param { kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "join" type: "Concat" bottom: "left" bottom: "middle2" bottom: "right" top: "join" }
layer { name: "relu" type: "ReLU" bottom: "join" top: "join" }
layer { name: "sum" type: "Eltwise" bottom: "join" bottom: "left" top: "sum" }
"""


def check(layers):
    layers = list(layers)
    boxes, arrows = layout(layers)
    assert sorted(name for box in boxes for name in box.layers) == sorted(layer.name for layer in layers)
    for one, other in itertools.combinations(boxes, 2):
        assert one.column != other.column or abs(one.row - other.row) >= 1
    assert all(boxes[source].column < boxes[target].column for source, target in arrows)
    return {box.layers[0]: box for box in boxes}, arrows


@pytest.mark.parametrize("name", NAMES)
def test_checked_in_networks(name):
    boxes, _ = check(network.read_net(network.NETWORKS / name / "deploy.prototxt").layer)
    recurrent = [box for box in boxes.values() if box.kind == "recurrent"]
    assert bool(recurrent) == ("lstm" in name or "rnn" in name)
    assert boxes["fc9"].lines == ("9 outputs", "Softmax")


def test_what_follows_a_layer_is_told_in_its_box():
    boxes, _ = check(network.read_net(network.NETWORKS / "shape" / "cnn" / "deploy.prototxt").layer)
    assert boxes["conv1"].lines == ("96 · 11×11 / 4", "ReLU", "max pool 3 / 2", "BatchNorm")
    assert boxes["conv2"].lines[0] == "256 · 5×5, 2 groups"


def test_branches_of_other_networks_stand_apart(tmp_path):
    net = text_format.Parse(INCEPTION, caffe_pb2.NetParameter())
    boxes, arrows = check(net.layer)
    assert {boxes[name].row for name in ("left", "middle")} != {boxes["left"].row}
    assert len(arrows) == 9
    plot_network(net.layer, tmp_path / "net.png", "branches")
    assert Path(tmp_path / "net.png").stat().st_size > 5000
