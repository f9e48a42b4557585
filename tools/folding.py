"""A deploy net made quicker without another result: what can be computed once is folded into its weights.

- A grey stream shown in several equal channels: the first convolution's weights are summed over them; one is left.
- A BatchNorm with its running statistics, a Scale or a Bias right behind a Convolution or InnerProduct: a factor and a
  shift per output, which go into its weights and bias.
- A ReLU in front of a maximum pooling goes behind it, where there is less to do: both are monotonic, so they commute.

All is computed in float64. Whatever is not plainly one of these cases stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe.proto import caffe_pb2

Params = Mapping[str, Sequence[np.ndarray]]
MADE = "{} (folded)"  # a layer with weights of its own has a name of its own


class Folded(NamedTuple):
    """net: a NetParameter. weights: the parameters of those of its layers that the net it was made from has not."""

    net: Any
    weights: dict[str, list[np.ndarray]]


def fold(net: Any, params: Params, keep: Collection[str], equal_channels: Collection[str] = ()) -> Folded:
    """Fold what can be folded of a NetParameter (phase TEST), whose layers' parameters are `params`.

    The blobs in `keep` hold afterwards what they held before, as do the net's outputs; others may be gone, or hold
    something else. `equal_channels`: inputs whose channels are all the same; they get one. Neither argument is changed.
    """
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    weights: dict[str, list[np.ndarray]] = {}
    if not _is_plain(made):
        return Folded(made, weights)
    for blob in sorted(set(equal_channels) - set(keep)):
        _sum_channels(made, blob, params, weights)
    while _absorb_one(made, params, weights, set(keep)):
        pass
    while _swap_one(made, set(keep)):
        pass
    return Folded(made, weights)


def _is_plain(net: Any) -> bool:
    """Whether every layer is there in every phase, has a name of its own, and parameters of its own."""
    names = Counter(layer.name for layer in net.layer)
    return not net.layers and all(
        names[layer.name] == 1
        and not (layer.include or layer.exclude or layer.loss_weight)
        and not any(param.name for param in layer.param)
        for layer in net.layer
    )


def _readers(net: Any, blob: str) -> list[int]:
    return [at for at, layer in enumerate(net.layer) if blob in layer.bottom]


def _follower(net: Any, at: int, keep: set[str]) -> int | None:
    """The only layer that reads what layer `at` makes, if nobody else sees that and its own top is a new blob or the
    same one; both have one bottom and one top."""
    maker = net.layer[at]
    if len(maker.bottom) != 1 or len(maker.top) != 1:
        return None
    blob = maker.top[0]
    after = [reader for reader in _readers(net, blob) if reader > at]
    if not after:
        return None
    next_one = net.layer[after[0]]
    if len(next_one.bottom) != 1 or len(next_one.top) != 1:
        return None
    top = next_one.top[0]
    if top == blob:  # in place: whoever reads the blob afterwards reads what that layer makes
        return after[0]
    written_again = any(blob in layer.top for layer in net.layer[at + 1 :])
    seen_before = top in net.input or any(top in (*layer.bottom, *layer.top) for layer in net.layer[: after[0]])
    return None if len(after) > 1 or written_again or seen_before or blob in keep else after[0]


# -- equal channels --------------------------------------------------------------------------------------------------
def _sum_channels(net: Any, blob: str, params: Params, weights: dict[str, list[np.ndarray]]) -> None:
    writers = [layer for layer in net.layer if blob in layer.top]
    inputs = [layer for layer in writers if layer.type == "Input" and len(layer.top) == 1]
    readers = [net.layer[at] for at in _readers(net, blob)]
    if len(inputs) != 1 or len(writers) != 1 or not readers:
        return
    shape = inputs[0].input_param.shape[0].dim if len(inputs[0].input_param.shape) == 1 else []
    usual = all(
        layer.type == "Convolution"
        and list(layer.bottom) == [blob]
        and layer.convolution_param.axis == 1
        and layer.convolution_param.group == 1
        and params[layer.name][0].ndim == 4
        and params[layer.name][0].shape[1] == shape[1]
        for layer in readers
    )
    if len(shape) != 4 or shape[1] == 1 or not usual:
        return
    shape[1] = 1
    for layer in readers:
        weight, *bias = params[layer.name]
        _replace(layer, [weight.astype(np.float64).sum(axis=1, keepdims=True), *bias], weights)


# -- a factor and a shift per channel --------------------------------------------------------------------------------
def _absorb_one(net: Any, params: Params, weights: dict[str, list[np.ndarray]], keep: set[str]) -> bool:
    """Fold the first layer that can be folded into the one before it; False if there is none."""
    for at, layer in enumerate(net.layer):
        if layer.type not in ("Convolution", "InnerProduct"):
            continue
        behind = _follower(net, at, keep)
        own = weights.get(layer.name) or params.get(layer.name)
        if behind is None or not own or _settings(layer).axis != 1:
            continue
        change = _per_channel(net.layer[behind], params)
        outputs = _settings(layer).num_output
        if change is None or any(part.shape != (outputs,) for part in change):
            continue
        factor, shift = change
        weight = own[0].astype(np.float64)
        bias = own[1].astype(np.float64) if len(own) > 1 else np.zeros(outputs)
        across = layer.type == "InnerProduct" and layer.inner_product_param.transpose
        spread = factor if across else factor.reshape(-1, *[1] * (weight.ndim - 1))
        layer.top[0] = net.layer[behind].top[0]
        _settings(layer).bias_term = True
        _replace(layer, [weight * spread, bias * factor + shift], weights)
        del net.layer[behind]
        return True
    return False


def _per_channel(layer: Any, params: Params) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and shift, float64 (channels,), of a layer that has them per channel on axis 1; else None."""
    own = [array.astype(np.float64) for array in params.get(layer.name, ())]
    if layer.type == "BatchNorm" and len(own) == 3:
        param = layer.batch_norm_param
        if param.HasField("use_global_stats") and not param.use_global_stats:
            return None
        weight = 0.0 if own[2][0] == 0 else 1 / own[2][0]
        factor = 1 / np.sqrt(own[1] * weight + param.eps)
        return factor, -own[0] * weight * factor
    if layer.type == "Scale" and own and (layer.scale_param.axis, layer.scale_param.num_axes) == (1, 1):
        return own[0], own[1] if len(own) > 1 else np.zeros_like(own[0])
    if layer.type == "Bias" and own and (layer.bias_param.axis, layer.bias_param.num_axes) == (1, 1):
        return np.ones_like(own[0]), own[0]
    return None


def _settings(layer: Any) -> Any:
    return layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param


def _replace(layer: Any, arrays: Sequence[np.ndarray], weights: dict[str, list[np.ndarray]]) -> None:
    """Give a layer new parameters, and the name that says so."""
    weights.pop(layer.name, None)
    if not layer.name.endswith(MADE.format("")):
        layer.name = MADE.format(layer.name)
    del layer.param[:]
    weights[layer.name] = [np.asarray(array, np.float32) for array in arrays]


# -- ReLU and maximum ------------------------------------------------------------------------------------------------
def _swap_one(net: Any, keep: set[str]) -> bool:
    """Put the first ReLU that stands in front of a maximum pooling behind it; False if there is none."""
    for at, relu in enumerate(net.layer):
        behind = _follower(net, at, keep) if relu.type == "ReLU" else None
        if behind is None or relu.relu_param.negative_slope < 0 or relu.top[0] in keep:
            continue
        pool = net.layer[behind]
        source = relu.bottom[0]
        changed_between = any(source in layer.top for layer in net.layer[at + 1 : behind])
        if pool.type != "Pooling" or pool.pooling_param.pool != pool.pooling_param.MAX or changed_between:
            continue
        blob = pool.top[0]
        pool.bottom[0] = source
        relu.bottom[0] = relu.top[0] = blob
        layers = list(net.layer)
        layers.insert(behind, layers.pop(at))
        ordered = [type(layer).FromString(layer.SerializeToString()) for layer in layers]
        del net.layer[:]
        net.layer.extend(ordered)
        return True
    return False
