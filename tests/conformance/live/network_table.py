"""The rows of what network_runs.py found, for mini and full-size networks alike."""

from __future__ import annotations

import numpy as np

from live.network_runs import STATES
from live.report import Measure, Section, error, pairs, worst

TRAJECTORY, LOSS, GRADIENT, UPDATE = 1e-3, 1e-5, 1e-3, 1e-6
SHOWN = float("inf")  # a limit of what is shown and not held
COLUMNS = ("network", "", "engine", "real Caffe with two threads", "exact arithmetic (float64)")
OTHERS = ("engine", "again", "exact")


def whole(ours: dict, theirs: dict) -> float:
    """‖a − b‖ / ‖b‖ over all gradients together."""
    names = [name for name in theirs if name.startswith("gradient ")]
    off = sum(float(((ours[n].astype(np.float64) - theirs[n]) ** 2).sum()) for n in names)
    return (off / sum(float((theirs[n].astype(np.float64) ** 2).sum()) for n in names)) ** 0.5


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours / theirs - 1).max())


def section(title: str, text: str, found: dict, networks: tuple, iterations: dict) -> Section:
    faults: list[str] = []
    pairs(found, faults)
    faults += [f"`{name}` in {side}: {result[:300]}" for side in ("again", "exact")
               for name, result in found[side].items() if isinstance(result, str)]
    rows: list = []
    if not faults:
        for network in networks:
            rows += trajectories(found, network, iterations)
            for state in STATES:
                rows += steps(found, network, state)
    return Section(title, text + EXPLAINED, COLUMNS, rows, faults)


def trajectories(found: dict, network: str, iterations: dict) -> list:
    rows = []
    names = {kind: f"{network} {kind} {count}" for kind, count in iterations.items()}
    both = {network: (found["engine"][names["sgd"]], found["real"][names["sgd"]])}
    rows.append((network, "initial weights from the seed", worst(both, 0, lambda a: a.startswith("initial")), "", ""))
    # rounding grows along a trajectory, and nothing can be nearer to real Caffe than it is to itself
    for kind, held in (("sgd", True), ("thesis", False)):
        theirs = found["real"][names[kind]]["losses"]
        engine, again = (relative(found[side][names[kind]]["losses"], theirs) for side in ("engine", "again"))
        limit = max(TRAJECTORY, 3 * again) if held else SHOWN
        rows.append((network, f"{'SGD' if held else 'thesis’s solver'}: losses of {iterations[kind]} iterations",
                     Measure(engine, limit), Measure(again, SHOWN), ""))
    return rows


def steps(found: dict, network: str, state: int) -> list:
    name = f"{network} state {state}"
    theirs = found["real"][name]
    others = [found[side][name] for side in OTHERS]
    loss = float(theirs["loss"])

    def row(what: str, values: list, limit: float) -> tuple:
        return (network, f"… {what}", Measure(values[0], limit), *(Measure(value, SHOWN) for value in values[1:]))

    # arrays of which real Caffe has nothing but rounding say nothing: biases before a BatchNorm, whose gradient is 0
    gradients = [name for name in theirs if name.startswith("gradient ") and error(others[2][name], theirs[name]) < 0.5]
    single = [max(error(other[name], theirs[name]) for name in gradients) for other in others]
    updates = max(error(others[0][array], theirs[array]) for array in theirs if array.startswith("update "))
    return [
        (network, f"from iteration {state} (loss {loss:.3f}): loss",
         *(Measure(relative(other["loss"], theirs["loss"]), LOSS if other is others[0] else SHOWN)
           for other in others)),
        row("whole gradient", [whole(other, theirs) for other in others], GRADIENT),
        row("worst array's gradient", single, SHOWN),
        (network, "… weights by its gradients", Measure(updates, UPDATE), "", ""),
    ]


EXPLAINED = f"""

Each column is the difference from real Caffe with one thread. *Losses*: the largest relative difference;
each side trains on its own. SGD (rate 0.01, momentum 0.9) is held to {TRAJECTORY:.0e}, or thrice real
Caffe's difference from itself where that is more. The thesis's solver, RMSProp, divides by the root of its
history, so the rounding of gradients that are 0 in truth is blown up to whole steps and its trajectories
are chaotic: **real Caffe leaves itself where its BLAS has two threads instead of one**. So it is held state
by state: from each snapshot that real Caffe wrote, the loss of the next iteration (limit {LOSS:.0e}), its
gradients (*whole gradient*: ‖a − b‖ / ‖b‖ over all parameters, limit {GRADIENT:.0e}), and what the engine's
update makes of real Caffe's own gradients (limit {UPDATE:.0e}). The *worst array's gradient*, max |a − b| /
max |b|, is shown only: where a ReLU's input is 0, or two candidates of a maximum are equal, but for
rounding, a gradient goes one way or the other; the last column is how far real Caffe itself is from
arithmetic without rounding there. Arrays of which real Caffe computes nothing but rounding (biases before a
BatchNorm, whose gradient is 0) are left out of it."""
