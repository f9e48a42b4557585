"""The thesis's networks in full size: 60 million weights and more, on frames of 256 pixels."""

from __future__ import annotations

import os

from live import network_runs
from live.report import Section

TITLE = "The thesis's networks, full size"
SIDES = network_runs.SIDES
ONE_BY_ONE = True  # several at once would not fit into the memory of most machines
NETWORKS = tuple(os.environ.get("FULL_NETWORKS", "shape/cnn motion/cnn shape_motion/cnn").split())
ITERATIONS = {"sgd": int(os.environ.get("FULL_ITERATIONS", "50")), "thesis": 11}
SIZE = 256
run = network_runs.run


def prepare(box) -> None:
    from live import dataset

    dataset.make(box / network_runs.dataset(NETWORKS[0]), SIZE)


def rounds() -> list:
    return network_runs.rounds(NETWORKS, ITERATIONS)


def section(found: dict) -> Section:
    from live import dataset, network_table

    text = f"Trained on {dataset.described()}, prepared at {SIZE} pixels, batches as in the files."
    return network_table.section(TITLE, text, found, NETWORKS, ITERATIONS)
