"""A model's deploy net as it predicts: without what its weights make needless, and folded; one for each thread."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from caffe.proto import caffe_pb2
from tools import folding, network
from tools.backend import layers_of_file, load_caffe

# Fillers that draw numbers: for the thesis's network they take longer than reading its weights. What a filler puts into
# layers that the weights do not have, such as a constant factor of the deploy net's own, is left.
DRAWN = ("gaussian", "uniform", "xavier", "msra", "positive_unitball")


def load(
    file: Path, weights: Path, count: int, keep: Collection[str], equal_channels: Collection[str] = ()
) -> list[Any]:
    """`count` nets of phase TEST of a deploy prototxt that share the weights of a caffemodel.

    Their blobs in `keep`, and their outputs, are those of the net as it is written; others may be folded away.
    `equal_channels`: inputs whose channels are all the same; they may have one instead (`tools.folding`).
    """
    given = without_draws(network.read_net(file))
    with layers_of_file(file):
        whole = _net(given)
        whole.copy_from(str(weights))
        params = {name: [blob.data for blob in blobs] for name, blobs in whole.params.items()}
        folded = folding.fold(given, params, keep, equal_channels)
        first = whole if folded.net == given else _net(folded.net)
        if first is not whole:
            first.share_with(whole)
        for name, arrays in folded.weights.items():
            for blob, array in zip(first.params[name], arrays):
                blob.data[...] = array
        nets = [first]
        for _ in range(count - 1):
            nets.append(_net(folded.net))
            nets[-1].share_with(first)
    return nets


def without_draws(net: Any) -> Any:
    """A copy of a NetParameter whose layers' parameters begin with no random numbers."""
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    for layer in made.layer:
        for _, settings in layer.ListFields():
            for name in ("filler", "weight_filler", "bias_filler"):
                if hasattr(settings, name) and getattr(settings, name).type in DRAWN:
                    settings.ClearField(name)
    return made


def _net(message: Any) -> Any:
    """Neither engine takes a message, both take a file."""
    caffe = load_caffe()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deploy.prototxt"
        network.write_message(path, message)
        return caffe.Net(str(path), caffe.TEST)
