"""The thesis's networks, small: the same graphs as in full size, with fewer channels."""

from __future__ import annotations

from live import network_runs
from live.report import Section

TITLE = "The thesis's networks, mini"
SIDES = network_runs.SIDES
NETWORKS = ("mini/shape/cnn", "mini/motion/cnn", "mini/shape_motion/cnn")
ITERATIONS = {"sgd": 50, "thesis": 50}
SIZE = 64
run = network_runs.run


def prepare(box) -> None:
    from live import dataset

    dataset.make(box / network_runs.dataset(NETWORKS[0]), SIZE)


def rounds() -> list:
    return network_runs.rounds(NETWORKS, ITERATIONS)


def section(found: dict) -> Section:
    from live import dataset, network_table

    text = f"Trained on {dataset.described()}, prepared at {SIZE} pixels."
    return network_table.section(TITLE, text, found, NETWORKS, ITERATIONS)
