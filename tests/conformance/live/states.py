"""Weights, gradients and histories of solvers, by pycaffe's public interface: on both sides."""

from __future__ import annotations

import numpy as np


def parameters(net) -> list:
    """[(layer/index, blob)] of the net."""
    return [(f"{layer}/{i}", blob) for layer, blobs in net.params.items() for i, blob in enumerate(blobs)]


def arrays_of(net, prefix: str) -> dict:
    """{`<prefix> <layer>/<index>`: values} of the weights."""
    return {f"{prefix} {name}": blob.data.copy() for name, blob in parameters(net)}


def gradients_of_step(solver) -> dict:
    """{layer/index: gradient}, filled anew in each iteration before its update."""
    gradients: dict = {}

    def keep():
        for name, blob in parameters(solver.net):
            gradients[name] = blob.diff.copy()

    solver.add_callback(lambda: None, keep)
    return gradients


def set_gradients(net, gradients) -> None:
    for name, blob in parameters(net):
        blob.diff[...] = gradients[name]


def history(caffe, file: str, prefix) -> dict:
    """{`history <prefix> <index>`: values} of a .solverstate in protobuf form."""
    state = caffe.proto.caffe_pb2.SolverState()
    with open(file, "rb") as source:
        state.ParseFromString(source.read())
    return {f"history {prefix} {i}": np.asarray(blob.data, np.float32) for i, blob in enumerate(state.history)}
