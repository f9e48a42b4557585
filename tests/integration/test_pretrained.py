"""Pretrained weights: files of the shapes and the old format of BVLC's, made with real Caffe, as on either engine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import caffe
from data_prep.errors import InputError
from tools.network import NETWORKS as FOLDER
from tools.weights import copy_weights, read_caffemodel

CONVOLUTIONS = [f"conv{number}" for number in range(1, 6)]

# bvlc_alexnet's and bvlc_reference_caffenet's shapes are the same; fc6 and fc7, whose shapes do not matter here, are
# narrower. Version 1 has its layers' types by number and four dimensions for every blob.
MAKE = """
import caffe
import numpy as np
from caffe.proto import caffe_pb2
shapes = [("conv1", (96, 3, 11, 11)), ("conv2", (256, 48, 5, 5)), ("conv3", (384, 256, 3, 3)),
          ("conv4", (384, 192, 3, 3)), ("conv5", (256, 192, 3, 3)), ("fc6", (1, 1, 40, 92)), ("fc7", (1, 1, 40, 40)),
          ("fc8", (1, 1, 1000, 40))]
for seed, file in enumerate(("bvlc_alexnet", "bvlc_reference_caffenet")):
    random = np.random.RandomState(seed)
    net = caffe_pb2.NetParameter(name="AlexNet")
    for name, shape in shapes:
        kind = "CONVOLUTION" if name.startswith("conv") else "INNER_PRODUCT"
        layer = net.layers.add(name=name, type=caffe_pb2.V1LayerParameter.LayerType.Value(kind))
        outputs = shape[0] if kind == "CONVOLUTION" else shape[2]
        for dims in (shape, (1, 1, 1, outputs)):
            values = random.standard_normal(int(np.prod(dims))).astype(np.float32)
            layer.blobs.add(num=dims[0], channels=dims[1], height=dims[2], width=dims[3], data=values.tolist())
        if name in ("conv1", "conv2"):  # CaffeNet normalises after pooling, AlexNet before; neither has weights there
            net.layers.add(name="norm" + name[-1], type=caffe_pb2.V1LayerParameter.LRN)
    with open(file + ".caffemodel", "wb") as out:
        out.write(net.SerializeToString())
"""

# What real Caffe's own copying by name makes of a net; the first numbers of each blob and its sum tell it.
COPY = """
import json
import caffe
nets = {}
for file in ("bvlc_alexnet", "bvlc_reference_caffenet"):
    caffe.set_random_seed(3)
    net = caffe.Net("deploy.prototxt", caffe.TEST)
    before = told(net)
    net.copy_from(file + ".caffemodel")
    after = told(net)
    changed = sorted(name for name in after if after[name] != before[name])
    nets[file] = {"changed": changed, "convolutions": [after["conv%d" % number] for number in range(1, 6)]}
print(json.dumps(nets))
""".replace("nets = {}", '''
def told(net):
    return {name: [[float(v) for v in blob.data.ravel()[:5]] + [float(blob.data.astype("f8").sum())] for blob in blobs]
            for name, blobs in net.params.items()}


nets = {}''')


@pytest.fixture(scope="module")
def place(tmp_path_factory, real_caffe):
    folder = tmp_path_factory.mktemp("pretrained")
    (folder / "make.py").write_text(MAKE)
    (folder / "copy_by_name.py").write_text(COPY)
    full = (FOLDER / "shape" / "cnn" / "deploy.prototxt").read_text()
    (folder / "deploy.prototxt").write_text(full.replace("num_output: 4096", "num_output: 8"))  # for speed
    real_caffe(folder, "python3", "make.py")
    return folder


def told(blobs):
    return [[*map(float, blob.data.ravel()[:5]), float(blob.data.astype("f8").sum())] for blob in blobs]


def open_net(file: Path) -> caffe.Net:
    caffe.set_random_seed(3)
    return caffe.Net(str(file), caffe.TEST)


@pytest.fixture(scope="module")
def real(place: Path, real_caffe):
    return json.loads(real_caffe(place, "python3", "copy_by_name.py").stdout.splitlines()[-1])


@pytest.mark.parametrize("file", ["bvlc_alexnet", "bvlc_reference_caffenet"])
def test_conv1_to_conv5_and_nothing_else_as_real_caffe_copies_by_name(place, real, file):
    net = open_net(place / "deploy.prototxt")
    before = {name: told(blobs) for name, blobs in net.params.items()}
    copied = copy_weights(net, place / f"{file}.caffemodel")
    assert copied.copied == CONVOLUTIONS == real[file]["changed"]
    assert copied.left == ["fc6", "fc7", "fc8"]
    assert copied.fresh == ["bn1", "bn2", "fc6_mouse", "fc7_mouse", "fc8_mouse", "fc9"]
    changed = [name for name, blobs in net.params.items() if told(blobs) != before[name]]
    assert changed == CONVOLUTIONS
    ours, theirs = [told(net.params[name]) for name in CONVOLUTIONS], real[file]["convolutions"]
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-12)

    plain = open_net(place / "deploy.prototxt")
    plain.copy_from(str(place / f"{file}.caffemodel"))
    assert all(told(plain.params[name]) == told(net.params[name]) for name in net.params)


def test_networks_that_it_does_not_fit_are_left_as_they_are(place):
    net = open_net(FOLDER / "mini" / "shape" / "cnn" / "deploy.prototxt")
    before = {name: told(blobs) for name, blobs in net.params.items()}
    with pytest.raises(InputError, match="layer 'conv1' is 96×3×11×11 there and 16×3×11×11 in the network"):
        copy_weights(net, place / "bvlc_alexnet.caffemodel")
    motion = FOLDER / "mini" / "motion" / "cnn" / "deploy.prototxt"
    with pytest.raises(InputError, match="the network has no layer named conv1"):
        copy_weights(open_net(motion), place / "bvlc_alexnet.caffemodel")
    assert {name: told(blobs) for name, blobs in net.params.items()} == before


def test_a_layer_whose_numbers_are_missing_is_named(place, tmp_path):
    from caffe.proto import caffe_pb2

    file = tmp_path / "short.caffemodel"
    message = caffe_pb2.NetParameter()
    message.ParseFromString((place / "bvlc_alexnet.caffemodel").read_bytes())
    del message.layers[-1].blobs[:]
    layer = next(one for one in message.layers if one.name == "conv4")
    del layer.blobs[1].data[3:]
    file.write_bytes(message.SerializeToString())
    assert list(read_caffemodel(file)) == [*CONVOLUTIONS, "fc6", "fc7"]
    with pytest.raises(InputError, match=r"short\.caffemodel: layer 'conv4' says 1×1×1×384 and holds 3 values"):
        copy_weights(open_net(place / "deploy.prototxt"), file)
