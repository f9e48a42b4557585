"""Other people's trained models, on MNIST's 10,000 test images: the accuracies that are known of them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import caffe
from caffe.formats import binaryproto, prototxt
from caffe.formats.upgrade import upgrade_net
from caffe.proto import caffe_pb2

BATCH = 500
# file: share of test images that it gets right, as OpenCV's Caffe importer found; pixels are scaled by 1/256
LENETS = {"lenet/lenet_iter_10000.caffemodel": 0.9914, "v1/lenet_iter_10000.caffemodel": 0.9905}


@pytest.fixture(scope="module")
def mnist(shared):
    """(images N×1×28×28 in 0 … 1, labels N)."""
    folder = shared / "caffe" / "lenet"
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return pixels.astype(np.float32) / 256, np.frombuffer(labels, np.uint8, offset=8)


def deploy_net(file, folder, shape):
    """A deploy net of the layers that the caffemodel itself describes, with its weights."""
    stored = upgrade_net(binaryproto.read_net(file))
    net = caffe_pb2.NetParameter(name=stored.name)
    first = net.layer.add(name="input", type="Input", top=["data"])
    first.input_param.shape.add(dim=shape)
    for layer in stored.layer:
        if layer.type in ("Data", "Accuracy", "Split"):
            continue
        kept = net.layer.add()
        kept.CopyFrom(layer)
        del kept.blobs[:], kept.include[:]
        if kept.type == "SoftmaxWithLoss":
            kept.type = "Softmax"
            del kept.bottom[1:], kept.loss_weight[:]
    prototxt.write(folder / "deploy.prototxt", net)
    return caffe.Net(folder / "deploy.prototxt", caffe.TEST, weights=file)


@pytest.mark.parametrize("file", LENETS)
def test_lenet_reads_digits_as_well_as_is_known(file, shared, mnist, tmp_path):
    images, labels = mnist
    net = deploy_net(shared / "caffe" / file, tmp_path, (BATCH, 1, 28, 28))
    (scores,) = net.forward_all(data=images).values()
    right = int((scores.reshape(len(labels), -1).argmax(1) == labels).sum())
    assert right / len(labels) == pytest.approx(LENETS[file], abs=1e-9)


def test_a_solver_state_of_2014_goes_on(shared, tmp_path):
    """The V1 LeNet's state fits the net that its caffemodel describes: iteration, history, weights."""
    folder = shared / "caffe" / "v1"
    net = upgrade_net(binaryproto.read_net(folder / "lenet_iter_10000.caffemodel"))
    train = caffe_pb2.NetParameter(name="train")
    data = train.layer.add(name="input", type="Input", top=["data", "label"])
    data.input_param.shape.add(dim=[2, 1, 28, 28])
    data.input_param.shape.add(dim=[2])
    for layer in net.layer:
        if layer.type not in ("Data", "Accuracy"):
            kept = train.layer.add()
            kept.CopyFrom(layer)
            del kept.blobs[:], kept.include[:]
    prototxt.write(tmp_path / "train.prototxt", train)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/train.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9')
    solver = caffe.get_solver(tmp_path / "solver.prototxt")
    solver.restore(folder / "lenet_iter_10000.solverstate")
    assert solver.iter == 10000
    stored = next(layer for layer in net.layer if layer.name == "conv1")
    np.testing.assert_array_equal(solver.net.params["conv1"][0].data.ravel(),
                                  binaryproto.numbers(stored.blobs[0], "data"))
    solver.step(1)
    assert np.isfinite(solver.net.blobs["loss"].data)


def test_an_hdf5_snapshot_is_read(shared, tmp_path):
    import h5py

    file = shared / "caffe" / "hdf5" / "cifar10_full_iter_70000.caffemodel.h5"
    net = deploy_net(shared / "caffe" / "v1" / "cifar10_full_iter_70000.caffemodel", tmp_path, (1, 3, 32, 32))
    net.copy_from(file)
    with h5py.File(file, "r") as stored:
        for name, blobs in net.params.items():
            for i, blob in enumerate(blobs):
                np.testing.assert_array_equal(blob.data, stored["data"][name][str(i)][()])
