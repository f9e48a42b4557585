"""The thesis's networks: tables of sizes and of networks, and the nets from them.

What the thesis gives: section 4.5.1 and figures 4 to 6 (streams, BatchNorm after pool1 and pool2, no
dropout, an additional fully connected layer, ReLU everywhere; position features beside the last layers, an LSTM
in fc8's place), 5.2.4 (sequences of two frames, position before or after the LSTM) and 5.1.5 (Gaussian weights of
deviation 0.01, biases 0 or 1); the filters are AlexNet's (Krizhevsky et al. 2012). Everything else is listed in
OURS and its neighbours.
"""

from __future__ import annotations

import json
import math
from collections import namedtuple

import caffe
from caffe import layers as L
from caffe.proto import caffe_pb2
from prototxt.layers import RECURRENT, classify, motion_stream, shape_stream

# conv, motion_conv, fc: outputs of each convolution and each fully connected layer before the last.
# units: of the recurrent layer. size, crop: pixels a side as stored and as the network sees them. train, test: frames a
# batch. carry: batches over which the sequences of a recurrent network run on. average: BatchNorm's
# moving_average_fraction. pooled: pixels that the last pooling leaves. deviations: of the initial weights, by layer.
Profile = namedtuple("Profile", "folder size crop conv motion_conv fc units average train test carry pooled deviations")
FULL = Profile(
    "", 256, 227, (96, 256, 384, 384, 256), (96, 256, 256), (4096, 4096, 1000), 256, 0.999, 32, 32, 5, 36, {}
)
MINI = Profile("mini", 64, 51, (16, 32, 48, 48, 32), (16, 32, 32), (128, 128, 64), 64, 0.95, 64, 64, 5, 1, {})
STEPS = 2  # frames in a training sequence of a recurrent network
POSITIONS = 10  # features of data_prep.position
FEATURES = 310  # of the current system: those and 300 of its templates
THESIS_DEVIATION = 0.01  # section 5.1.5


def fan_in(profile: Profile) -> dict[str, int]:
    """Inputs of a unit of each layer with weights (of fc6 per stream, of fc9 without position)."""
    conv, motion = profile.conv, profile.motion_conv
    return {
        "conv1": 3 * 11 * 11,
        "conv2": conv[0] // 2 * 5 * 5,
        "conv3": conv[1] * 3 * 3,
        "conv4": conv[2] // 2 * 3 * 3,
        "conv5": conv[3] // 2 * 3 * 3,
        "motion_conv1": 4 * 11 * 11,
        "motion_conv2": motion[0] // 2 * 5 * 5,
        "motion_conv3": motion[1] * 3 * 3,
        "fc6_mouse": conv[4] * profile.pooled,
        "fc6_features": FEATURES,
        "fc7_mouse": profile.fc[0],
        "fc8_mouse": profile.fc[1],
        "fc9": profile.fc[2],
        RECURRENT: profile.fc[1],
    }


def with_deviations(profile: Profile) -> Profile:
    """The profile with the thesis's deviation times sqrt(inputs of the full-size layer / its own inputs), so that
    signals shrink from layer to layer as they do at full size. With 0.01 everywhere they all but vanish in a small
    network: RMSProp's first steps are then many times its weights, and kill its units."""
    inputs = fan_in(profile)
    scale = {name: math.sqrt(there / inputs[name]) for name, there in fan_in(FULL).items()}
    return profile._replace(deviations={name: float(f"{THESIS_DEVIATION * by:.3g}") for name, by in scale.items()})


PROFILES = (with_deviations(FULL), with_deviations(MINI))

OURS = {
    "": "size 256 and crop 227, fc8's 1000 outputs, which biases are 0 (the fully connected layers' all) and\n"
    "which 1, learning-rate multipliers, batch sizes",
    "mini": "this is the full-size graph with fewer channels and a smaller input;\n"
    "all its sizes, the initial weights' deviations, larger as the layers have fewer inputs (networks.py),\n"
    "BatchNorm's moving_average_fraction, which biases are 0 (the fully connected layers' all) and\n"
    "which 1, learning-rate multipliers, batch sizes",
}
OURS_MOTION = "the motion stream's three convolutions and its input of one channel per orientation"
OURS_POSITION = "which ten position features (data_prep/position.py), standardised by the training videos"
OURS_RECURRENT = (
    "256 units (mini: 64) in fc8's place, their fillers and multipliers; for five batches a sequence goes on where\n"
    "that of the batch before left off (sampling running); in validation and prediction one runs through the\n"
    "whole video"
)
OURS_GRU = "the GRU's equations, those of Cho et al. 2014 (python_layers/gru.py): Caffe has none"
OURS_FEATURES = {
    "": "that fc6 and fc7 have 4096 outputs as in\nthe other networks, that all biases are 0, batch sizes",
    "mini": "all sizes, and deviations that are larger\nas a layer has fewer inputs than at full size; that all biases "
    "are 0, batch sizes",
}
OURS_LRN = "LRN where BatchNorm is, with AlexNet's numbers"


# top: the data layer's blob. build: from that blob to the stream's features, (N, C, H, W); None for a position.
Stream = namedtuple("Stream", "top channels build")
STREAMS = {
    "shape": Stream("data", 3, shape_stream),
    "motion": Stream("motion", 4, motion_stream),
    "position": Stream("position", POSITIONS, None),
    "features": Stream("features", FEATURES, None),
}

# kind: what stands in fc8's place, LSTM, RNN or GRU. before: whether the position comes before it. lrn: AlexNet's
# normalisation and dropout instead of BatchNorm, for figure 7.
Model = namedtuple("Model", "name kind before lrn")
CNN, CNN_LRN = Model("cnn", None, False, False), Model("cnn_lrn", None, False, True)
LSTM_AFTER, LSTM_BEFORE = Model("lstm_after", "LSTM", False, False), Model("lstm_before", "LSTM", True, False)
# Section 6 proposes both: fewer weights than an LSTM's.
LSTM_ALONE = Model("lstm", "LSTM", False, False)  # of the current system's features, which hold the position
RNN_AFTER, GRU_AFTER = Model("rnn_after", "RNN", False, False), Model("gru_after", "GRU", False, False)

# Table 5.3's rows and columns; motion_position/lstm_before, shape/cnn_lrn, the RNN and the GRU are extras.
MODELS = {
    "shape": (CNN, CNN_LRN, LSTM_AFTER),
    "motion": (CNN, LSTM_AFTER),
    "motion_position": (CNN, LSTM_AFTER, LSTM_BEFORE),
    "shape_motion": (CNN, LSTM_AFTER, RNN_AFTER, GRU_AFTER),
    "shape_position": (CNN, LSTM_AFTER, LSTM_BEFORE),
    "shape_motion_position": (CNN, LSTM_AFTER, LSTM_BEFORE),
}
STREAMS_OF = {features: tuple(features.split("_")) for features in MODELS}
# Appendix 8.1: "two fully connected layers, an LSTM layer, and a final fully connected layer" on the vectors of the
# current system (section 6).
MODELS["current_system"], STREAMS_OF["current_system"] = (LSTM_ALONE,), ("features",)
Network = namedtuple("Network", "name streams model")
NETWORKS = tuple(
    Network(f"{features}/{model.name}", STREAMS_OF[features], model)
    for features, models in MODELS.items()
    for model in models
)


def scores(net, network: Network, profile: Profile):
    """All layers between the inputs (the blobs of the streams, and cont) and fc9."""
    if network.streams == ("features",):
        return classify(net, net.features, None, network.model, profile, "fc6_features")
    profile = profile._replace(average=None) if network.model.lrn else profile
    pictures = [stream for stream in network.streams if STREAMS[stream].build]
    tops = [STREAMS[stream].build(net, net[STREAMS[stream].top], profile) for stream in pictures]
    if len(tops) > 1:
        for stream, top in zip(pictures, tops):
            net["flatten_" + stream] = L.Flatten(top)
        net.features = L.Concat(*(net["flatten_" + stream] for stream in pictures))
        tops = [net.features]
    position = net.position if "position" in network.streams else None
    return classify(net, tops[0], position, network.model, profile)


def with_training_sequences(message: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """The net with the layer `sequences` twice: STEPS frames in TRAIN, else one sequence as long as the batch."""
    out = caffe_pb2.NetParameter(name=message.name)
    for layer in message.layer:
        if layer.name == "sequences":
            training = out.layer.add()
            training.CopyFrom(layer)
            training.include.add(phase=caffe.TRAIN)
            training.reshape_param.shape.dim[:] = [STEPS, -1]
            layer.include.add(phase=caffe.TEST)
        out.layer.add().CopyFrom(layer)
    return out


def data_settings(network: Network, profile: Profile, phase: int) -> str:
    """The Python layer's param_str, with the dataset, its videos and their means left open."""
    training = phase == caffe.TRAIN
    frames = profile.train if training else profile.test
    steps = 1 if not network.model.kind else STEPS if training else frames
    values = {"motion": 4, "position": POSITIONS, "features": 0}  # features' are left open: that many are no help
    pictures = any(STREAMS[stream].build for stream in network.streams)
    settings = {
        "dataset": "",
        "videos": [],
        "streams": list(network.streams),
        **({"size": profile.size, "crop": profile.crop} if pictures else {}),
        "sequence_length": steps,
        "batch_size": frames // steps,
        "mean": {stream: [0] * values.get(stream, 1) for stream in network.streams},
        "seed": 15485863,
        "shuffle": training,
        "sampling": "uniform",
        "workers": 2 if training else 1,
        "start_batch": 0,
    }
    if network.model.kind and training:
        settings.update(sampling="running", carry=profile.carry)
    numbers = {stream: [1] * values[stream] for stream in network.streams if not STREAMS[stream].build}
    if numbers:
        settings["deviation"] = numbers
    return json.dumps(settings)


def data_layer(net, network: Network, profile: Profile, phase: int) -> None:
    """The layer `data` of one phase: a blob per stream, the label's, and cont for a recurrent network."""
    names = [STREAMS[stream].top for stream in network.streams] + ["label"] + ["cont"] * bool(network.model.kind)
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


def train_val(network: Network, profile: Profile) -> caffe_pb2.NetParameter:
    """Data of both phases, the network, its loss, and in TEST the accuracy and the counts per class."""
    training = caffe.NetSpec()
    data_layer(training, network, profile, caffe.TRAIN)
    net = caffe.NetSpec()
    data_layer(net, network, profile, caffe.TEST)
    fc9 = scores(net, network, profile)
    net.loss = L.SoftmaxWithLoss(fc9, net.label, loss_param={"ignore_label": -1})
    net.accuracy = L.Accuracy(fc9, net.label, ignore_label=-1, include={"phase": caffe.TEST})
    net.class_counts = L.Python(
        fc9,
        net.label,
        include={"phase": caffe.TEST},
        python_param={"module": "python_layers.class_counts", "layer": "ClassCounts"},
    )
    message = training.to_proto()
    message.MergeFrom(net.to_proto())
    message.name = network_name(network, profile)
    return with_training_sequences(message)


def deploy(network: Network, profile: Profile) -> caffe_pb2.NetParameter:
    """An Input layer per stream, the network, and the classes' probabilities. A recurrent network takes a batch of
    one sequence, and cont for it."""
    net = caffe.NetSpec()
    frames = profile.test if network.model.kind else 1
    for stream in network.streams:
        top, channels = STREAMS[stream].top, STREAMS[stream].channels
        picture = [profile.crop, profile.crop] if STREAMS[stream].build else []
        net[top] = L.Input(shape={"dim": [frames, channels, *picture]})
    if network.model.kind:
        net.cont = L.Input(shape={"dim": [frames, 1]})
    net.prob = L.Softmax(scores(net, network, profile))
    message = net.to_proto()
    message.name = network_name(network, profile)
    return message


def network_name(network: Network, profile: Profile) -> str:
    return "/".join(part for part in (profile.folder, network.name) if part)
