"""caffe.io and the binary files, against what real Caffe 1.0 gives (golden/io.npz) and on people's real files."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.formats import binaryproto, files
from caffe.proto import caffe_pb2

CONFORMANCE = Path(__file__).parents[1] / "conformance"
SHARED = Path(os.environ.get("ETHOCAFFE_SHARED", Path(__file__).parents[3] / "shared" / "data")) / "caffe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason=f"the real files are not there: {SHARED}")


@pytest.fixture(scope="module")
def results():
    return runpy.run_path(str(CONFORMANCE / "make_io_golden.py"))["results"]()


GOLDEN = np.load(CONFORMANCE / "golden" / "io.npz")


@pytest.mark.parametrize("name", GOLDEN.files)
def test_result_equals_real_caffe(name, results):
    ours, real = results[name], GOLDEN[name]
    assert (ours.shape, ours.dtype) == (real.shape, real.dtype)
    if real.dtype == np.uint8:
        np.testing.assert_array_equal(ours, real)
    else:
        np.testing.assert_allclose(ours, real, rtol=0, atol=1e-5 * np.abs(real).max())


def test_blobs_go_there_and_back():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    blob = caffe.io.array_to_blobproto(array, 2 * array)
    np.testing.assert_array_equal(caffe.io.blobproto_to_array(blob), array)
    np.testing.assert_array_equal(caffe.io.blobproto_to_array(blob, return_diff=True), 2 * array)
    packed = caffe.io.arraylist_to_blobprotovector_str([array, array[0]])
    first, second = caffe.io.blobprotovector_str_to_arraylist(packed)
    np.testing.assert_array_equal(first, array)
    np.testing.assert_array_equal(second, array[0])


def test_blob_of_the_old_format_has_four_axes():
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert caffe.io.blobproto_to_array(blob).shape == (1, 2, 1, 3)


@pytest.mark.parametrize("shape", [(), (7,), (-1,), (-2, -3), (0,)])
def test_blob_of_another_size_than_its_shape_is_said(shape):
    blob = caffe_pb2.BlobProto(data=range(6), shape=caffe_pb2.BlobShape(dim=shape))
    with pytest.raises(ValueError, match="holds 6 numbers"):
        caffe.io.blobproto_to_array(blob)


def test_blob_in_double_precision_is_read_exactly():
    blob = caffe_pb2.BlobProto(double_data=[0.1, 0.2])
    blob.shape.dim.append(2)
    assert caffe.io.blobproto_to_array(blob).tolist() == [0.1, 0.2]


@pytest.mark.parametrize("array", [np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.arange(6.0).reshape(1, 2, 3)])
def test_datums_go_there_and_back(array):
    datum = caffe.io.array_to_datum(array, 3)
    back = caffe.io.datum_to_array(datum)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    back += 1
    assert datum.label == 3


def test_datum_that_is_no_array_is_said():
    with pytest.raises(ValueError, match="encoded image"):
        caffe.io.datum_to_array(caffe_pb2.Datum(encoded=True, data=b"x"))
    with pytest.raises(ValueError, match="holds 3 numbers"):
        caffe.io.datum_to_array(caffe_pb2.Datum(channels=1, height=2, width=2, data=b"abc"))
    with pytest.raises(ValueError, match="channels × height × width"):
        caffe.io.array_to_datum(np.zeros((2, 2)))


@pytest.mark.parametrize(("pixels", "color", "expected"), [
    (np.full((4, 5, 3), (10, 20, 30), np.uint8), True, np.array([30, 20, 10]) / 255),
    (np.full((4, 5, 3), (10, 20, 30), np.uint8), False, np.array([0.2125 * 30 + 0.7154 * 20 + 0.0721 * 10]) / 255),
    (np.full((4, 5, 4), (10, 20, 30, 99), np.uint8), True, np.array([30, 20, 10]) / 255),
    (np.full((4, 5), 51, np.uint8), True, np.array([0.2, 0.2, 0.2])),
    (np.full((4, 5), 13107, np.uint16), False, np.array([0.2])),
])
def test_load_image(tmp_path, pixels, color, expected):
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "image.png"), pixels)
    image = caffe.io.load_image(tmp_path / "image.png", color)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.broadcast_to(expected, (4, 5, len(expected))), atol=1e-6)


def test_load_image_says_what_is_wrong(tmp_path):
    with pytest.raises(CaffeError, match=r"gone\.png: not found"):
        caffe.io.load_image(tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(CaffeError, match=r"text\.png: is not an image"):
        caffe.io.load_image(tmp_path / "text.png")


def test_transformer_leaves_its_argument_alone_and_names_bad_settings():
    transformer = caffe.io.Transformer({"data": (1, 3, 4, 4)})
    transformer.set_raw_scale("data", 2)
    image = np.ones((4, 4, 3), np.float32)
    transformer.preprocess("data", image)
    assert image.max() == 1
    for call in (lambda: transformer.preprocess("label", image), lambda: transformer.set_mean("label", image)):
        with pytest.raises(CaffeError, match="'label' is not one of the net's inputs: data"):
            call()
    with pytest.raises(ValueError, match="2 numbers for 3 channels"):
        transformer.set_mean("data", np.ones(2))
    with pytest.raises(CaffeError, match="must name its 3 channels"):
        transformer.set_channel_swap("data", (1, 0))
    with pytest.raises(CaffeError, match="must name 3 axes"):
        transformer.set_transpose("data", (1, 0))


def test_resize_of_a_constant_image_and_of_another_order():
    assert (caffe.io.resize_image(np.full((4, 4, 3), 7.0), (2, 9)) == np.full((2, 9, 3), 7, np.float32)).all()
    with pytest.raises(CaffeError, match="order 6 is not one of 0"):
        caffe.io.resize_image(np.ones((4, 4, 3)), (2, 2), 6)


# -- files ----------------------------------------------------------------------------------------------


def some_net():
    layer = caffe_pb2.LayerParameter(name="ip", type="InnerProduct", top=["ip"])
    layer.blobs.append(caffe.io.array_to_blobproto(np.arange(50.0)))
    return caffe_pb2.NetParameter(name="n", layer=[layer])


def test_written_file_is_read_again_and_nothing_is_left_beside_it(tmp_path):
    binaryproto.write(tmp_path / "a.caffemodel", some_net())
    assert binaryproto.read_net(tmp_path / "a.caffemodel") == some_net()
    assert [path.name for path in tmp_path.iterdir()] == ["a.caffemodel"]


def test_failed_write_says_so_and_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "a.caffemodel"
    target.write_bytes(b"old")

    def full(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(CaffeError, match=r"a\.caffemodel: cannot be written: No space left"):
        files.write_bytes(target, b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.caffemodel": b"old"}
    with pytest.raises(CaffeError, match="cannot be written: No such file"):
        files.write_bytes(tmp_path / "nowhere" / "a", b"new")


@pytest.mark.parametrize(("content", "message"), [
    (b"", r"is empty \(0 bytes\)"),
    (b"<!DOCTYPE html><html>", "is a web page"),
    (b"  \n<html>", "is a web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
    (b"\x1f\x8b\x08" + bytes(9), "gzip-compressed"),
    (b"\x89HDF\r\n\x1a\n" + bytes(9), "HDF5"),
    (b'name: "net"\nlayer { }\n', "looks like text"),
    (b"\xff" * 30, "is not a binary NetParameter"),
    (some_net().SerializeToString()[:-40], "is cut short: it is .* bytes long"),
    (b"\x0a\x02\xff\xfe", "a name in it is not text"),
    (caffe_pb2.SolverState(iter=3).SerializeToString(), "holds no layers"),
    (caffe_pb2.NetParameter(name="empty").SerializeToString(), "holds no layers"),
])
def test_what_is_no_caffemodel_is_said_in_one_line(tmp_path, content, message):
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(content)
    with pytest.raises(CaffeError, match=message) as caught:
        binaryproto.read_net(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_damaged_name_in_a_list_is_found():
    layer = caffe_pb2.LayerParameter(bottom=["zzzz"]).SerializeToString().replace(b"zzzz", b"\xff\xfe\xfd\xfc")
    net = b"\xa2\x06" + bytes([len(layer)]) + layer
    with pytest.raises(CaffeError, match="a name in it is not text"):
        binaryproto.parse(net, caffe_pb2.NetParameter())


def test_missing_file_and_folder_are_said(tmp_path):
    with pytest.raises(CaffeError, match=r"gone: not found, a binary NetParameter was expected"):
        binaryproto.read_net(tmp_path / "gone")
    with pytest.raises(CaffeError, match="cannot be read: Is a directory"):
        binaryproto.read_net(tmp_path)
    with pytest.raises(CaffeError, match="no file name"):
        binaryproto.read_net("")


def test_weights_given_as_solver_state_are_said(tmp_path):
    binaryproto.write(tmp_path / "a", some_net())
    with pytest.raises(CaffeError, match=r"is not a \.solverstate"):
        binaryproto.read_solver_state(tmp_path / "a")


@needs_shared
def test_real_mean_file_equals_its_array():
    blob = binaryproto.read_blob(SHARED / "mean" / "imagenet_mean.binaryproto")
    expected = np.load(SHARED / "mean" / "ilsvrc_2012_mean.npy")
    np.testing.assert_array_equal(caffe.io.blobproto_to_array(blob)[0], expected)


@needs_shared
def test_mean_file_of_a_fork_is_an_error_not_empty_data():
    path = SHARED / "mean" / "c3d_mean3_foreign.binaryproto"
    with pytest.raises(CaffeError, match=r"its shape is 1 3 3 128 but it holds 0 numbers"):
        binaryproto.read_blob(path)
    blob = caffe_pb2.BlobProto.FromString(path.read_bytes())
    with pytest.raises(ValueError, match="not a BlobProto of Caffe's"):
        caffe.io.blobproto_to_array(blob)


@needs_shared
def test_real_weights_and_states_are_read():
    net = binaryproto.read_net(SHARED / "lenet" / "lenet_iter_10000.caffemodel")
    assert {layer.name: [binaryproto.blob_shape(blob) for blob in layer.blobs] for layer in net.layer}["conv1"] == [
        (20, 1, 5, 5), (20,)]
    old = binaryproto.read_net(SHARED / "v1" / "lenet_iter_10000.caffemodel")
    assert binaryproto.blob_shape(old.layers[1].blobs[0]) == (20, 1, 5, 5)
    state = binaryproto.read_solver_state(SHARED / "v1" / "lenet_iter_10000.solverstate")
    assert state.iter == 10000
    assert len(state.history) == 8
