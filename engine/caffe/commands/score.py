"""score a model: the mean of a net's outputs over its test data"""

from __future__ import annotations

from caffe import glog
from caffe.commands.common import Flags, needed, only, stages, use_one
from caffe.errors import CaffeError

USAGE = "--model=FILE --weights=FILE [--iterations=50] [--gpu=N]"
FLAGS = only("model", "weights", "iterations", "gpu", "level", "stage")


def run(flags: Flags, arguments: list[str]) -> None:
    """`test` of tools/caffe.cpp: every batch's outputs, then their means, summed in single precision as there."""
    model = needed(flags, "model", "the net to score")
    weights = needed(flags, "weights", "the weights to score")
    iterations = int(flags["iterations"])
    if iterations < 1:
        raise CaffeError(f"--iterations must be at least 1, it is {iterations}")
    import numpy as np

    from caffe.net import Net
    from caffe.proto import caffe_pb2
    from caffe.training.solvers import output_values, score_text

    use_one(flags)
    net = Net(model, caffe_pb2.TEST, level=int(flags["level"]), stages=stages(flags))
    for file in weights.split(","):
        net.copy_from(file.strip())
    glog.info(f"Running for {iterations} iterations.")
    loss = np.float32(0)
    totals = np.zeros(1, np.float32)
    places: list[int] = []
    for batch in range(iterations):
        loss += np.float32(net._forward(0, len(net.layers) - 1))
        places, values = output_values(net)
        totals = values if batch == 0 else totals + values
        for place, value in zip(places, values):
            glog.info(f"Batch {batch}, {net._blob_names[place]} = {glog.number(value)}")
    glog.info(f"Loss: {glog.number(loss / np.float32(iterations))}")
    for place, total in zip(places, totals):
        glog.info(score_text(net, place, total / np.float32(iterations)))
