"""`ethocaffe plot`: confusion matrices, learning curves and ethograms from what the other commands wrote."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import read_json
from tools import model, predictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="confusion|learning|ethogram", required=True)
    for name, (_, inputs, purpose) in KINDS.items():
        kind = kinds.add_parser(name, help=purpose, description=purpose)
        kind.add_argument("inputs", metavar="INPUT", nargs="+", help=inputs)
        kind.add_argument("--output", required=True, metavar="PNG", help="the picture to write")
        kind.add_argument("--title", default="", help="written above the picture")


def run(args: argparse.Namespace) -> int:
    KINDS[args.kind][0](args.inputs, args.output, args.title)
    return 0


def confusion(inputs: Sequence[str], output: str | Path, title: str = "") -> None:
    """Draw one confusion matrix: a confusion_matrix.csv, or a folder or metrics.json of `ethocaffe evaluate`."""
    from tools.plots.confusion import plot_confusion

    if len(inputs) != 1:
        raise InputError("plot confusion takes one INPUT; draw the matrices one by one")
    path = Path(inputs[0])
    if path.is_dir():
        path = path / "confusion_matrix.csv"
    counts, classes = _read_metrics(path) if path.suffix == ".json" else _read_confusion(path)
    plot_confusion(counts, classes, output, title)


def learning(inputs: Sequence[str], output: str | Path, title: str = "") -> None:
    """Draw the learning curves of models, or of learning_curve.csv files, into one picture."""
    from tools.plots.learning import plot_learning

    plot_learning({_model_name(Path(given), inputs): _read_curve(Path(given)) for given in inputs}, output, title)


def ethogram(inputs: Sequence[str], output: str | Path, title: str = "") -> None:
    """Draw predictions and labels of one video below each other."""
    from tools.plots.ethogram import plot_ethogram

    tracks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    classes: list[str] = []
    times = np.zeros(0)
    for given in inputs:
        path = Path(given) / "predictions.csv" if Path(given).is_dir() else Path(given)
        names, own_times, labels = _read_track(path, times)
        if classes and names != classes:
            raise InputError(
                f"{path}: its classes ({', '.join(names)}) are not those of {inputs[0]} ({', '.join(classes)})"
            )
        classes, times = names, own_times if len(own_times) > len(times) else times
        tracks[_track_name(path, tracks)] = (own_times, labels)
    plot_ethogram(tracks, classes, output, title)


KINDS = {
    "confusion": (
        confusion,
        "a confusion_matrix.csv, or a folder or metrics.json of `ethocaffe evaluate`",
        "a confusion matrix, rows in percent, with the balanced accuracy",
    ),
    "learning": (
        learning,
        "models, finished or still training, or learning_curve.csv files",
        "loss and balanced accuracy over the iterations, of several models in one picture",
    ),
    "ethogram": (
        ethogram,
        "predictions.csv files, folders of `ethocaffe predict`, or label files, all of one video",
        "which behaviour at which time; several labellings below each other",
    ),
}


def _read_metrics(path: Path) -> tuple[np.ndarray, list[str]]:
    content = read_json(path)
    try:
        return np.array(content["confusion"], np.int64), list(content["classes"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: holds no confusion matrix; name a metrics.json of `ethocaffe evaluate`") from None


def _read_confusion(path: Path) -> tuple[np.ndarray, list[str]]:
    lines = _read_csv(path)
    try:
        classes = lines[0][1:]
        if [line[0] for line in lines[1:]] != classes:
            raise ValueError("rows and columns name different classes")
        counts = np.array([line[1:] for line in lines[1:]]).astype(np.int64)
        return counts.reshape(len(classes), len(classes)), classes
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: is not a confusion matrix ({error}); name what `ethocaffe evaluate` wrote") from None


def _read_curve(path: Path) -> dict[str, np.ndarray]:
    path = path / model.CURVE if path.is_dir() else path
    lines = _read_csv(path)
    try:
        values = np.array(lines[1:]).astype(float)
        curve = {name: values[:, at] for at, name in enumerate(lines[0])}
        if not {"iteration", "train_loss", "validation_loss", "accuracy", "balanced_accuracy"} <= set(curve):
            raise ValueError("columns are missing")
        return curve
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: is not a learning curve ({error}); name what `ethocaffe train` wrote") from None


def _model_name(path: Path, inputs: Sequence[str]) -> str:
    """The shortest end of the path that no other input shares."""
    parts = path.resolve().parts if path.is_dir() else path.resolve().parent.parts
    same = [Path(other).resolve() for other in inputs if Path(other) != path]
    for length in range(1, len(parts) + 1):
        name = "/".join(parts[-length:])
        if not any(str(other).rstrip("/").endswith("/" + name) for other in same):
            return name
    return str(path)


def _read_track(path: Path, times: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Classes, times and class indices of predictions, or of a label file, which has no times of its own."""
    lines = _read_csv(path)
    first = lines[0] if lines else []
    if tuple(first[:3]) == predictions.FIRST_COLUMNS:
        found = predictions.read(path)
        return found.classes, found.times, found.labels
    labels = datasets.read_labels(path, tuple(first[1:]))
    if len(times) == len(labels):
        return first[1:], times, labels
    raise InputError(
        f"{path}: has {len(labels)} rows and no times; name predictions of the same video before it"
        + (f" (those have {len(times)} frames)" if len(times) else "")
    )


def _track_name(path: Path, taken: Container[str]) -> str:
    name = path.parent.name if path.name == "predictions.csv" else path.stem
    return name if name not in taken else str(path)


def _read_csv(path: Path) -> list[list[str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(csv.reader(file))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV file ({error})") from None
