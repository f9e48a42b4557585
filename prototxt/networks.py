"""The thesis's networks: tables of sizes, and the functions that build their layers with NetSpec.

What the thesis gives: section 4.5.1 and figures 4 and 5 (streams, BatchNorm after pool1 and pool2, no
dropout, an additional fully connected layer, ReLU everywhere) and 5.1.5 (Gaussian weights of deviation 0.01,
biases 0 or 1); the filters are AlexNet's (Krizhevsky et al. 2012). Everything else is listed in OURS.
"""

from __future__ import annotations

import json
from collections import namedtuple

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2

CLASSES = 9

# conv, motion_conv, fc: outputs of each convolution and each fully connected layer before the last.
# size, crop: pixels a side as stored and as the network sees them. train, test: frames a batch.
# average: BatchNorm's moving_average_fraction.
Profile = namedtuple("Profile", "folder size crop conv motion_conv fc average train test")
PROFILES = (
    Profile("", 256, 227, (96, 256, 384, 384, 256), (96, 256, 256), (4096, 4096, 1000), 0.999, 32, 32),
    Profile("mini", 64, 51, (16, 32, 48, 48, 32), (16, 32, 32), (128, 128, 64), 0.95, 64, 64),
)

OURS = {
    "": "size 256 and crop 227, fc8's 1000 outputs, which biases are 0 (the fully connected layers' all) and\n"
    "which 1, learning-rate multipliers, batch sizes",
    "mini": "this is the full-size graph with fewer channels and a smaller input;\n"
    "all its sizes, BatchNorm's moving_average_fraction, which biases are 0 (the fully connected layers' all) and\n"
    "which 1, learning-rate multipliers, batch sizes",
}
OURS_MOTION = "the motion stream's three convolutions and its input of one channel per orientation"


def learned(weights: float = 1, biases: float = 2) -> list[dict]:
    """Caffe's habit: biases learn at twice the rate and do not decay."""
    return [{"lr_mult": weights, "decay_mult": 1}, {"lr_mult": biases, "decay_mult": 0}]


def fillers(bias: int) -> dict:
    return {
        "weight_filler": {"type": "gaussian", "std": 0.01},
        "bias_filler": {"type": "constant", "value": bias},
        "param": learned(),
    }


def convolve(net, name: str, bottom, outputs: int, kernel: int, *, stride=1, pad=0, group=1, bias: int):
    """A convolution with bias and its ReLU in place; numbers that are Caffe's default are left unwritten."""
    optional = {"stride": (stride, 1), "pad": (pad, 0), "group": (group, 1)}
    given = {key: value for key, (value, default) in optional.items() if value != default}
    net[name] = L.Convolution(bottom, num_output=outputs, kernel_size=kernel, **given, **fillers(bias))
    net[name.replace("conv", "relu")] = L.ReLU(net[name], in_place=True)
    return net[name]


def pool(net, name: str, bottom):
    net[name] = L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    return net[name]


def normalise(net, name: str, bottom, profile: Profile):
    """BatchNorm; its three statistics are no weights to learn. Caffe's default fraction is left unwritten."""
    fraction = {} if profile.average == 0.999 else {"moving_average_fraction": profile.average}
    net[name] = L.BatchNorm(bottom, param=[{"lr_mult": 0}] * 3, **fraction)
    return net[name]


def shape_stream(net, bottom, profile: Profile):
    """AlexNet's five convolutions, with its names, so that its weights copy by name."""
    outputs = profile.conv
    top = convolve(net, "conv1", bottom, outputs[0], 11, stride=4, bias=0)
    top = normalise(net, "bn1", pool(net, "pool1", top), profile)
    top = convolve(net, "conv2", top, outputs[1], 5, pad=2, group=2, bias=1)
    top = normalise(net, "bn2", pool(net, "pool2", top), profile)
    top = convolve(net, "conv3", top, outputs[2], 3, pad=1, bias=0)
    top = convolve(net, "conv4", top, outputs[3], 3, pad=1, group=2, bias=1)
    top = convolve(net, "conv5", top, outputs[4], 3, pad=1, group=2, bias=1)
    return pool(net, "pool5", top)


def motion_stream(net, bottom, profile: Profile):
    """The shape stream condensed to three convolutions, on a motion image."""
    outputs = profile.motion_conv
    top = convolve(net, "motion_conv1", bottom, outputs[0], 11, stride=4, bias=0)
    top = normalise(net, "motion_bn1", pool(net, "motion_pool1", top), profile)
    top = convolve(net, "motion_conv2", top, outputs[1], 5, pad=2, group=2, bias=1)
    top = normalise(net, "motion_bn2", pool(net, "motion_pool2", top), profile)
    top = convolve(net, "motion_conv3", top, outputs[2], 3, pad=1, bias=1)
    return pool(net, "motion_pool3", top)


def connect(net, name: str, bottom, outputs: int):
    """A fully connected layer. Its biases are 0: AlexNet's 1 would let all inputs of the next layer be near
    1 at the start, and RMSProp's first steps, of one sign for all inputs of a unit, then switch its ReLU
    off for good."""
    net[name] = L.InnerProduct(bottom, num_output=outputs, **fillers(bias=0))
    return net[name]


def rectified(net, name: str, bottom, outputs: int):
    top = connect(net, name, bottom, outputs)
    net[name.replace("fc", "relu")] = L.ReLU(top, in_place=True)
    return top


def cnn(net, features, profile: Profile):
    """Features to scores by four fully connected layers, named unlike AlexNet's: no copies of those."""
    top = features
    for name, outputs in zip(("fc6_mouse", "fc7_mouse", "fc8_mouse"), profile.fc):
        top = rectified(net, name, top, outputs)
    return connect(net, "fc9", top, CLASSES)


# top: the data layer's blob. build: from that blob to the stream's features, (N, C, H, W).
Stream = namedtuple("Stream", "top channels build")
STREAMS = {"shape": Stream("data", 3, shape_stream), "motion": Stream("motion", 4, motion_stream)}

# head: from the concatenated features to fc9.
Network = namedtuple("Network", "name streams head")
NETWORKS = (
    Network("shape/cnn", ("shape",), cnn),
    Network("motion/cnn", ("motion",), cnn),
    Network("shape_motion/cnn", ("shape", "motion"), cnn),
)


def scores(net, inputs, network: Network, profile: Profile):
    """All layers between the inputs (a blob per stream) and fc9."""
    tops = [STREAMS[stream].build(net, blob, profile) for stream, blob in zip(network.streams, inputs)]
    if len(tops) > 1:
        for stream, top in zip(network.streams, tops):
            net["flatten_" + stream] = L.Flatten(top)
        net.features = L.Concat(*(net["flatten_" + stream] for stream in network.streams))
        tops = [net.features]
    return network.head(net, tops[0], profile)


def data_settings(network: Network, profile: Profile, phase: int) -> str:
    """The Python layer's param_str, with the dataset, its videos and their means left open."""
    training = phase == caffe.TRAIN
    return json.dumps(
        {
            "dataset": "",
            "videos": [],
            "streams": list(network.streams),
            "size": profile.size,
            "crop": profile.crop,
            "sequence_length": 1,
            "batch_size": profile.train if training else profile.test,
            "mean": {stream: [0] * (4 if stream == "motion" else 1) for stream in network.streams},
            "seed": 15485863,
            "shuffle": training,
            "sampling": "uniform",
            "workers": 2 if training else 1,
            "start_batch": 0,
        }
    )


def data_layer(net, network: Network, profile: Profile, phase: int):
    """The layer `data` of one phase; returns a blob per stream and the label's."""
    names = [STREAMS[stream].top for stream in network.streams] + ["label"]
    tops = L.Python(
        ntop=len(names),
        name="data",
        include={"phase": phase},
        python_param={
            "module": "python_layers.frame_sequences",
            "layer": "FrameSequenceData",
            "param_str": data_settings(network, profile, phase),
        },
    )
    for name, top in zip(names, tops):
        net[name] = top
    return tops[:-1], tops[-1]


def train_val(network: Network, profile: Profile) -> caffe_pb2.NetParameter:
    """Data of both phases, the network, its loss, and in TEST the accuracy and the counts per class."""
    training = caffe.NetSpec()
    data_layer(training, network, profile, caffe.TRAIN)
    net = caffe.NetSpec()
    inputs, label = data_layer(net, network, profile, caffe.TEST)
    fc9 = scores(net, inputs, network, profile)
    net.loss = L.SoftmaxWithLoss(fc9, label, loss_param={"ignore_label": -1})
    net.accuracy = L.Accuracy(fc9, label, ignore_label=-1, include={"phase": caffe.TEST})
    net.class_counts = L.Python(
        fc9,
        label,
        include={"phase": caffe.TEST},
        python_param={"module": "python_layers.class_counts", "layer": "ClassCounts"},
    )
    message = training.to_proto()
    message.MergeFrom(net.to_proto())
    message.name = network_name(network, profile)
    return message


def deploy(network: Network, profile: Profile) -> caffe_pb2.NetParameter:
    """An Input layer per stream, the network, and the classes' probabilities."""
    net = caffe.NetSpec()
    for stream in network.streams:
        top, channels = STREAMS[stream].top, STREAMS[stream].channels
        net[top] = L.Input(shape={"dim": [1, channels, profile.crop, profile.crop]})
    inputs = [net[STREAMS[stream].top] for stream in network.streams]
    net.prob = L.Softmax(scores(net, inputs, network, profile))
    message = net.to_proto()
    message.name = network_name(network, profile)
    return message


def network_name(network: Network, profile: Profile) -> str:
    return "/".join(part for part in (profile.folder, network.name) if part)
