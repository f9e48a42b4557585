"""Whole nets drawn from a seed, trained for some iterations by a drawn solver: names, losses, gradients, weights."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from generated.draw import Draw
from generated.nets import CLASSES, net_text, solver_text
from layer_cases.values import draw, source

from live.report import BACKWARD, FORWARD, Section, pairs, worst
from live.states import arrays_of, parameters

TITLE = "Nets"
NETS, ITERATIONS = 60, 5
ROUNDING = 1e-6  # of what goes through several layers
seeds = [20260101]  # --seeds puts others here


def rounds() -> list:
    return [[f"net {number:03d}/{seed}" for seed in seeds for number in range(NETS)]]


def texts(name: str) -> tuple:
    """(net, solver) of that name."""
    choices = Draw(np.random.RandomState(zlib.crc32(name.encode())))
    return net_text(choices), solver_text(choices)


def fill(net, rng) -> None:
    for name, blob in net.blobs.items():
        if name in ("image", "vector", "!target"):
            blob.data[...] = draw(rng, blob.data.shape, "uniform 0 1" if name == "!target" else "normal")
        elif name in ("!label", "!cont"):
            blob.data[...] = draw(rng, blob.data.shape, f"integers 0 {CLASSES if name == '!label' else 2}")


def run(caffe, name: str, side: str) -> dict:
    """One forward and backward pass of the training net, then iterations of the solver."""
    folder = Path("nets", side)
    folder.mkdir(parents=True, exist_ok=True)
    file, solver_file = folder / f"{name.replace('/', '_')}.prototxt", folder / "solver.prototxt"
    net, solver = texts(name)
    file.write_text(net)
    solver_file.write_text(f'net: "{file}" snapshot_prefix: "{folder}/drawn" {solver}\n')
    trained = caffe.get_solver(str(solver_file))
    net = trained.net
    found = arrays_of(net, "initial")
    order = [list(net.blobs), list(net._layer_names), list(net.outputs), list(net.inputs), list(net.params)]
    found["names"] = np.asarray("\n".join(" ".join(names) for names in order))
    found["connections"] = np.asarray([k for i in range(len(net.layers))
                                       for ids in (net._bottom_ids(i), net._top_ids(i)) for k in [*ids, -1]])
    rng = source(name)
    fill(net, rng)
    net.forward()
    net.backward()
    found["shapes"] = np.asarray([list(blob.shape) + [-1] * (5 - len(blob.shape)) for blob in net.blobs.values()])
    for blob, values in net.blobs.items():
        found[f"blob {blob}"] = values.data.copy()
        found[f"blob_diff/ {blob}"] = values.diff.copy()
    found.update((f"param_diff/ {key}", blob.diff.copy()) for key, blob in parameters(net))
    for _ in range(ITERATIONS):
        fill(net, rng)
        trained.step(1)
    found.update((f"step {blob}", values.data.copy()) for blob, values in net.blobs.items())
    found.update(arrays_of(net, "weights"))
    return found


def together(arrays: dict) -> np.ndarray:
    """All trained weights in one array: a bias before a BatchNorm, whose gradient is only rounding, has no scale."""
    values = [arrays[name].ravel() for name in sorted(arrays) if name.startswith("weights")]
    return np.concatenate([np.empty(0, np.float32), *values])


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    for name, (ours, theirs) in both.items():
        if str(ours["names"]) != str(theirs["names"]):
            faults.append(f"`{name}`: names {ours['names']} here, {theirs['names']} there")
    rows = [
        (what, len(both), (error := worst(both, limit, lambda a, starts=starts: a.startswith(starts), ROUNDING)),
         f"`{error.where}`" if error.where else "")
        for what, starts, limit in (
            ("shapes and connections", ("shapes", "connections"), 0), ("initial weights", "initial", 0),
            ("blobs of a pass", "blob ", FORWARD), ("their gradients", "blob_diff/", BACKWARD),
            ("parameters' gradients", "param_diff/", BACKWARD))]
    whole = {name: ({"all": together(ours)}, {"all": together(theirs)}) for name, (ours, theirs) in both.items()}
    error = worst(whole, BACKWARD)
    rows.append(("all weights of a net after training", len(both), error, f"`{error.where}`" if error.where else ""))
    text = f"""
{len(found["real"])} nets drawn by `tests/conformance/generated/nets.py`: branches and joins, layers in place, shared
weights, several losses, rules, recurrent layers; a pass forward and backward, then {ITERATIONS} iterations of a drawn
solver."""
    return Section(TITLE, text, ("what", "nets", "difference", "worst at"), rows, faults)
