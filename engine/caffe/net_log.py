"""What a net says while it is assembled and, with debug_info, while it runs: the lines of src/caffe/net.cpp.

BVLC's scripts and people's eyes look for them in this order and wording.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from caffe import glog
from caffe.blob import Blob
from caffe.formats.prototxt_text import to_text
from caffe.proto import caffe_pb2
from caffe.proto.caffe_pb2 import DataParameter

if TYPE_CHECKING:
    from caffe.layer_types import Layer
    from caffe.net import Net

# layers that always make another of their name inside, by way of Caffe's factory, once their own place is known
_HAVE_INNER_LAYER = {"SoftmaxWithLoss", "InfogainLoss"}


def starting(param: caffe_pb2.NetParameter) -> None:
    """The net as it will be built, before Split layers are put in."""
    if glog.enabled():
        glog.info(f"Initializing net from parameters: \n{to_text(param, utf8=True)}")


def creating(layer_param: caffe_pb2.LayerParameter) -> None:
    glog.info(f"Creating layer {layer_param.name}")
    if layer_param.type == "Data" and os.path.exists(layer_param.data_param.source):
        kind = DataParameter.DB.Name(layer_param.data_param.backend).lower()
        glog.info(f"Opened {kind} {layer_param.data_param.source}")


def connecting(layer_param: caffe_pb2.LayerParameter, tops: int) -> None:
    """A layer's bottoms and tops; `tops` counts those that it gets beyond the named ones."""
    name = layer_param.name
    glog.info(f"Creating Layer {name}")
    for bottom in layer_param.bottom:
        glog.info(f"{name} <- {bottom}")
    for j, top in enumerate(layer_param.top):
        in_place = j < len(layer_param.bottom) and layer_param.bottom[j] == top
        glog.info(f"{name} -> {top}{' (in-place)' if in_place else ''}")
    for _ in range(tops - len(layer_param.top)):
        glog.info(f"{name} -> (automatic)")
    if layer_param.type in _HAVE_INNER_LAYER or (layer_param.type == "Scale" and layer_param.scale_param.bias_term):
        glog.info(f"Creating layer {name}")


def set_up(layer: Layer, tops: Sequence[Blob], memory: int) -> int:
    """The shapes of a layer's tops; `memory` is the number of values in tops so far, the new one is returned."""
    glog.info(f"Setting up {layer.layer_param.name}")
    for j, blob in enumerate(tops):
        glog.info(f"Top shape: {blob.shape_string()}")
        if layer.top_loss_weight(j):
            glog.info(f"    with loss weight {glog.number(layer.top_loss_weight(j))}")
        memory += blob.count
    glog.info(f"Memory required for data: {memory * 4}")
    return memory


def sharing(name: str, owner: str, index: int) -> None:
    glog.info(f"Sharing parameters '{name}' owned by layer '{owner}', param index {index}")


def backward_needs(names: Sequence[str], needs: Sequence[bool]) -> None:
    """From the last layer to the first, whether it takes part in the backward pass."""
    for name, need in zip(reversed(names), reversed(needs)):
        glog.info(f"{name} {'needs' if need else 'does not need'} backward computation.")


def finished(outputs: Sequence[str]) -> None:
    for name in outputs:
        glog.info(f"This network produces output {name}")
    glog.info("Network initialization done.")


# -- debug_info ------------------------------------------------------------------------------------------------------

def forward(net: Net, i: int) -> None:
    """The mean absolute value of each top and parameter of layer `i` after its forward."""
    for k in net._tops[i]:
        _mean("Forward", net._layer_names[i], f"top blob {net._blob_names[k]}", "data", net._blobs[k].tensor())
    specs = net.layers[i].layer_param.param
    for j, blob in enumerate(net.layers[i].blobs):
        name = (specs[j].name if j < len(specs) else "") or str(j)
        _mean("Forward", net._layer_names[i], f"param blob {name}", "data", blob.tensor())


def backward(net: Net, i: int) -> None:
    """The mean absolute gradient of each bottom and parameter of layer `i` after its backward."""
    for k, need in zip(net._bottoms[i], net._bottom_need_backward[i]):
        if need:
            _mean("Backward", net._layer_names[i], f"bottom blob {net._blob_names[k]}", "diff",
                  net._blobs[k].diff_tensor())
    layer = net.layers[i]
    for j, (blob, need) in enumerate(zip(layer.blobs, layer.param_propagate_down)):
        if need:
            _mean("Backward", net._layer_names[i], f"param blob {j}", "diff", blob.diff_tensor())


def all_params(net: Net) -> None:
    """The L1 and L2 norms of all parameters and of all their gradients."""
    blobs = [param.blob for param in net.learnable_params]
    data, diff = (
        (_sum(t.abs().sum() for t in tensors), np.sqrt(_sum(t.square().sum() for t in tensors)))
        for tensors in ([b.tensor() for b in blobs], [b.diff_tensor() for b in blobs]))
    l1, l2 = (f"({glog.number(data[k])}, {glog.number(diff[k])})" for k in (0, 1))
    glog.error(f"    [Backward] All net params (data, diff): L1 norm = {l1}; L2 norm = {l2}")


def _sum(parts) -> float:
    return sum(map(float, parts), 0.0)


def _mean(direction: str, layer: str, what: str, part: str, values: torch.Tensor) -> None:
    mean = float(values.abs().mean()) if values.numel() else float("nan")
    glog.info(f"    [{direction}] Layer {layer}, {what} {part}: {glog.number(mean)}")
