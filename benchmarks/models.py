"""Models that were not trained: weights are drawn at random, and what they are changes no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools import model, network

CLASSES = ("drink", "eat", "groom", "hang", "sniff", "rear", "rest", "walk", "eathand")
RATE = 30.0
SEED = 1
CURRENT = "current_system"


def make(name: str, folder: Path) -> Path:
    """A model of the current system, or of a network of prototxt/, in folder/name; one that is there is kept."""
    place = folder / name
    if not (place / "model.json").is_file():
        place.mkdir(parents=True, exist_ok=True)
        (make_current_system if name == CURRENT else make_network)(name, place)
    return place


def make_network(name: str, folder: Path) -> None:
    """A model of a network of prototxt/ with the weights that its fillers draw."""
    from tools.backend import load_caffe

    caffe = load_caffe()
    place = network.find_network(name)
    deploy = network.read_net(place / model.DEPLOY)
    network.write_message(folder / model.DEPLOY, deploy)
    (folder / model.TRAIN_VAL).write_bytes((place / model.TRAIN_VAL).read_bytes())
    caffe.set_random_seed(SEED)
    caffe.Net(str(folder / model.DEPLOY), caffe.TEST).save(str(folder / model.WEIGHTS))
    data = network.data_settings(network.read_net(place / model.TRAIN_VAL), "TEST", place / model.TRAIN_VAL)
    way = {"region": None, "stored_size": data["size"], "size": data["size"], "crop": data["crop"]}
    frames = data["batch_size"] * data["sequence_length"]
    _save(folder, name, data["streams"], {**way, "mean": data["mean"], "batch_size": frames}, model.SIGNED)


def make_current_system(name: str, folder: Path) -> None:
    """A current system with templates and weights drawn at random."""
    from current_system import sequence_model, system, templates
    from data_prep.position import FEATURES

    random = np.random.RandomState(SEED)
    halves = [random.rand(templates.KEPT // len(templates.SIZES), 4 * side * side) for side in templates.SIZES]
    patches = tuple((half / np.linalg.norm(half, axis=1, keepdims=True)).astype(np.float32) for half in halves)
    numbers = templates.KEPT + len(FEATURES)
    empty = sequence_model.zeros(len(CLASSES), numbers)
    weights = sequence_model.Weights(*(random.normal(size=part.shape) for part in empty))
    made = system.System(2, templates.Templates(patches), np.zeros(numbers), np.ones(numbers), weights)
    system.save(folder / system.FILE, made)
    _save(folder, name, [], {"region": None}, (system.FILE,))


def _save(folder: Path, name: str, streams: list[str], way: dict[str, Any], signed: Sequence[str]) -> None:
    info = {"network": name, "classes": list(CLASSES), "streams": streams, "preprocessing": way, "frame_rate": RATE}
    model.save(folder, {**info, "held_out": [], "settings": {}}, signed)
