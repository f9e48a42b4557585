"""Settings at their borders: does real Caffe take them? In the engine and in real Caffe 1.0 (Python 3.9) alike.

Each case is a net of one layer; real Caffe aborts where it refuses, the engine raises a CaffeError.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

GOLDEN = Path(__file__).resolve().parent / "golden" / "refusals.txt"


class Refusal(NamedTuple):
    """A layer of a type, its inputs {name: shape}, names of tops, its body; the inputs that a layer with parameters
    makes, so that their gradient is asked for; whether force_backward is set."""

    kind: str
    inputs: dict
    tops: str = "y"
    body: str = ""
    learnt: str = ""
    force: bool = False


V, M, I4 = {"x": (3,)}, {"x": (2, 3)}, {"x": (2, 4, 5, 6)}
D5 = {"x": (2, 2, 3, 4, 3)}
LABELLED = {"x": (2, 3), "l": (2,)}
PAIR = {"x": (2, 3), "z": (2, 3)}
LOSS = "loss_weight: 1 "
SEQUENCE = {"x": (3, 2, 4), "c": (3, 2)}
UNIT = {"c": (1, 2, 3), "g": (1, 2, 12), "k": (1, 2)}
H = {**LABELLED, "h": (3, 3)}


def conv(body: str) -> str:
    return f"convolution_param {{ {body} }}"


def pool(body: str) -> str:
    return f"pooling_param {{ {body} }}"


# what is asked of each type: where its bottoms' gradient is wanted, with force_backward, in place, with other axes
CASES = {
    "absval in place": Refusal("AbsVal", M, "x"),
    "accuracy learnt": Refusal("Accuracy", LABELLED, "y", LOSS, "x"),
    "accuracy learnt without weight": Refusal("Accuracy", LABELLED, "y", "", "x"),
    "accuracy force": Refusal("Accuracy", LABELLED, "y", "", "", True),
    "accuracy top_k": Refusal("Accuracy", LABELLED, "y", "accuracy_param { top_k: 4 }"),
    "accuracy labels": Refusal("Accuracy", {"x": (2, 3, 4), "l": (2,)}),
    "accuracy labels of 4 axes": Refusal("Accuracy", {"x": (2, 3), "l": (2, 1, 1, 1)}),
    "accuracy per class": Refusal("Accuracy", LABELLED, "y w"),
    "accuracy three tops": Refusal("Accuracy", LABELLED, "y w v"),
    "argmax learnt": Refusal("ArgMax", M, "y", LOSS, "x"),
    "argmax force": Refusal("ArgMax", M, "y", "", "", True),
    "argmax of a vector": Refusal("ArgMax", V),
    "argmax of 5 axes": Refusal("ArgMax", D5),
    "argmax axis": Refusal("ArgMax", M, "y", "argmax_param { axis: 2 }"),
    "argmax top_k": Refusal("ArgMax", M, "y", "argmax_param { top_k: 4 }"),
    "argmax top_k of 0": Refusal("ArgMax", M, "y", "argmax_param { top_k: 0 }"),
    "argmax top_k of axis": Refusal("ArgMax", M, "y", "argmax_param { top_k: 3 axis: 0 }"),
    "batchnorm of a vector": Refusal("BatchNorm", V),
    "batchnorm of 2 axes": Refusal("BatchNorm", M),
    "batchnorm of 5 axes": Refusal("BatchNorm", D5, "y", "", "", True),
    "batchnorm in place": Refusal("BatchNorm", I4, "x", "", "", True),
    "batchnorm learnt": Refusal("BatchNorm", I4, "y", "param { lr_mult: 1 }"),
    "batchnorm 1 param": Refusal("BatchNorm", I4, "y", "param { lr_mult: 0 }"),
    "batchnorm 4 params": Refusal("BatchNorm", I4, "y", "param { lr_mult: 0 } param { lr_mult: 0 } "
                                  "param { lr_mult: 0 } param { lr_mult: 0 }"),
    "reindex learnt": Refusal("BatchReindex", {"x": (4, 3), "i": (2,)}, "y", LOSS, "x"),
    "reindex learnt index": Refusal("BatchReindex", {"x": (4, 3), "i": (2,)}, "y", LOSS, "i"),
    "reindex force": Refusal("BatchReindex", {"x": (4, 3), "i": (2,)}, "y", "", "", True),
    "reindex of 2 axes": Refusal("BatchReindex", {"x": (4, 3), "i": (2, 1)}),
    "bias of all axes": Refusal("Bias", I4, "y", "bias_param { num_axes: -1 }"),
    "bias of none": Refusal("Bias", I4, "y", "bias_param { num_axes: 0 }"),
    "bias beyond": Refusal("Bias", I4, "y", "bias_param { axis: 2 num_axes: 3 }"),
    "bias negative": Refusal("Bias", I4, "y", "bias_param { num_axes: -2 }"),
    "bias bottom": Refusal("Bias", {"x": (2, 3, 4), "b": (3,)}, "x", "", "", True),
    "bias bottom of 0 axes": Refusal("Bias", {"x": (2, 3), "b": ()}),
    "bias bottom unlike": Refusal("Bias", {"x": (2, 3, 4), "b": (4,)}),
    "bias axis of a vector": Refusal("Bias", V, "y"),
    "bnll in place": Refusal("BNLL", M, "x"),
    "clip without limits": Refusal("Clip", M, "y", "clip_param { min: 1 }"),
    "clip turned": Refusal("Clip", M, "y", "clip_param { min: 1 max: 0 }"),
    "concat one": Refusal("Concat", M, "y", "", "", True),
    "concat in place": Refusal("Concat", PAIR, "x"),
    "concat of vectors": Refusal("Concat", {"x": (3,), "z": (4,)}, "y", "concat_param { axis: 0 }"),
    "concat of other axes": Refusal("Concat", {"x": (3, 2), "z": (3,)}, "y"),
    "concat axis": Refusal("Concat", PAIR, "y", "concat_param { axis: -3 }"),
    "concat negative": Refusal("Concat", PAIR, "y", "concat_param { axis: -1 }"),
    "concat dim": Refusal("Concat", PAIR, "y", "concat_param { concat_dim: 1 }"),
    "concat both": Refusal("Concat", PAIR, "y", "concat_param { concat_dim: 1 axis: 1 }"),
    "contrastive": Refusal("ContrastiveLoss", {**PAIR, "s": (2,)}, "y", "", "", True),
    "contrastive learnt": Refusal("ContrastiveLoss", {**PAIR, "s": (2,)}, "y", "", "x z s"),
    "contrastive of 4 axes": Refusal("ContrastiveLoss", {"x": (2, 3, 1, 1), "z": (2, 3), "s": (2, 1)}),
    "contrastive of maps": Refusal("ContrastiveLoss", {"x": (2, 3, 2, 1), "z": (2, 3, 2, 1), "s": (2,)}),
    "contrastive unlike": Refusal("ContrastiveLoss", {"x": (2, 3), "z": (2, 4), "s": (2,)}),
    "contrastive labels": Refusal("ContrastiveLoss", {**PAIR, "s": (2, 2)}),
    "conv in place": Refusal("Convolution", I4, "x", conv("num_output: 4 kernel_size: 1")),
    "conv without kernel": Refusal("Convolution", I4, "y", conv("num_output: 4")),
    "conv kernels": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 kernel_size: 1 kernel_size: 1")),
    "conv kernel_h": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_h: 1")),
    "conv kernel twice": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 kernel_h: 1 kernel_w: 1")),
    "conv kernel_h of 3 sides": Refusal("Convolution", D5, "y", conv("num_output: 4 kernel_h: 1 kernel_w: 1")),
    "conv pad_h": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 pad_h: 1")),
    "conv stride_h": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 stride_h: 1")),
    "conv strides": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 stride: 0")),
    "conv dilation": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 dilation: 0")),
    "conv dilations": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 dilation: 1 dilation: 2")),
    "conv group": Refusal("Convolution", I4, "y", conv("num_output: 4 kernel_size: 1 group: 3")),
    "conv group of outputs": Refusal("Convolution", I4, "y", conv("num_output: 3 kernel_size: 1 group: 2")),
    "conv without outputs": Refusal("Convolution", I4, "y", conv("kernel_size: 1")),
    "conv axis": Refusal("Convolution", I4, "y", conv("num_output: 2 kernel_size: 1 axis: 4")),
    "conv last axis": Refusal("Convolution", I4, "y", conv("num_output: 2 kernel_size: 1 axis: 3")),
    "conv of a vector": Refusal("Convolution", V, "y", conv("num_output: 2 kernel_size: 1 axis: 0")),
    "conv bottoms": Refusal("Convolution", {"x": (2, 4, 5, 6), "z": (2, 4, 5, 6)}, "y",
                            conv("num_output: 2 kernel_size: 1")),
    "conv params": Refusal("Convolution", I4, "y",
                           "param { } param { } param { } " + conv("num_output: 2 kernel_size: 1")),
    "conv bilinear": Refusal("Convolution", I4, "y",
                             conv("num_output: 4 kernel_size: 3 weight_filler { type: 'bilinear' }")),
    "conv bilinear of 3 sides": Refusal("Convolution", D5, "y", conv("num_output: 4 kernel_size: 1 "
                                                                    "weight_filler { type: 'bilinear' }")),
    "deconv of 4 sides": Refusal("Deconvolution", {"x": (1, 2, 2, 2, 2, 2)}, "y",
                                 conv("num_output: 2 kernel_size: 2"), "", True),
    "crop": Refusal("Crop", {"x": (2, 3, 4, 5), "z": (2, 3, 2, 2)}, "y",
                    "crop_param { axis: 2 offset: 2 offset: 3 }", "", True),
    "crop beyond": Refusal("Crop", {"x": (2, 3, 4, 5), "z": (2, 3, 2, 2)}, "y", "crop_param { offset: 3 }"),
    "crop offsets": Refusal("Crop", {"x": (2, 3, 4, 5), "z": (2, 3, 2, 2)}, "y",
                            "crop_param { offset: 1 offset: 1 offset: 1 }"),
    "crop fewer axes": Refusal("Crop", {"x": (2, 3, 4), "z": (2, 3)}, "y", "crop_param { axis: 1 }"),
    "crop more axes": Refusal("Crop", {"x": (2, 3), "z": (2, 2, 3)}, "y", "crop_param { axis: 1 }"),
    "crop axis": Refusal("Crop", {"x": (2, 3), "z": (2, 3)}, "y"),
    "crop negative": Refusal("Crop", {"x": (2, 3), "z": (2, 3)}, "y", "crop_param { axis: -1 }"),
    "dropout of 1": Refusal("Dropout", M, "x", "dropout_param { dropout_ratio: 0.9 }", "", True),
    "elu in place": Refusal("ELU", M, "x", "", "", True),
    "eltwise one": Refusal("Eltwise", M),
    "eltwise coefficients": Refusal("Eltwise", PAIR, "y", "eltwise_param { coeff: 1 }"),
    "eltwise product": Refusal("Eltwise", PAIR, "y", "eltwise_param { operation: PROD coeff: 1 coeff: 2 }"),
    "eltwise maximum": Refusal("Eltwise", PAIR, "y", "eltwise_param { operation: MAX coeff: 1 coeff: 2 }"),
    "eltwise unlike": Refusal("Eltwise", {"x": (2, 3), "z": (3, 2)}),
    "eltwise in place": Refusal("Eltwise", PAIR, "x", "eltwise_param { operation: PROD }", "", True),
    "embed learnt": Refusal("Embed", M, "y", LOSS + "embed_param { num_output: 2 input_dim: 4 }", "x"),
    "embed force": Refusal("Embed", M, "y", "embed_param { num_output: 2 input_dim: 4 }", "", True),
    "embed without input_dim": Refusal("Embed", M, "y", "embed_param { num_output: 2 }"),
    "embed without num_output": Refusal("Embed", M, "y", "embed_param { input_dim: 2 }"),
    "euclidean": Refusal("EuclideanLoss", PAIR, "y", "", "x z", True),
    "euclidean shapes": Refusal("EuclideanLoss", {"x": (2, 6), "z": (2, 3, 2)}),
    "euclidean counts": Refusal("EuclideanLoss", {"x": (2, 6), "z": (2, 3)}),
    "euclidean weights": Refusal("EuclideanLoss", PAIR, "y", "loss_weight: 1 loss_weight: 2"),
    "euclidean tops": Refusal("EuclideanLoss", PAIR, "y w", "loss_weight: 1 loss_weight: 2"),
    "euclidean without top": Refusal("EuclideanLoss", PAIR, ""),
    "exp base": Refusal("Exp", M, "y", "exp_param { base: 0 }"),
    "exp negative base": Refusal("Exp", M, "y", "exp_param { base: -2 }"),
    "exp base 1": Refusal("Exp", M, "y", "exp_param { base: 1 }"),
    "filter learnt": Refusal("Filter", {"x": (2, 3), "s": (2,)}, "y", LOSS, "s"),
    "filter force": Refusal("Filter", {"x": (2, 3), "s": (2,)}, "y", "", "", True),
    "filter tops": Refusal("Filter", {"x": (2, 3), "s": (2,)}, "y w"),
    "filter selector": Refusal("Filter", {"x": (2, 3), "s": (2, 2)}),
    "filter selector of 4 axes": Refusal("Filter", {"x": (2, 3), "s": (2, 1, 1, 1)}),
    "filter samples": Refusal("Filter", {"x": (2, 3), "s": (3,)}),
    "flatten in place": Refusal("Flatten", I4, "x"),
    "flatten a vector": Refusal("Flatten", V),
    "flatten turned": Refusal("Flatten", I4, "y", "flatten_param { axis: 2 end_axis: 1 }"),
    "flatten negative": Refusal("Flatten", I4, "y", "flatten_param { axis: -2 end_axis: -2 }"),
    "hinge learnt label": Refusal("HingeLoss", LABELLED, "y", "", "l"),
    "hinge force": Refusal("HingeLoss", LABELLED, "y", "", "", True),
    "hinge of maps": Refusal("HingeLoss", {"x": (2, 3, 2), "l": (2,)}),
    "im2col of a vector": Refusal("Im2col", M, "y", conv("kernel_size: 1")),
    "im2col of 1 side": Refusal("Im2col", {"x": (2, 3, 4)}, "y", conv("kernel_size: 2"), "", True),
    "im2col pads": Refusal("Im2col", I4, "y", conv("kernel_size: 2 pad: 1 pad: 0 pad: 1")),
    "im2col kernel_h": Refusal("Im2col", D5, "y", conv("kernel_h: 2 kernel_w: 2")),
    "im2col pad_h": Refusal("Im2col", I4, "y", conv("kernel_size: 2 pad_h: 1 pad: 1")),
    "im2col without kernel": Refusal("Im2col", I4, "y", conv("stride: 2")),
    "im2col too large": Refusal("Im2col", I4, "y", conv("kernel_size: 9")),
    "infogain learnt label": Refusal("InfogainLoss", H, "y", "", "l"),
    "infogain learnt matrix": Refusal("InfogainLoss", H, "y", "", "h"),
    "infogain force": Refusal("InfogainLoss", H, "y", "", "", True),
    "infogain two tops": Refusal("InfogainLoss", H, "y p"),
    "infogain two weights": Refusal("InfogainLoss", H, "y p", "loss_weight: 1 loss_weight: 0"),
    "infogain normalize": Refusal("InfogainLoss", H, "y", "loss_param { normalize: false }"),
    "infogain matrix": Refusal("InfogainLoss", {**LABELLED, "h": (9,)}),
    "infogain other matrix": Refusal("InfogainLoss", {**LABELLED, "h": (3, 4)}),
    "infogain no matrix": Refusal("InfogainLoss", LABELLED),
    "infogain axis": Refusal("InfogainLoss", H, "y", "infogain_loss_param { axis: 2 }"),
    "product axis": Refusal("InnerProduct", I4, "y", "inner_product_param { num_output: 2 axis: 4 }"),
    "product of axis 0": Refusal("InnerProduct", M, "y", "inner_product_param { num_output: 2 axis: 0 }", "", True),
    "product without outputs": Refusal("InnerProduct", M),
    "product of a vector": Refusal("InnerProduct", V, "y", "inner_product_param { num_output: 2 }"),
    "input shapes": Refusal("Input", {}, "x y", "input_param { shape { dim: 1 } shape { dim: 2 } shape { dim: 3 } }"),
    "input without shape": Refusal("Input", {}, "x y"),
    "input one shape": Refusal("Input", {}, "x y", "input_param { shape { dim: 1 } }"),
    "lrn even": Refusal("LRN", I4, "y", "lrn_param { local_size: 4 }"),
    "lrn of 3 axes": Refusal("LRN", {"x": (2, 3, 4)}),
    "lrn within": Refusal("LRN", I4, "y", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", "", True),
    "lrn in place": Refusal("LRN", I4, "x"),
    "lstm learnt cont": Refusal("LSTM", SEQUENCE, "y", LOSS + "recurrent_param { num_output: 2 }", "c"),
    "lstm force": Refusal("LSTM", SEQUENCE, "y", "recurrent_param { num_output: 2 }", "", True),
    "lstm cont": Refusal("LSTM", {"x": (3, 2, 4), "c": (3, 2, 1)}, "y", "recurrent_param { num_output: 2 }"),
    "lstm without outputs": Refusal("LSTM", SEQUENCE),
    "lstm of 2 axes": Refusal("LSTM", {"x": (3, 2), "c": (3, 2)}, "y", "recurrent_param { num_output: 2 }"),
    "lstm tops": Refusal("LSTM", SEQUENCE, "y h", "recurrent_param { num_output: 2 }"),
    "unit learnt cont": Refusal("LSTMUnit", UNIT, "y h", LOSS + LOSS, "k"),
    "unit force": Refusal("LSTMUnit", UNIT, "y h", "", "", True),
    "unit cont": Refusal("LSTMUnit", {**UNIT, "k": (1, 2, 1)}, "y h"),
    "unit gates": Refusal("LSTMUnit", {**UNIT, "g": (1, 2, 11)}, "y h"),
    "unit one top": Refusal("LSTMUnit", UNIT, "y"),
    "log base 1": Refusal("Log", M, "y", "log_param { base: 1 }"),
    "log base": Refusal("Log", M, "y", "log_param { base: 0 }"),
    "mvn of a vector": Refusal("MVN", V, "y", "", "", True),
    "mvn of 5 axes": Refusal("MVN", D5),
    "multinomial learnt label": Refusal("MultinomialLogisticLoss", LABELLED, "y", "", "l"),
    "multinomial of labels": Refusal("MultinomialLogisticLoss", {"x": (2, 3), "l": (2, 2)}),
    "multinomial of labels of 4 axes": Refusal("MultinomialLogisticLoss", {"x": (2, 3), "l": (2, 1, 1, 1)}),
    "prelu of a vector": Refusal("PReLU", V),
    "prelu in place": Refusal("PReLU", I4, "x", "", "", True),
    "prelu of 5 axes": Refusal("PReLU", D5),
    "parameter": Refusal("Parameter", {}, "y", "parameter_param { shape { dim: 2 } }", "", True),
    "pool mask of average": Refusal("Pooling", I4, "y m", pool("pool: AVE kernel_size: 2")),
    "pool mask": Refusal("Pooling", I4, "y m", pool("kernel_size: 2")),
    "pool pad": Refusal("Pooling", I4, "y", pool("kernel_size: 2 pad: 2")),
    "pool without kernel": Refusal("Pooling", I4, "y", pool("stride: 2")),
    "pool kernel_h": Refusal("Pooling", I4, "y", pool("kernel_h: 2")),
    "pool kernel twice": Refusal("Pooling", I4, "y", pool("kernel_size: 2 kernel_h: 2 kernel_w: 2")),
    "pool kernel and kernel_h": Refusal("Pooling", I4, "y", pool("kernel_size: 2 kernel_h: 2")),
    "pool pad_h": Refusal("Pooling", I4, "y", pool("kernel_size: 2 pad_h: 1")),
    "pool stride_h": Refusal("Pooling", I4, "y", pool("kernel_size: 2 stride_h: 1")),
    "pool of 3 axes": Refusal("Pooling", {"x": (2, 3, 4)}, "y", pool("kernel_size: 2")),
    "pool of 5 axes": Refusal("Pooling", D5, "y", pool("kernel_size: 2")),
    "pool global kernel": Refusal("Pooling", I4, "y", pool("global_pooling: true kernel_size: 2")),
    "pool global stride": Refusal("Pooling", I4, "y", pool("global_pooling: true stride: 2")),
    "pool global pad": Refusal("Pooling", I4, "y", pool("global_pooling: true pad: 1")),
    "pool in place": Refusal("Pooling", I4, "x", pool("kernel_size: 1")),
    "pool larger than the image": Refusal("Pooling", I4, "y", pool("kernel_size: 7")),
    "pool much larger than the image": Refusal("Pooling", I4, "y", pool("kernel_size: 12")),
    "power in place": Refusal("Power", M, "x", "power_param { power: 2 }", "", True),
    "relu in place": Refusal("ReLU", M, "x", "", "", True),
    "reduction axis": Refusal("Reduction", M, "y", "reduction_param { axis: 2 }"),
    "reduction negative": Refusal("Reduction", M, "y", "reduction_param { axis: -2 }", "", True),
    "reshape in place": Refusal("Reshape", M, "x", "reshape_param { shape { dim: 6 } }"),
    "reshape to nothing": Refusal("Reshape", {"x": (1, 1)}, "y", "reshape_param { shape { } }"),
    "reshape inferred twice": Refusal("Reshape", M, "y", "reshape_param { shape { dim: -1 dim: -1 } }"),
    "reshape inferred badly": Refusal("Reshape", M, "y", "reshape_param { shape { dim: -1 dim: 4 } }"),
    "reshape axis": Refusal("Reshape", M, "y", "reshape_param { shape { dim: 3 } axis: -2 num_axes: 1 }"),
    "reshape axis at the end": Refusal("Reshape", M, "y", "reshape_param { shape { dim: 1 } axis: -1 }"),
    "reshape beyond": Refusal("Reshape", M, "y", "reshape_param { shape { dim: 1 } axis: 3 }"),
    "reshape axes": Refusal("Reshape", M, "y", "reshape_param { shape { dim: 3 } axis: 1 num_axes: 2 }"),
    "reshape axes -2": Refusal("Reshape", M, "y", "reshape_param { shape { dim: 3 } axis: 1 num_axes: -2 }"),
    "rnn learnt cont": Refusal("RNN", SEQUENCE, "y", LOSS + "recurrent_param { num_output: 2 }", "c"),
    "rnn hidden": Refusal("RNN", {**SEQUENCE, "h": (1, 2, 2)}, "y h1",
                          "recurrent_param { num_output: 2 expose_hidden: true }", "", True),
    "spp of 3 axes": Refusal("SPP", {"x": (2, 3, 4)}, "y", "spp_param { pyramid_height: 1 }"),
    "spp without height": Refusal("SPP", I4),
    "spp too high": Refusal("SPP", I4, "y", "spp_param { pyramid_height: 4 }"),
    "spp": Refusal("SPP", I4, "y", "spp_param { pyramid_height: 2 }", "", True),
    "scale bottom": Refusal("Scale", {"x": (2, 3, 4), "b": (3,)}, "x", "", "", True),
    "scale bottom of 0 axes": Refusal("Scale", {"x": (2, 3, 4), "b": ()}, "y", "scale_param { axis: 0 }", "", True),
    "scale beyond": Refusal("Scale", M, "y", "scale_param { axis: 1 num_axes: 2 }"),
    "scale unlike": Refusal("Scale", {"x": (2, 3, 4), "b": (4,)}),
    "scale in place": Refusal("Scale", M, "x", "scale_param { bias_term: true }", "", True),
    "sigmoid in place": Refusal("Sigmoid", M, "x", "", "", True),
    "cross entropy learnt target": Refusal("SigmoidCrossEntropyLoss", PAIR, "y", "", "z"),
    "cross entropy force": Refusal("SigmoidCrossEntropyLoss", PAIR, "y", "", "", True),
    "cross entropy counts": Refusal("SigmoidCrossEntropyLoss", {"x": (2, 3), "z": (2, 4)}),
    "silence force": Refusal("Silence", M, "", "", "", True),
    "slice one": Refusal("Slice", M, "y", "", "", True),
    "slice uneven": Refusal("Slice", M, "y w"),
    "slice points": Refusal("Slice", M, "y w", "slice_param { slice_point: 2 }"),
    "slice at the end": Refusal("Slice", M, "y w", "slice_param { slice_point: 3 }"),
    "slice at 0": Refusal("Slice", M, "y w", "slice_param { slice_point: 0 }"),
    "slice too many points": Refusal("Slice", M, "y w", "slice_param { slice_point: 1 slice_point: 2 }"),
    "slice in vain": Refusal("Slice", {"x": (2, 2)}, "y w v"),
    "slice dim": Refusal("Slice", M, "y w", "slice_param { slice_dim: 0 }"),
    "softmax axis": Refusal("Softmax", M, "y", "softmax_param { axis: 2 }"),
    "softmax of a vector": Refusal("Softmax", V),
    "softmax in place": Refusal("Softmax", M, "x", "", "", True),
    "loss learnt label": Refusal("SoftmaxWithLoss", LABELLED, "y", "", "l"),
    "loss force": Refusal("SoftmaxWithLoss", LABELLED, "y", "", "", True),
    "loss stopped": Refusal("SoftmaxWithLoss", LABELLED, "y", "propagate_down: true propagate_down: false", "x l"),
    "loss asked": Refusal("SoftmaxWithLoss", LABELLED, "y", "propagate_down: true propagate_down: true", ""),
    "loss one propagate_down": Refusal("SoftmaxWithLoss", LABELLED, "y", "propagate_down: true", ""),
    "loss labels": Refusal("SoftmaxWithLoss", {"x": (2, 3, 4), "l": (2, 1, 4)}),
    "loss too few labels": Refusal("SoftmaxWithLoss", {"x": (2, 3, 4), "l": (2,)}),
    "loss without top": Refusal("SoftmaxWithLoss", LABELLED, ""),
    "loss params": Refusal("SoftmaxWithLoss", LABELLED, "y", "param { lr_mult: 1 }"),
    "split in place": Refusal("Split", M, "x"),
    "split": Refusal("Split", M, "y w", "", "", True),
    "swish in place": Refusal("Swish", M, "x"),
    "tanh in place": Refusal("TanH", M, "x", "", "", True),
    "threshold learnt": Refusal("Threshold", M, "y", LOSS, "x"),
    "threshold force": Refusal("Threshold", M, "y", "", "", True),
    "threshold": Refusal("Threshold", M, "x"),
    "tile axis": Refusal("Tile", M, "y", "tile_param { tiles: 2 axis: 2 }"),
    "tile without tiles": Refusal("Tile", M),
    "tile by 0": Refusal("Tile", M, "y", "tile_param { tiles: 0 }"),
    "tile in place": Refusal("Tile", M, "x", "tile_param { tiles: 1 }"),
    "dummy shapes": Refusal("DummyData", {}, "x y",
                            "dummy_data_param { shape { dim: 1 } shape { dim: 2 } shape { dim: 3 } }"),
    "dummy old": Refusal("DummyData", {}, "x y", "dummy_data_param { num: 1 channels: 2 height: 3 width: 4 }"),
    "dummy old and new": Refusal("DummyData", {}, "x",
                                 "dummy_data_param { shape { dim: 1 } num: 1 channels: 2 height: 3 width: 4 }"),
    "dummy without shape": Refusal("DummyData", {}, "x"),
    "dummy fillers": Refusal("DummyData", {}, "x y z",
                             "dummy_data_param { shape { dim: 1 } data_filler { } data_filler { } }"),
    "memory without size": Refusal("MemoryData", {}, "x y",
                                   "memory_data_param { batch_size: 1 channels: 2 height: 3 }"),
    "memory one top": Refusal("MemoryData", {}, "x",
                              "memory_data_param { batch_size: 1 channels: 2 height: 3 width: 1 }"),
    "memory without arrays": Refusal("MemoryData", {}, "x y",
                                     "memory_data_param { batch_size: 1 channels: 2 height: 3 width: 1 }"),
    "hdf5 transform": Refusal("HDF5Data", {}, "x y",
                              "transform_param { scale: 2 } hdf5_data_param { source: 'x' batch_size: 1 }"),
    "unknown type": Refusal("Convolutoin", M),
    "loss weights": Refusal("ReLU", M, "y", "loss_weight: 1 loss_weight: 2"),
    "no such filler": Refusal("InnerProduct", M, "y",
                              "inner_product_param { num_output: 2 weight_filler { type: 'xaver' } }"),
}


def net_text(case: Refusal) -> str:
    """The case's net."""
    text, names = "", []
    for name, shape in case.inputs.items():
        dims = " ".join(f"dim: {n}" for n in shape)
        text += f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
        names.append(name)
        if name in case.learnt.split():
            text += (f'layer {{ name: "bias_{name}" type: "Bias" bottom: "{name}" top: "{name}_b" '
                     "bias_param { axis: 0 num_axes: -1 } }\n")
            names[-1] += "_b"
    blobs = [f'bottom: "{name}"' for name in names] + [f'top: "{name}"' for name in case.tops.split()]
    force = "force_backward: true\n" if case.force else ""
    return f'{force}{text}layer {{ name: "it" type: "{case.kind}" {" ".join(blobs)} {case.body} }}\n'


def stage_of(caffe, name: str, reached) -> None:
    """Set up the case's net (in the working folder) and go forward and backward, calling `reached` before each."""
    path = Path("refusal.prototxt")
    path.write_text(net_text(CASES[name]))
    reached("setup")
    net = caffe.Net(os.fspath(path), caffe.TRAIN)
    reached("forward")
    net.forward()
    reached("backward")
    net.backward()
    reached("none")
