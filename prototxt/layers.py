"""The layers of the thesis's networks, built with NetSpec: streams, classifier, recurrent part.

`profile` is a row of `networks.PROFILES`, `model` one of `networks.MODELS`. Sizes that the thesis does not give are
listed as ours in networks.py.
"""

from __future__ import annotations

import json

from caffe import layers as L
from caffe import params as P

CLASSES = 9
RECURRENT = "recurrent"  # what `Profile.deviations` calls an LSTM, RNN or GRU


def learned(weights: float = 1, biases: float = 2) -> list[dict]:
    """Caffe's habit: biases learn at twice the rate and do not decay."""
    return [{"lr_mult": weights, "decay_mult": 1}, {"lr_mult": biases, "decay_mult": 0}]


def fillers(deviation: float, bias: int) -> dict:
    return {
        "weight_filler": {"type": "gaussian", "std": deviation},
        "bias_filler": {"type": "constant", "value": bias},
        "param": learned(),
    }


def convolve(net, name: str, bottom, profile, outputs: int, kernel: int, *, stride=1, pad=0, group=1, bias: int):
    """A convolution with bias and its ReLU in place; numbers that are Caffe's default are left unwritten."""
    deviation = profile.deviations[name]
    optional = {"stride": (stride, 1), "pad": (pad, 0), "group": (group, 1)}
    given = {key: value for key, (value, default) in optional.items() if value != default}
    net[name] = L.Convolution(bottom, num_output=outputs, kernel_size=kernel, **given, **fillers(deviation, bias))
    net[name.replace("conv", "relu")] = L.ReLU(net[name], in_place=True)
    return net[name]


def pool(net, name: str, bottom):
    net[name] = L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    return net[name]


def normalise(net, name: str, bottom, profile):
    """BatchNorm; its three statistics are no weights to learn. Caffe's default fraction is left unwritten. In a
    profile without a fraction LRN, with AlexNet's numbers."""
    if profile.average is None:
        name = name.replace("bn", "lrn")
        net[name] = L.LRN(bottom, local_size=5, alpha=0.0001, beta=0.75)
        return net[name]
    fraction = {} if profile.average == 0.999 else {"moving_average_fraction": profile.average}
    net[name] = L.BatchNorm(bottom, param=[{"lr_mult": 0}] * 3, **fraction)
    return net[name]


def shape_stream(net, bottom, profile):
    """AlexNet's five convolutions, with its names, so that its weights copy by name."""
    outputs = profile.conv
    top = convolve(net, "conv1", bottom, profile, outputs[0], 11, stride=4, bias=0)
    top = normalise(net, "bn1", pool(net, "pool1", top), profile)
    top = convolve(net, "conv2", top, profile, outputs[1], 5, pad=2, group=2, bias=1)
    top = normalise(net, "bn2", pool(net, "pool2", top), profile)
    top = convolve(net, "conv3", top, profile, outputs[2], 3, pad=1, bias=0)
    top = convolve(net, "conv4", top, profile, outputs[3], 3, pad=1, group=2, bias=1)
    top = convolve(net, "conv5", top, profile, outputs[4], 3, pad=1, group=2, bias=1)
    return pool(net, "pool5", top)


def motion_stream(net, bottom, profile):
    """The shape stream condensed to three convolutions, on a motion image."""
    outputs = profile.motion_conv
    top = convolve(net, "motion_conv1", bottom, profile, outputs[0], 11, stride=4, bias=0)
    top = normalise(net, "motion_bn1", pool(net, "motion_pool1", top), profile)
    top = convolve(net, "motion_conv2", top, profile, outputs[1], 5, pad=2, group=2, bias=1)
    top = normalise(net, "motion_bn2", pool(net, "motion_pool2", top), profile)
    top = convolve(net, "motion_conv3", top, profile, outputs[2], 3, pad=1, bias=1)
    return pool(net, "motion_pool3", top)


def connect(net, name: str, bottom, profile, outputs: int):
    """A fully connected layer. Its biases are 0: AlexNet's 1 would let all inputs of the next layer be near
    1 at the start, and RMSProp's first steps, of one sign for all inputs of a unit, then switch its ReLU
    off for good."""
    net[name] = L.InnerProduct(bottom, num_output=outputs, **fillers(profile.deviations[name], bias=0))
    return net[name]


def rectified(net, name: str, bottom, profile, outputs: int):
    top = connect(net, name, bottom, profile, outputs)
    net[name.replace("fc", "relu")] = L.ReLU(top, in_place=True)
    return top


def recur(net, kind: str, bottom, profile):
    """A recurrent layer over the batch's sequences: bottom and top are (T·N, …), T by N inside. Its biases are 0."""
    layer = UNITS[kind](net, kind, bottom, profile)
    net[kind.lower()] = layer
    net.frames = L.Reshape(layer, reshape_param={"shape": {"dim": [-1]}, "axis": 0, "num_axes": 2})
    return net.frames


def in_sequences(net, bottom):
    """(T·N, …) as (T, N, …); `networks.with_training_sequences` knows this layer by its name."""
    net.sequences = L.Reshape(bottom, reshape_param={"shape": {"dim": [-1, 1]}, "axis": 0, "num_axes": 1})
    return net.sequences


def weight_filler(profile) -> dict:
    return {"type": "gaussian", "std": profile.deviations[RECURRENT]}


def caffes_own(net, kind: str, bottom, profile):
    """Caffe's LSTM or RNN."""
    biases = {"LSTM": (1,), "RNN": (1, 4)}[kind]
    blobs = {"LSTM": 3, "RNN": 5}[kind]
    return getattr(L, kind)(
        in_sequences(net, bottom),
        net.cont,
        recurrent_param={
            "num_output": profile.units,
            "weight_filler": weight_filler(profile),
            "bias_filler": {"type": "constant", "value": 0},
        },
        param=[learned()[index in biases] for index in range(blobs)],
    )


def gru(net, kind: str, bottom, profile):
    """Gated recurrent units: the input's part by an InnerProduct, the recurrence by a Python layer."""
    net.gru_input = L.InnerProduct(
        bottom, num_output=3 * profile.units, **fillers(profile.deviations[RECURRENT], bias=0)
    )
    settings = {"num_output": profile.units, "weight_filler": weight_filler(profile)}
    return L.Python(
        in_sequences(net, net.gru_input),
        net.cont,
        param=learned()[:1],
        python_param={"module": "python_layers.gru", "layer": "GRU", "param_str": json.dumps(settings)},
    )


UNITS = {"LSTM": caffes_own, "RNN": caffes_own, "GRU": gru}


def join(net, top, position):
    """Features and the position beside them, if there is one."""
    if position is None:
        return top
    net.with_position = L.Concat(top, position)
    return net.with_position


def classify(net, features, position, model, profile, first="fc6_mouse"):
    """Features to scores, by layers named unlike AlexNet's: no copies of those."""
    top = features
    for name, outputs in zip((first, "fc7_mouse"), profile.fc):
        top = rectified(net, name, top, profile, outputs)
        if model.lrn:
            net[name.replace("fc", "drop")] = L.Dropout(top, in_place=True, dropout_ratio=0.5)
    if model.before:
        top, position = join(net, top, position), None
    if model.kind:
        top = recur(net, model.kind, top, profile)
    else:
        top = rectified(net, "fc8_mouse", top, profile, profile.fc[2])
    return connect(net, "fc9", join(net, top, position), profile, CLASSES)
