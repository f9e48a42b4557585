"""One engine's side of a comparison: a process that is told what to run, and says how long it took.

Reads a JSON object a line, {"do": a name of DO, its arguments}, and answers each with one on a line. It runs as it is
in real Caffe 1.0 (Python 3.9, NumPy 1.19) and in ours, by pycaffe's public interface, without the rest of this project.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

import numpy as np

CLASSES = 9
PIXELS = 50.0  # standard deviation of the numbers in the pictures' place: grey levels less their mean


class Open:
    """What is open: a net, and its solver where it is trained."""

    solver: Any = None
    net: Any = None


def start(opened: Open, threads: int, gpu: int | None) -> None:
    """Import Caffe, and compute on the CPU, or on the GPU of a number."""
    import caffe

    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()


def solver(opened: Open, file: str) -> None:
    """Open a solver; its net's first layer is DummyData."""
    import caffe

    opened.solver = caffe.get_solver(file)
    opened.net = opened.solver.net
    fill(opened.net)


def net(opened: Open, file: str) -> None:
    """Open a net in the TEST phase."""
    import caffe

    caffe.set_random_seed(1)
    opened.net = caffe.Net(file, caffe.TEST)
    fill(opened.net)


def fill(net: Any) -> None:
    """Put random numbers into what no layer computes."""
    random = np.random.RandomState(1)
    names = list(net._layer_names)
    for name, layer in zip(names, net.layers):
        for top in net.top_names[name] if layer.type in ("Input", "DummyData") else ():
            array = net.blobs[top].data
            if top == "label":
                array[...] = random.randint(0, CLASSES, array.shape)
            elif top == "cont":
                array[...] = 1
                array[0] = 0
            else:
                array[...] = PIXELS * random.standard_normal(array.shape)


def step(opened: Open, count: int) -> list[float]:
    """Seconds of each of so many iterations of the solver."""
    return [timed(train, opened) for _ in range(count)]


def train(opened: Open) -> None:
    opened.solver.step(1)
    # On a GPU, the step has ended when its loss is here.
    float(np.asarray(opened.net.blobs["loss"].data).ravel()[0])


def forward(opened: Open, count: int) -> list[float]:
    """Seconds of each of so many forward passes."""
    return [timed(run, opened) for _ in range(count)]


def run(opened: Open) -> None:
    for array in opened.net.forward().values():
        np.array(array)


def timed(what: Any, opened: Open) -> float:
    started = time.perf_counter()
    what(opened)
    return time.perf_counter() - started


def layers(opened: Open, count: int) -> list[dict[str, Any]]:
    """Of each of so many steps, or forward passes where there is no solver: `seconds` in all, of `update`, and of each
    layer by its number in `forward` and `backward`. On the CPU alone: nothing waits for a GPU here."""
    found: dict[str, Any] = {}
    begun = [0.0]

    def begin(_: int) -> None:
        begun[0] = time.perf_counter()

    def end(which: str, layer: int) -> None:
        found[which][layer] = found[which].get(layer, 0.0) + time.perf_counter() - begun[0]

    opened.net.before_forward(begin)
    opened.net.after_forward(lambda layer: end("forward", layer))
    opened.net.before_backward(begin)
    opened.net.after_backward(lambda layer: end("backward", layer))
    if opened.solver is not None:
        opened.solver.add_callback(lambda: None, lambda: begin(0))
    runs = []
    for _ in range(count):
        found.update(forward={}, backward={})
        seconds = timed(run if opened.solver is None else train, opened)
        update = time.perf_counter() - begun[0] if opened.solver is not None else 0.0
        runs.append({"seconds": seconds, "update": update, "forward": found["forward"], "backward": found["backward"]})
    return runs


def describe(opened: Open) -> list[dict[str, Any]]:
    """Each layer's name, type, shapes of its parameters, bottoms and tops (by their names)."""
    found = []
    for name, layer in zip(opened.net._layer_names, opened.net.layers):
        shapes = {
            kind: {blob: list(opened.net.blobs[blob].data.shape) for blob in names[name]}
            for kind, names in (("bottoms", opened.net.bottom_names), ("tops", opened.net.top_names))
        }
        params = [list(blob.data.shape) for blob in opened.net.params.get(name, ())]
        found.append({"name": name, "type": layer.type, "params": params, **shapes})
    return found


def memory(opened: Open) -> float:
    """The most memory that this process held so far, in MB. Not getrusage's, which begins with its parent's."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def computed(opened: Open) -> float:
    """Seconds of processors' time that this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


DO: dict[str, Any] = {
    "start": start, "solver": solver, "net": net, "step": step, "forward": forward, "layers": layers,
    "describe": describe, "memory": memory, "computed": computed,
}  # fmt: skip


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    opened = Open()
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(DO[request.pop("do")](opened, **request)) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    main()
