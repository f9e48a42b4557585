"""time a net's forward and backward passes, layer by layer"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from caffe import glog
from caffe.commands.common import Flags, needed, only, stages, use_one
from caffe.errors import CaffeError

USAGE = "--model=FILE [--phase=TEST] [--iterations=50] [--gpu=N]"
FLAGS = only("model", "phase", "iterations", "gpu", "level", "stage")


def run(flags: Flags, arguments: list[str]) -> None:
    """`time` of tools/caffe.cpp: one pass to warm up, then the mean times in milliseconds.

    Backward counts only the layers that take part in it; the others are shown with 0.
    """
    model = needed(flags, "model", "the net to time")
    phases = {"": 0, "TRAIN": 0, "TEST": 1}
    if flags["phase"] not in phases:
        raise CaffeError(f"--phase is TRAIN or TEST, not '{flags['phase']}'")
    iterations = int(flags["iterations"])
    if iterations < 1:
        raise CaffeError(f"--iterations must be at least 1, it is {iterations}")
    from caffe.net import Net

    use_one(flags)
    net = Net(model, phases[str(flags["phase"])], level=int(flags["level"]), stages=stages(flags))
    glog.info("Performing Forward")
    last = len(net.layers) - 1
    glog.info(f"Initial loss: {glog.number(net._forward(0, last))}")
    glog.info("Performing Backward")
    net._backward(last, 0)
    glog.info("*** Benchmark begins ***")
    glog.info(f"Testing for {iterations} iterations.")
    forward, backward = [0.0] * (last + 1), [0.0] * (last + 1)
    begin = perf_counter()
    for iteration in range(1, iterations + 1):
        start = perf_counter()
        for i in range(last + 1):
            forward[i] += _milliseconds(net._forward, i)
        for i in range(last, -1, -1):
            backward[i] += _milliseconds(net._backward, i)
        glog.info(f"Iteration: {iteration} forward-backward time: {_shown((perf_counter() - start) * 1000)}")
    total = (perf_counter() - begin) * 1000
    glog.info("Average time per layer: ")
    for name, ahead, back in zip(net._layer_names, forward, backward):
        glog.info(f"{name:>10}\tforward: {_shown(ahead / iterations)}")
        glog.info(f"{name:>10}\tbackward: {_shown(back / iterations)}")
    glog.info(f"Average Forward pass: {_shown(sum(forward) / iterations)}")
    glog.info(f"Average Backward pass: {_shown(sum(backward) / iterations)}")
    glog.info(f"Average Forward-Backward: {_shown(total / iterations)}")
    glog.info(f"Total Time: {_shown(total)}")
    glog.info("*** Benchmark ends ***")


def _milliseconds(work: Callable[[int, int], object], layer: int) -> float:
    """How long `work` takes from this layer to this layer, with what it left running on a GPU."""
    from caffe import context

    start = perf_counter()
    work(layer, layer)
    if not context.device().shares_host:
        import torch

        torch.cuda.synchronize()
    return (perf_counter() - start) * 1000


def _shown(milliseconds: float) -> str:
    return f"{glog.number(milliseconds)} ms."
