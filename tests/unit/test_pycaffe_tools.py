"""Classifier and Detector on image files, crops by coordinates, drawings: what the goldens do not show."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

import caffe
from caffe import layers as L
from caffe.coord_map import AxisMismatchException, compose, coord_map_from_to, crop, inverse
from caffe.proto import caffe_pb2

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "mean" type: "Pooling" bottom: "data" top: "mean" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def model(tmp_path):
    """(prototxt, weights) of a net that gives the mean of each channel."""
    (tmp_path / "net.prototxt").write_text(NET)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(tmp_path / "net.caffemodel")
    return str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")


@pytest.fixture
def picture(tmp_path):
    """A file whose left half is red and whose right half is blue, 20 × 30 pixels."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15, 2] = pixels[:, 15:, 0] = 255
    cv2.imwrite(str(tmp_path / "picture.png"), pixels)
    return str(tmp_path / "picture.png")


# -- classifier and detector -------------------------------------------------------------------------------------

def test_a_classifier_takes_images_of_files(model, picture):
    classifier = caffe.Classifier(*model, image_dims=(20, 30), raw_scale=255, mean=np.array([5.0, 0, 0]))
    image = caffe.io.load_image(picture)
    # the crop at the centre is half red, half blue
    np.testing.assert_allclose(classifier.predict([image], oversample=False).reshape(-1), [122.5, 0, 127.5], atol=0.01)
    # of the ten crops two in five see red alone, and two blue alone
    np.testing.assert_allclose(classifier.predict([image] * 3).reshape(3, 3), [[122.5, 0, 127.5]] * 3, atol=0.01)


def test_a_detector_takes_windows_of_files(model, picture):
    detector = caffe.Detector(*model)
    windows = [(2, 2, 8, 8), (2, 20, 8, 26)]  # of the net's size: resizing darkens the edges
    found = detector.detect_windows(iter([(picture, windows)]))
    assert [(row["filename"], row["window"]) for row in found] == [(picture, window) for window in windows]
    np.testing.assert_allclose([row["prediction"].reshape(-1) for row in found], [[1, 0, 0], [0, 0, 1]], atol=1e-6)
    assert detector.detect_windows([]) == []


def test_context_shows_what_is_around_and_the_mean_beyond_the_image(model, picture):
    detector = caffe.Detector(*model, context_pad=1, mean=np.array([0.1, 0.2, 0.3]))
    image = caffe.io.load_image(picture)
    assert detector.crop(image, (8, 10, 12, 14)).shape == (6, 6, 3)
    corner = detector.crop(image, (0, 0, 6, 6))
    np.testing.assert_allclose(corner[0], np.tile([0.1, 0.2, 0.3], (6, 1)), atol=1e-6)
    np.testing.assert_allclose(corner[2, 2], [1, 0, 0], atol=1e-6)


def test_a_window_beside_the_image_is_said(model, picture):
    detector = caffe.Detector(*model, context_pad=1)
    with pytest.raises(caffe.CaffeError, match=r"window \(50, 60, 54, 64\) .* no pixel in common .* 20 × 30"):
        detector.detect_windows([(picture, [(50, 60, 54, 64)])])


def test_selective_search_says_what_it_needs(model, picture):
    with pytest.raises(ImportError, match=r"selective_search_ijcv_with_python.*detect_windows"):
        caffe.Detector(*model).detect_selective_search([picture])


def test_selective_search_gives_windows_to_the_net(model, picture, monkeypatch):
    search = types.SimpleNamespace(get_windows=lambda files, cmd: [np.array([[2, 2, 8, 8]])] * len(files))
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", search)
    found = caffe.Detector(*model).detect_selective_search([picture, picture])
    assert len(found) == 2 and found[0]["prediction"].reshape(-1)[0] == pytest.approx(1)


def test_a_resized_mean_is_single_precision_as_real_caffes():
    transformer = caffe.io.Transformer({"data": (1, 3, 4, 5)})
    transformer.set_mean("data", np.arange(192.0).reshape(3, 8, 8))
    assert transformer.mean["data"].dtype == np.float32


# -- coordinates -------------------------------------------------------------------------------------------------

def pyramid(**deconvolution):
    data = L.Input(shape=dict(dim=[1, 1, 40, 40]))
    pool = L.Pooling(L.Convolution(data, num_output=1, kernel_size=3), kernel_size=2, stride=2)
    return data, L.Deconvolution(pool, **{"kernel_size": 4, "stride": 2, **deconvolution})


@pytest.mark.parametrize(("make", "kind", "message"), [
    (lambda: crop(*reversed(pyramid(stride=3))), AssertionError, "scale mismatch on crop"),
    (lambda: crop(*reversed(pyramid(pad=10))), AssertionError, "cannot crop negative offset"),
    (lambda: crop(*reversed(pyramid(kernel_size=5))), AssertionError, "cannot crop noninteger offset"),
    (lambda: coord_map_from_to(*pyramid(kernel_h=3)), AssertionError, "does not support kernel_h"),
    (lambda: coord_map_from_to(L.InnerProduct(pyramid()[1], num_output=2), pyramid()[0]), RuntimeError,
     "no spatial layers connect"),
    (lambda: coord_map_from_to(L.Pooling(pyramid()[0], global_pooling=True), pyramid()[0]), RuntimeError, "connect"),
    (lambda: compose((1, 1, 0), (2, 1, 0)), AxisMismatchException, "axis"),
])
def test_maps_that_do_not_exist_are_said(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_maps_go_there_and_back():
    data, top = pyramid()
    for name in ("scale", "shift"):
        index = ("axis", "scale", "shift").index(name)
        there, back = coord_map_from_to(top, data), inverse(coord_map_from_to(data, top))
        np.testing.assert_allclose(there[index], back[index])
    made = crop(L.ReLU(data), data)
    assert made.fn.params["crop_param"] == {"axis": 2, "offset": [0]}


def test_a_crop_by_coordinates_runs(tmp_path):
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 40, 40]))
    n.pool = L.Pooling(n.data, kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.pool, convolution_param=dict(num_output=1, kernel_size=4, stride=2))
    n.crop = crop(n.up, n.data)
    (tmp_path / "net.prototxt").write_text(str(n.to_proto()))
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.blobs["data"].data[...] = np.random.RandomState(1).rand(1, 1, 40, 40)
    net.params["up"][0].data[...] = np.random.RandomState(2).rand(1, 1, 4, 4)
    net.forward()
    np.testing.assert_array_equal(net.blobs["crop"].data, net.blobs["up"].data[:, :, 1:41, 1:41])


# -- drawings ----------------------------------------------------------------------------------------------------

def message(kind, *rates):
    return caffe_pb2.LayerParameter(name="l", type=kind, param=[caffe_pb2.ParamSpec(lr_mult=rate) for rate in rates])


@pytest.mark.parametrize(("rates", "expected"), [((), (1, 1)), ((3,), (3, 1)), ((3, 0.5), (3, 0.5))])
def test_learning_rates_of_weights_and_biases(rates, expected):
    assert caffe.draw.get_layer_lr_mult(message("Convolution", *rates)) == expected


@pytest.mark.parametrize(("layer", "text"), [
    (message("ReLU"), "ReLU layers do not have a learning rate multiplier"),
    (message("InnerProduct", 1, 2, 3), "3 param"),
])
def test_layers_without_two_learning_rates_are_said(layer, text):
    with pytest.raises(ValueError, match=text):
        caffe.draw.get_layer_lr_mult(layer)


def test_drawing_without_pydot_names_the_extra(monkeypatch):
    for package in ("pydot", "pydotplus"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'caffe-on-torch\[draw\]'"):
        caffe.draw.draw_net(caffe_pb2.NetParameter(), "LR")


def test_both_kinds_of_rules_cannot_be_drawn(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydotplus", types.SimpleNamespace(Dot=lambda *args, **settings: None))
    layer = message("ReLU")
    layer.include.add(phase=caffe.TRAIN)
    layer.exclude.add(phase=caffe.TEST)
    with pytest.raises(ValueError, match="layer 'l' has both include and exclude"):
        caffe.draw.get_pydot_graph(caffe_pb2.NetParameter(layer=[layer]), "LR", phase=caffe.TEST)


class Graph:
    """In place of a pydot graph: `create` gives what Graphviz would, or fails as where it is missing."""

    installed = True

    def __init__(self, *args, **settings):
        pass

    def create(self, format):
        if not self.installed:
            raise FileNotFoundError('"dot" not found in path.')
        return b"a picture as " + format.encode()

    def to_string(self):
        return "digraph {}"


@pytest.fixture
def pydot(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydotplus", types.SimpleNamespace(Dot=Graph))
    return Graph


@pytest.mark.parametrize(("name", "content"), [
    ("net.png", b"a picture as png"), ("a.b.svg", b"a picture as svg"), ("net.raw", b"digraph {}")])
def test_the_files_ending_says_how_it_is_drawn(pydot, tmp_path, name, content):
    caffe.draw.draw_net_to_file(caffe_pb2.NetParameter(), str(tmp_path / name))
    assert (tmp_path / name).read_bytes() == content


def test_drawing_without_graphviz_leaves_no_file(pydot, tmp_path, monkeypatch):
    monkeypatch.setattr(pydot, "installed", False)
    with pytest.raises(caffe.CaffeError, match="install Graphviz"):
        caffe.draw.draw_net_to_file(caffe_pb2.NetParameter(), str(tmp_path / "net.png"))
    assert not list(tmp_path.iterdir())
