"""Weights that stand in for AlexNet's where small networks on simulated videos are to be *pretrained*.

The thesis's pretrained networks start from AlexNet, trained on other pictures for another task. The stand-in keeps
that relation: `mini/shape/cnn` trained on simulated cages that are drawn from another seed than any dataset
measured, to tell where in the picture the animal is and whether it is upright, by labels from the tracker of
`data_prep.position` and not from behaviours. **It is not AlexNet**, and every table that uses it says so.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from data_prep import dataset as datasets
from data_prep import lmdb_store
from data_prep.files import atomic_path
from data_prep.position import FEATURES
from data_prep.prepare import prepare
from data_prep.simulate import simulate
from tools import model, network, processes
from tools.cross_validate import training

NETWORK = "mini/shape/cnn"
SOLVER = "mini/solver_low_rate.prototxt"
SEED, VIDEOS, SECONDS, SIZE = 1001, 6, 60, 64
ITERATIONS, VALIDATE_EVERY = 500, 100
PLACES = ("left", "middle", "right")
POSTURES = ("level", "upright")
CLASSES = tuple(f"{place} {posture}" for place in PLACES for posture in POSTURES)
STATEMENT = (
    f"a stand-in for AlexNet ({NETWORK} trained on {VIDEOS} other simulated cages, of seed {SEED}, to tell in which "
    "third of the picture the animal is and whether it is upright)"
)


def weights_file(folder: Path) -> Path:
    """Where the stand-in's weights are, or will be."""
    return folder / "model" / model.WEIGHTS


def make_data(folder: Path, workers: int | None, quiet: bool) -> None:
    """Simulate and prepare the stand-in's own dataset, unless that is done, and label it for its own task."""
    data = folder / "data"
    if not (data / "simulation.json").is_file():
        simulate(data, VIDEOS, SECONDS, SEED, True, workers or os.cpu_count() or 1, quiet)
    for labels in (data / "labels").iterdir():  # the behaviours, or what an interrupted run wrote
        labels.unlink()
    with atomic_path(data / "classes.txt") as temporary:
        temporary.write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    prepare(data, ("shape", "position"), SIZE, workers=workers, quiet=quiet)
    dataset = datasets.open_dataset(data)
    for stem in dataset.videos:
        reader = lmdb_store.open_reader(datasets.prepared(dataset, stem, ["position"]).streams["position"])
        rows = np.array([reader.read(frame).ravel() for frame in range(len(reader))])
        datasets.write_labels(dataset.labels(stem), CLASSES, labels_of(rows).tolist())


def labels_of(rows: np.ndarray) -> np.ndarray:
    """Class index (n,) of rows of `data_prep.position`, (n, 11); −1 where the animal was not found."""
    x, aspect = (rows[:, FEATURES.index(name)] for name in ("x", "aspect"))
    place = np.clip((x * len(PLACES)).astype(int), 0, len(PLACES) - 1)
    return np.where(rows[:, -1] > 0, place * len(POSTURES) + (aspect < 1), datasets.NOT_ANNOTATED)


def order(folder: Path) -> processes.Job:
    """The training of the stand-in, its last video held out."""
    settings = {"solver": network.NETWORKS / SOLVER, "iterations": ITERATIONS, "validate_every": VALIDATE_EVERY}
    held_out = sorted(datasets.open_dataset(folder / "data").videos)[-1:]
    return training("stand-in", NETWORK, folder / "data", held_out, folder / "model", settings)
