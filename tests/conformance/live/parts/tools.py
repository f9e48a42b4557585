"""This project's own commands, unchanged on both sides: train, evaluate, predict, also with the other side's model."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from live.report import Section, pairs, worst

TITLE = "Commands of this project"
ITERATIONS = 20
SAME, OWN = 1e-5, 1e-3  # with the same weights (probabilities are written to six places); each with its own
MODELS = ("engine", "real")


def prepare(box) -> None:
    """A small dataset, prepared, and a small network."""
    from live.sides import REPOSITORY

    sys.path.append(str(REPOSITORY / "tests" / "integration"))
    import tiny

    from data_prep.prepare import prepare as prepare_dataset

    tiny.write_dataset(box / "tiny")
    prepare_dataset(box / "tiny", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(box / "tiny_net")


def rounds() -> list:
    return [["train"], [f"{command} with {model}'s" for command in ("evaluate", "predict") for model in MODELS]]


def run(caffe, name: str, side: str) -> dict:
    from tools import cli

    command = name.split()[0]
    if command == "train":
        output = f"tiny_model_{side}"
        arguments = ["tiny_net", "tiny", "--hold-out", "v2", "--iterations", str(ITERATIONS), "--validate-every", "10",
                     "--workers", "0", "--output", output]
    else:
        model = "tiny_model_" + name.split()[-1][:-2]
        output = f"tiny_{command}_{model}_{side}"
        what = "tiny" if command == "evaluate" else "tiny/videos/v2.mp4"
        arguments = [model, what, "--output", output]
    if cli.main([command, *arguments]):
        raise RuntimeError(f"ethocaffe {command} {' '.join(arguments)} failed")
    if command == "train":
        return trained(caffe, Path(output))
    folder = Path(output) / "v2"
    found = {f"{column}": values for column, values in columns(folder / "predictions.csv").items()}
    if command == "evaluate":
        found["metrics balanced_accuracy"] = np.asarray(
            json.loads((Path(output) / "metrics.json").read_text())["balanced_accuracy"])
    return found


def trained(caffe, model: Path) -> dict:
    """The weights and the learning curve."""
    net = caffe.proto.caffe_pb2.NetParameter()
    net.ParseFromString((model / "weights.caffemodel").read_bytes())
    found = {f"weights {layer.name}/{i}": np.asarray(blob.data, np.float32)
             for layer in net.layer for i, blob in enumerate(layer.blobs)}
    found.update((f"curve {name}", values) for name, values in columns(model / "learning_curve.csv").items()
                 if name != "seconds")
    return found


def columns(file: Path) -> dict:
    """{`column`: numbers} of a CSV file; a column of words is left out."""
    with open(str(file), newline="") as source:
        table = list(csv.DictReader(source))
    found = {}
    for name in table[0]:
        try:
            found[name] = np.asarray([float(row[name] or "nan") for row in table])
        except ValueError:
            continue
    return found


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    rows = []
    for name in (name for names in rounds() for name in names):
        if name in both:
            own = {name: both[name]}
            error = worst(own, OWN if name == "train" else SAME)
            model = name.partition(" ")[2]
            rows.append((f"`ethocaffe {name.split()[0]}`", model and f"{model} model", len(both[name][0]), error,
                         f"`{error.where}`" if error.where else ""))
    text = f"""
The same commands with the same files, in real Caffe and in the engine: {ITERATIONS} iterations on three small
videos (momentum, dropout, BatchNorm), then the evaluation and the labelling of the video held out, each side with
its own model and with the other's. Compared are the weights, the learning curve, the probabilities and the balanced
accuracy; limits {OWN:.0e} of trainings, {SAME:.0e} of the rest (probabilities are written to six places)."""
    return Section(TITLE, text, ("command", "model", "arrays", "difference", "worst at"), rows, faults)
