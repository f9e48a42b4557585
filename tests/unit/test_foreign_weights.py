"""Weights by others: of forks, of old versions, in double precision, as HDF5; and files that are damaged."""

from __future__ import annotations

import subprocess

import h5py
import numpy as np
import pytest

import caffe
from caffe import CaffeError
from caffe.formats import binaryproto, hdf5
from caffe.proto import caffe_pb2

WEIGHTS = np.arange(18, dtype=np.float32).reshape(2, 1, 3, 3)
BIAS = np.array([3, 4], np.float32)
NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 3 dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 1 } }
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    return caffe.Net(tmp_path / "net.prototxt", caffe.TEST)


@pytest.fixture
def loaded(net, tmp_path):
    """The parameters of the layer conv after reading the bytes of a caffemodel."""
    def load(content):
        (tmp_path / "w.caffemodel").write_bytes(content)
        net.copy_from(tmp_path / "w.caffemodel")
        return [blob.data for blob in net.params["conv"]]

    return load


def blob(values, double=False):
    made = caffe_pb2.BlobProto()
    made.shape.dim.extend(values.shape)
    binaryproto.set_numbers(made, "data", values.reshape(-1).astype(np.float64 if double else np.float32))
    return made


def layer(double=False, **fields):
    made = caffe_pb2.LayerParameter(name="conv", type="Convolution", **fields)
    made.blobs.extend([blob(WEIGHTS, double), blob(BIAS, double)])
    return made


def assert_loaded(arrays):
    np.testing.assert_array_equal(arrays[0], WEIGHTS)
    np.testing.assert_array_equal(arrays[1], BIAS)


def number(tag, value):
    return bytes([*_varint(tag << 3), *_varint(value)])


def _varint(value):
    while value >= 0x80:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


RECURRENT = number(1, 5) + binaryproto.field(2, binaryproto.field(1, b"gaussian")) + number(4, 1)


@pytest.mark.parametrize("tag", [134, 140, 146, 138, 150, 151, 5000])
@pytest.mark.parametrize("content", [RECURRENT, b"abc", b"\xff" * 9, b""], ids=["message", "text", "noise", "nothing"])
def test_fields_of_forks_do_not_matter(tag, content, loaded):
    """recurrent_param was 134 and 140 in forks, where today's log_param and elu_param are."""
    field = binaryproto.field(tag, content)
    assert_loaded(loaded(binaryproto.field(100, layer().SerializeToString() + field)))


def test_fields_of_forks_beside_the_layers_do_not_matter(loaded):
    """Also where Caffe has a text or a message under that number."""
    content = binaryproto.field(100, layer().SerializeToString())
    assert_loaded(loaded(content + number(1, 7) + binaryproto.field(6, b"\x0b\x0b") + binaryproto.field(77, b"x")))


def test_layer_types_that_nobody_knows_do_not_matter(loaded):
    net = caffe_pb2.NetParameter()
    net.layer.add().CopyFrom(layer())
    net.layer[0].type = "OddConvolution"
    net.layer[0].bottom.append("nowhere")
    assert_loaded(loaded(net.SerializeToString()))


def test_double_precision(loaded):
    assert_loaded(loaded(caffe_pb2.NetParameter(layer=[layer(double=True)]).SerializeToString()))


@pytest.mark.parametrize("version", ["v0", "v1", "today"])
def test_four_dimensions_of_old_files(version, loaded):
    net = caffe_pb2.NetParameter()
    if version == "today":
        target = net.layer.add(name="conv")
    else:
        target = net.layers.add(name="conv")
        if version == "v0":
            target = target.layer
            target.name = "conv"
    target.blobs.add(num=2, channels=1, height=3, width=3, data=WEIGHTS.reshape(-1))
    target.blobs.add(num=1, channels=1, height=1, width=2, data=BIAS)
    assert_loaded(loaded(net.SerializeToString()))


def test_numbers_that_are_not_packed(loaded):
    """As no Caffe writes them, but the wire format allows."""
    def loose(values):
        numbers = b"".join(b"\x2d" + value.tobytes() for value in values.reshape(-1))
        shape = binaryproto.field(7, b"".join(number(1, n) for n in values.shape))
        return binaryproto.field(7, shape + numbers)

    stored = binaryproto.field(1, b"conv") + loose(WEIGHTS) + loose(BIAS)
    assert_loaded(loaded(binaryproto.field(100, stored)))


def test_of_layers_of_one_name_the_last_counts(loaded):
    first = layer()
    first.blobs[1].data[0] = 99
    assert_loaded(loaded(caffe_pb2.NetParameter(layer=[first, layer()]).SerializeToString()))


def test_a_file_cut_short_is_said(loaded, net):
    content = caffe_pb2.NetParameter(layer=[layer()]).SerializeToString()
    with pytest.raises(CaffeError, match=r"w.caffemodel: is cut short"):
        loaded(content[:-10])
    assert not net.params["conv"][1].data.any()


def test_a_device_is_no_file(net):
    with pytest.raises(CaffeError, match="/dev/zero: is a device"):
        net.copy_from("/dev/zero")


# -- HDF5 ---------------------------------------------------------------------------------------------------------
def snapshot(file, **datasets):
    with h5py.File(file, "w", **datasets.pop("how", {})) as out:
        for i, values in enumerate(datasets.pop("conv", (WEIGHTS, BIAS))):
            out.create_dataset(f"data/conv/{i}", data=values, **datasets)
        out.create_group("data/in")
    return file


@pytest.mark.parametrize("settings", [
    {}, {"how": {"libver": "earliest"}}, {"how": {"libver": "latest"}}, {"chunks": True, "compression": "gzip"},
    {"conv": (WEIGHTS.astype(np.float64), BIAS.astype(np.int16))},
], ids=["plain", "oldest layout", "newest layout", "packed", "other numbers"])
def test_hdf5_of_any_layout(settings, net, tmp_path):
    net.copy_from(snapshot(tmp_path / "w.h5", **settings))
    assert_loaded([blob.data for blob in net.params["conv"]])


@pytest.mark.parametrize(("arrays", "message"), [
    ((WEIGHTS[:1], BIAS), r"parameter 0 of layer 'conv' has shape \(1, 1, 3, 3\), the net needs \(2, 1, 3, 3\)"),
    ((WEIGHTS, np.array([b"a", b"b"])), r"parameter 1 of layer 'conv' holds \|S1, numbers are needed"),
    ((WEIGHTS, BIAS, BIAS), "layer 'conv' has 3 blobs, the net's has 2"),
    ((WEIGHTS,), "layer 'conv' lacks blob 1"),
])
def test_hdf5_that_does_not_fit_changes_nothing(arrays, message, net, tmp_path):
    with pytest.raises(CaffeError, match=message):
        net.copy_from(snapshot(tmp_path / "w.h5", conv=arrays))
    assert not net.params["conv"][0].data.any()


def test_hdf5_laid_out_otherwise(net, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as out:
        out["data"] = np.zeros(3)
    with pytest.raises(CaffeError, match=r"w.h5: is damaged, or not laid out as Caffe's"):
        net.copy_from(tmp_path / "w.h5")


def test_hdf5_that_is_damaged(net, tmp_path):
    file = snapshot(tmp_path / "w.h5")
    content = file.read_bytes()
    file.write_bytes(content.replace(b"HEAP", b"HEAT").replace(b"TREE", b"FREE"))
    with pytest.raises(CaffeError, match=r"w.h5: is not a readable HDF5 file"):
        net.copy_from(file)


@pytest.mark.parametrize(("answer", "message"), [
    (subprocess.TimeoutExpired("h5", 1), "does not come to an end"),
    (subprocess.CompletedProcess("h5", -11, stderr=""), "breaks down"),
])
def test_hdf5_that_hangs_or_breaks_the_library(answer, message, net, tmp_path, monkeypatch):
    def run(*args, **kwargs):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(hdf5.subprocess, "run", run)
    with pytest.raises(CaffeError, match=f"w.h5: is not a readable HDF5 file: .*{message}"):
        net.copy_from(snapshot(tmp_path / "w.h5"))
