"""How long a training step takes in full size: not held to anything, but measured on one machine in both engines."""

from __future__ import annotations

import os
import time

import numpy as np

from live import network_runs
from live.report import Section

TITLE = "Time of a training step, full size"
SIDES = ("engine", "real")
ONE_BY_ONE = True  # each has the machine to itself
NETWORK = "shape_motion/cnn"
STEPS = int(os.environ.get("TIMED_STEPS", "25"))
FIRST = 3  # steps before those that count: memory is still being taken
SIZE = 256


def prepare(box) -> None:
    from live import dataset

    folder = box / network_runs.dataset(NETWORK)
    if not folder.exists():
        dataset.make(folder, SIZE)


def rounds() -> list:
    return [[f"{NETWORK} {STEPS}"]]


def run(caffe, name: str, side: str) -> dict:
    """Seconds of each step, by the clock, and the losses."""
    network, steps = name.split()
    solver = network_runs.make_solver(caffe, network, side, "thesis")
    seconds, losses = [], []
    for _ in range(FIRST + int(steps)):
        start = time.monotonic()
        solver.step(1)
        seconds.append(time.monotonic() - start)
        losses.append(float(solver.net.blobs["loss"].data))
    return {"seconds": np.array(seconds[FIRST:]), "losses": np.array(losses)}


def section(found: dict) -> Section:
    from live import dataset

    rows, faults = [], []
    for side, who in zip(SIDES, ("engine", "real Caffe")):
        for name, result in found[side].items():
            if isinstance(result, str):
                faults.append(f"`{name}` in {who}: {result[:300]}")
                continue
            low, median, high = np.percentile(result["seconds"], (25, 50, 75))
            spread = f"{low:.2f} to {high:.2f}"
            rows.append((NETWORK, who, f"{median:.2f} s", spread, f"{result['losses'][0]:.4f}"))
    text = (
        f"{STEPS} iterations after the first {FIRST}, the thesis's solver, random_seed 15485863, batches of 32 frames "
        f"as in the file, read in the same process; one thread each, one after the other; on {dataset.described()}, "
        f"prepared at {SIZE} pixels."
    )
    columns = ("network", "", "median of a step", "half of the steps within", "loss of the first")
    return Section(TITLE, text, columns, rows, faults)
