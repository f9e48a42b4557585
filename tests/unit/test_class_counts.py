"""The ClassCounts layer inside a net."""

import numpy as np
import pytest

import caffe

NET = """
    layer { name: "scores" type: "Input" top: "scores" input_param { shape { dim: 6 dim: 3 } } }
    layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 6 } } }
    layer { name: "counts" type: "Python" %s top: "counts"
            python_param { module: "python_layers.class_counts" layer: "ClassCounts" } }"""


def test_counts_of_frames_and_of_right_answers_per_class(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET % 'bottom: "scores" bottom: "label"')
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.blobs["scores"].data[...] = np.eye(3)[[0, 1, 1, 2, 2, 0]]
    net.blobs["label"].data[...] = [0, 0, 1, -1, 1, -1]
    assert net.forward()["counts"].tolist() == [[2, 1], [2, 1], [0, 0]]


def test_bottoms_that_are_missing_are_named(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET % 'bottom: "scores"')
    with pytest.raises(ValueError, match="takes scores and label"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
