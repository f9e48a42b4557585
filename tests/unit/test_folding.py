"""Folding changes what a net costs, and nothing that it says."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

import caffe
from caffe.proto import caffe_pb2
from tools import deploy_nets, folding, network

PROTOTXT = network.NETWORKS
MINI = sorted(path.parent for path in PROTOTXT.glob("mini/**/deploy.prototxt"))
INPUT = 'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } } }'
CONVOLUTION = """layer { name: "conv" type: "Convolution" bottom: "in" top: "conv" convolution_param {
    num_output: 6 kernel_size: 3 pad: 1 MORE weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }"""
PRODUCT = """layer { name: "fc" type: "InnerProduct" bottom: "in" top: "fc" inner_product_param {
    num_output: 6 MORE weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }"""
NORM = 'layer { name: "norm" type: "BatchNorm" bottom: "BOTTOM" top: "TOP" }'
SCALE = """layer { name: "scale" type: "Scale" bottom: "BOTTOM" top: "TOP" scale_param { bias_term: true
    filler { type: "uniform" min: -1 max: 2 } bias_filler { type: "uniform" } MORE } }"""
BIAS = 'layer { name: "bias" type: "Bias" bottom: "BOTTOM" top: "TOP" bias_param { filler { type: "uniform" } } }'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "BOTTOM" top: "TOP" }'
POOL = """layer { name: "pool" type: "Pooling" bottom: "BOTTOM" top: "TOP" pooling_param {
    pool: MAX kernel_size: 3 stride: 2 pad: 1 MORE } }"""


def between(layer, bottom, top, more=""):
    return layer.replace("BOTTOM", bottom).replace("TOP", top).replace("MORE", more)


def randomised(net, random, weight=2.5):
    """Give every BatchNorm running sums as a training leaves them, `weight` of them."""
    for layer in net.layers:
        if layer.type == "BatchNorm":
            mean, variance, count = (blob.data for blob in layer.blobs)
            mean[...] = weight * random.normal(size=mean.shape)
            variance[...] = weight * random.uniform(0.2, 3, variance.shape)
            count[...] = weight


def shown(net, random, equal=()):
    """Fill a net's inputs with numbers that are the same for nets that differ in the channels of `equal` ones."""
    for name in net.inputs:
        data = net.blobs[name].data
        if name == "cont":
            data[...] = 1
        elif name in equal:
            data[...] = random.uniform(-100, 150, (len(data), 1, *data.shape[2:]))
        else:
            data[...] = random.uniform(-100, 150, data.shape)
    net.forward()


def both(path, weights, keep, equal=()):
    """The blobs of the net as it is written and as it is folded, after the same inputs; and the folded net."""
    plain = caffe.Net(str(path), caffe.TEST, weights=str(weights))
    (folded,) = deploy_nets.load(path, weights, 1, keep, equal)
    for net in (plain, folded):
        shown(net, np.random.RandomState(5), equal)
    for blob in {*keep, *plain.outputs}:
        mine, theirs = (np.array(net.blobs[blob].data) for net in (folded, plain))
        assert np.abs(mine - theirs).max() <= 1e-5 * np.abs(theirs).max(), blob
    return folded


def write(tmp_path, text, weight=2.5):
    """A deploy net's file, and its weights' file."""
    path, weights = tmp_path / "deploy.prototxt", tmp_path / "weights.caffemodel"
    path.write_text(text)
    caffe.set_random_seed(7)
    net = caffe.Net(str(path), caffe.TEST)
    randomised(net, np.random.RandomState(3), weight)
    net.save(str(weights))
    return path, weights


def kinds(net):
    return [layer.type for layer in net.layers if layer.type not in ("Input", "Split")]


@pytest.mark.parametrize("folder", [*MINI, PROTOTXT / "motion" / "cnn"], ids=lambda folder: str(folder)[-30:])
def test_every_network_says_the_same(tmp_path, folder):
    path, weights = write(tmp_path, (folder / "deploy.prototxt").read_text())
    written = network.read_net(path)
    keep = {network.probability_blob(written, path), network.feature_blob(written, path)}
    folded = both(path, weights, keep, {"data"} & {layer.top[0] for layer in written.layer})
    types = kinds(folded)
    for at, kind in enumerate(types[:-1]):
        assert not (kind == "ReLU" and types[at + 1] == "Pooling")
    if "data" in folded.blobs:
        assert folded.blobs["data"].data.shape[1] == 1


@pytest.mark.parametrize("weight", [2.5, 0.0])
@pytest.mark.parametrize("more", ["", "group: 2", "bias_term: false", "stride: 2 dilation: 2"])
@pytest.mark.parametrize("inside", [True, False], ids=["in place", "blobs of their own"])
def test_statistics_and_factors_go_into_a_convolution(tmp_path, more, inside, weight):
    tops = ["conv"] * 3 if inside else ["a", "b", "c"]
    layers = [between(NORM, "conv", tops[0]), between(SCALE, tops[0], tops[1]), between(BIAS, tops[1], tops[2])]
    path, weights = write(tmp_path, INPUT + CONVOLUTION.replace("MORE", more) + "".join(layers), weight)
    assert kinds(both(path, weights, set())) == ["Convolution"]


@pytest.mark.parametrize("more", ["", "transpose: true", "bias_term: false"])
def test_statistics_and_factors_go_into_a_product(tmp_path, more):
    text = INPUT + PRODUCT.replace("MORE", more) + between(NORM, "fc", "a") + between(SCALE, "a", "b")
    assert kinds(both(*write(tmp_path, text), set())) == ["InnerProduct"]


def test_a_relu_goes_behind_each_maximum(tmp_path):
    for slope in ("", "relu_param { negative_slope: 0.1 } "):
        relu = between(RELU, "conv", "r").replace("top:", f"{slope}top:")
        second = between(POOL, "p", "q").replace('"pool"', '"again"')
        text = INPUT + CONVOLUTION.replace("MORE", "") + relu + between(POOL, "r", "p") + second
        assert kinds(both(*write(tmp_path, text), set())) == ["Convolution", "Pooling", "Pooling", "ReLU"]


CONV = INPUT + CONVOLUTION.replace("MORE", "")
TWO = CONVOLUTION.replace("MORE", "").replace('"conv"', '"two"')
LEFT_ALONE = {
    "asked for by name": (CONV + between(NORM, "conv", "a"), {"conv"}),
    "read by two": (CONV + between(NORM, "conv", "a") + between(RELU, "conv", "b"), set()),
    "statistics of the batch": (
        CONV + between(NORM, "conv", "a").replace("top:", "batch_norm_param { use_global_stats: false } top:"),
        set(),
    ),
    "factors for each row": (CONV + between(SCALE, "conv", "a", "axis: 2"), set()),
    "factors for each number": (CONV + between(SCALE, "conv", "a", "num_axes: -1"), set()),
    "one factor": (CONV + between(SCALE, "conv", "a", "num_axes: 0"), set()),
    "factors from another blob": (
        CONV + between(POOL, "in", "p").replace("stride: 2", "stride: 1")
        + between(SCALE, "conv", "a", "axis: 0").replace('bottom: "conv"', 'bottom: "conv" bottom: "conv"'),
        set(),
    ),
    "shared weights": (
        CONV.replace('top: "conv"', 'top: "conv" param { name: "w" }')
        + TWO.replace('top: "two"', 'top: "two" param { name: "w" }')
        + between(NORM, "conv", "a"),
        set(),
    ),
    "a convolution of two bottoms": (
        CONV.replace('bottom: "in" top: "conv"', 'bottom: "in" bottom: "in" top: "conv" top: "more"')
        + between(NORM, "conv", "a"),
        set(),
    ),
    "a rule for phases": (CONV + between(NORM, "conv", "a").replace("top:", "include { phase: TEST } top:"), set()),
    "an average behind a ReLU": (
        CONV + between(RELU, "conv", "r") + between(POOL, "r", "p").replace("MAX", "AVE"), set(),
    ),
    "a ReLU that is asked for": (CONV + between(RELU, "conv", "conv") + between(POOL, "conv", "p"), {"conv"}),
    "a maximum with its places": (
        CONV + between(RELU, "conv", "r") + between(POOL, "r", "p").replace('top: "p"', 'top: "p" top: "at"'),
        set(),
    ),
    "a ReLU that turns around": (
        CONV + between(RELU, "conv", "r").replace("top:", "relu_param { negative_slope: -1 } top:")
        + between(POOL, "r", "p"),
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_what_is_left_alone(tmp_path, case):
    text, keep = LEFT_ALONE[case]
    path, weights = write(tmp_path, text)
    folded = both(path, weights, keep)
    assert kinds(folded) == kinds(caffe.Net(str(path), caffe.TEST))
    assert not any("folded" in name for name in folded.layer_dict)


@pytest.mark.parametrize(
    ("change", "keep"),
    [
        (("", ""), {"in"}),
        (("pad: 1", "pad: 1 group: 2"), set()),
        (("Convolution", "Deconvolution"), set()),
        (("dim: 2 dim: 4", "dim: 2 dim: 1"), set()),
    ],
)
def test_equal_channels_that_stay(tmp_path, change, keep):
    path, weights = write(tmp_path, CONV.replace(*change) if change[0] else CONV)
    folded = both(path, weights, keep, {"in"})
    assert folded.blobs["in"].data.shape == caffe.Net(str(path), caffe.TEST).blobs["in"].data.shape


def test_equal_channels_that_several_convolutions_read_become_one(tmp_path):
    path, weights = write(tmp_path, CONV + TWO)
    folded = both(path, weights, set(), {"in"})
    assert folded.blobs["in"].data.shape == (2, 1, 9, 9)
    path, weights = write(tmp_path, CONV + between(POOL, "in", "p"))
    assert both(path, weights, set(), {"in"}).blobs["in"].data.shape == (2, 4, 9, 9)


def test_the_given_net_is_not_changed():
    net = text_format.Parse(CONV + between(NORM, "conv", "a"), caffe_pb2.NetParameter())
    before = net.SerializeToString()
    ones = [np.ones((6, 4, 3, 3), np.float32), np.ones(6, np.float32)]
    folding.fold(net, {"conv": ones, "norm": [np.ones(6, np.float32)] * 2 + [np.ones(1, np.float32)]}, set(), {"in"})
    assert net.SerializeToString() == before
    assert (ones[0] == 1).all()


def test_only_drawn_numbers_are_spared(tmp_path):
    path, weights = write(tmp_path, CONV)
    constant = between(SCALE, "conv", "conv").replace('type: "uniform" min: -1 max: 2', 'type: "constant" value: 3')
    path.write_text(CONV + constant.replace("bias_term: true", "").replace('bias_filler { type: "uniform" }', ""))
    plain = caffe.Net(str(path), caffe.TEST, weights=str(weights))
    (folded,) = deploy_nets.load(path, weights, 1, set())
    for net in (plain, folded):
        shown(net, np.random.RandomState(1))
    np.testing.assert_allclose(folded.blobs["conv"].data, plain.blobs["conv"].data, rtol=1e-5, atol=1e-4)


def test_nets_for_several_threads_share_their_weights(tmp_path):
    path, weights = write(tmp_path, CONV + between(NORM, "conv", "a"))
    one, two = deploy_nets.load(path, weights, 2, set())
    for net in (one, two):
        shown(net, np.random.RandomState(2))
    np.testing.assert_array_equal(one.blobs["a"].data, two.blobs["a"].data)
    (name,) = one.params
    one.params[name][1].data[...] = 9
    assert (two.params[name][1].data == 9).all()
