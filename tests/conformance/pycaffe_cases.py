"""What pycaffe's Python modules compute: classifier, detector, coord_map and draw, the same in both engines.

Runs in both (Python 3.9, numpy 1.19). Weights and images come from seeds. Images are given by name in place of files,
and drawings go to a record in place of pydot, so that neither image readers nor Graphviz take part.
"""

import json
import os
import sys
import types

import numpy as np

NET = """
name: "small"
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 4 dim: {channels} dim: {h} dim: {w} }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 stride: 2 }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param {{ num_output: 5 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "ip" top: "prob" }}
"""


class Image(np.ndarray):
    """An image that takes whole floats as indices: pycaffe's detector has them, as old numpy took them."""

    def __getitem__(self, key):
        if isinstance(key, tuple):
            key = tuple(slice(*(None if at is None else int(at) for at in (part.start, part.stop, part.step)))
                        if isinstance(part, slice) else part for part in key)
        return np.ndarray.__getitem__(self, key)


def image(seed, height, width, channels):
    """Noise on a slope in [0, 1], the same from every version of numpy."""
    noise = np.random.RandomState(seed).rand(height, width, channels)
    return (noise * np.linspace(0.3, 1, width)[:, np.newaxis]).astype(np.float32)


def write_model(caffe, folder, channels, h, w):
    """(prototxt, caffemodel) of NET with weights from a seed."""
    prototxt, weights = os.path.join(str(folder), "small.prototxt"), os.path.join(str(folder), "small.caffemodel")
    with open(prototxt, "w") as out:
        out.write(NET.format(channels=channels, h=h, w=w))
    net = caffe.Net(prototxt, caffe.TEST)
    random = np.random.RandomState(9)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = random.randn(*blob.data.shape) * 0.3
    net.save(weights)
    return prototxt, weights


MEAN_IMAGE = (100 * image(1, 12, 14, 3)).transpose(2, 0, 1)
CHANNELS = np.array([0.1, 0.2, 0.3])
# channels, height and width of the net's input; the classifier's arguments; images' sizes; oversample
CLASSIFIERS = {
    "plain": ((3, 8, 8), {}, [(8, 8), (11, 9), (20, 30)], False),
    "plain oversampled": ((3, 8, 8), {}, [(8, 8), (11, 9)], True),
    "larger": ((3, 8, 8), {"image_dims": [12, 13]}, [(15, 11), (12, 13), (6, 6), (9, 9), (7, 12)], True),
    "larger centre": ((3, 8, 8), {"image_dims": [12, 13]}, [(15, 11), (12, 13), (6, 6)], False),
    "odd": ((3, 7, 8), {"image_dims": (10, 13)}, [(15, 11), (12, 13)], False),
    "one channel": ((1, 8, 8), {"image_dims": (10, 10), "raw_scale": 255.0, "input_scale": 0.01}, [(15, 11)], True),
    "as BVLC's": ((3, 8, 8), {"image_dims": (10, 12), "mean": MEAN_IMAGE, "raw_scale": 255.0, "input_scale": 0.02,
                              "channel_swap": (2, 1, 0)}, [(15, 11), (8, 8)], True),
    "mean of channels": ((3, 8, 8), {"mean": CHANNELS, "channel_swap": [1, 2, 0]}, [(15, 11)], False),
}

WINDOWS = [[(3, 4, 17, 20), (0, 0, 30, 40), (0, 0, 5, 6), (20, 30, 30, 40), (12, 1, 15, 39)], [(2, 2, 9, 9)]]
SWAPPED = {"mean": 255 * CHANNELS, "raw_scale": 255.0, "input_scale": 0.02, "channel_swap": [2, 0, 1]}
DETECTORS = {
    "no context": {},
    "no context swapped": SWAPPED,
    "context": {"context_pad": 1},
    "context wide": {"context_pad": 3, "mean": CHANNELS},
    "context swapped": {"context_pad": 2, **SWAPPED},
    "context mean image": {"context_pad": 2, "mean": MEAN_IMAGE, "raw_scale": 255.0, "input_scale": 0.02},
}


def classify(caffe, folder, case):
    """The class probabilities of a row of CLASSIFIERS."""
    (channels, h, w), settings, sizes, oversample = CLASSIFIERS[case]
    made = caffe.Classifier(*write_model(caffe, folder, channels, h, w), **settings)
    return made.predict([image(i, *size, channels) for i, size in enumerate(sizes)], oversample)


def detect(caffe, folder, case):
    """The predictions for WINDOWS under a row of DETECTORS."""
    detector = caffe.Detector(*write_model(caffe, folder, 3, 8, 8), **DETECTORS[case])
    images = {"large.png": image(3, 30, 40, 3), "small.png": image(4, 12, 10, 3)}
    load_image, caffe.io.load_image = caffe.io.load_image, lambda name: images[name].view(Image)
    try:
        found = detector.detect_windows([(name, np.array(windows)) for name, windows in zip(images, WINDOWS)])
    finally:
        caffe.io.load_image = load_image
    assert [row["filename"] for row in found] == ["large.png"] * 5 + ["small.png"]
    assert [tuple(row["window"]) for row in found] == WINDOWS[0] + WINDOWS[1]
    return np.array([row["prediction"] for row in found])


def _tops(caffe):
    """Pairs of tops by name: from, to."""
    L = caffe.layers
    data = L.Input(shape=dict(dim=[1, 3, 60, 60]))
    conv = L.Convolution(data, num_output=4, kernel_size=5, stride=2, pad=3)
    wide = L.Convolution(data, convolution_param=dict(num_output=4, kernel_size=[3, 7], stride=[1, 2], pad=[0, 3],
                                                      dilation=2))
    pool = L.Pooling(L.BatchNorm(L.ReLU(conv)), kernel_size=3, stride=2)
    up = L.Deconvolution(pool, convolution_param=dict(num_output=4, kernel_size=8, stride=4, pad=1))
    shifted = L.Crop(up, data, crop_param=dict(axis=2, offset=[3, 5]))
    deep = L.Convolution(data, num_output=4, kernel_size=[3, 3, 3], pad=[0, 1, 2], axis=2)
    return {
        "conv": (conv, data), "back": (data, conv), "wide": (wide, data), "pool": (pool, data), "up": (up, data),
        "beside": (up, conv), "two branches": (wide, up), "crop": (shifted, data), "crop of crop": (
            L.Crop(shifted, data, offset=2), up), "sum": (L.Eltwise(up, L.Dropout(up)), data), "deep": (deep, data),
        "im2col": (L.Im2col(data, kernel_size=3, stride=3), data), "itself": (L.ReLU(data), data),
    }


def coordinates(caffe):
    """{name: axis (-1 for none), then the scales, then the shifts} of every pair; crops' axis and offset."""
    from caffe.coord_map import coord_map_from_to, crop

    found = {}
    for name, (top_from, top_to) in _tops(caffe).items():
        axis, scale, shift = coord_map_from_to(top_from, top_to)
        found["map " + name] = np.hstack([-1 if axis is None else axis, scale, shift]).astype(float)
    L = caffe.layers
    data = L.Input(shape=dict(dim=[1, 3, 60, 60]))
    for name, kernel, stride, pad in (("same", 4, 2, 0), ("offset", 8, 4, 1), ("rectangular", [4, 8], [2, 4], [0, 1])):
        score = L.Pooling(L.Convolution(data, num_output=1, kernel_size=3, pad=20), kernel_size=stride, stride=stride)
        top = crop(L.Deconvolution(score, kernel_size=kernel, stride=stride, pad=pad), data)
        param = top.fn.params["crop_param"]
        found["crop " + name] = np.array([param["axis"], *param["offset"]], float)
    return found


DRAWN = """
name: "to draw"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 32 }
  include { phase: TRAIN } }
layer { name: "other" type: "Input" top: "data" exclude { phase: TRAIN } }
layer { name: "conv/1" type: "Convolution" bottom: "data" top: "conv/1" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 20 kernel_size: 5 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv/1" top: "conv/1" }
layer { name: "pool" type: "Pooling" bottom: "conv/1" top: "pool" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "max" type: "Pooling" bottom: "conv/1" top: "max" pooling_param { global_pooling: true } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up" param { lr_mult: 0 } param { lr_mult: 0 }
  convolution_param { num_output: 7 } }
layer { name: "ip" type: "InnerProduct" bottom: "up" top: "ip" param { lr_mult: 0.5 }
  inner_product_param { num_output: 10 } }
layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "max" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" include { phase: TRAIN } }
layer { name: "quiet" type: "Silence" bottom: "up" }
"""
DRAWINGS = [("LR", True, None, False), ("TB", True, 0, True), ("BT", False, 1, True), ("RL", True, 1, False)]


class _Recorded:
    def __init__(self, *arguments, **settings):
        self.said = [[getattr(a, "said", a) for a in arguments], dict(sorted(settings.items()))]
        self.parts = []

    def add_node(self, part):
        self.parts.append(part.said)

    add_edge = add_node


def record_drawings():
    """Let a record take the place of pydot. Once, before caffe.draw is used."""
    sys.modules["pydotplus"] = types.SimpleNamespace(Dot=_Recorded, Node=_Recorded, Edge=_Recorded)


def drawings(caffe):
    """What is drawn for DRAWN, with a name and without, as text, for each of DRAWINGS."""
    from google.protobuf import text_format

    import caffe.draw

    found = {}
    for text in (DRAWN, DRAWN.split("\n", 2)[2]):
        net = text_format.Merge(text, caffe.proto.caffe_pb2.NetParameter())
        for rankdir, label_edges, phase, rates in DRAWINGS:
            graph = caffe.draw.get_pydot_graph(net, rankdir, label_edges, phase, rates)
            name = f"draw {net.name} {rankdir} phase {phase}"
            found[name] = np.array(json.dumps([graph.said, *graph.parts]))
    return found
