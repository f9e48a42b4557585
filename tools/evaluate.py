"""`ethocaffe evaluate`: how well a model labels annotated videos."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep import metrics
from data_prep.errors import InputError
from data_prep.files import atomic_path, write_json
from tools import bouts, current, model, predictions
from tools.arguments import add_gpu, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model that `ethocaffe train` wrote")
    parser.add_argument("dataset", metavar="DATASET", help="a prepared dataset with annotations")
    parser.add_argument(
        "--videos",
        metavar="V,…",
        help="default: those held out when the model was trained, "
        "or all that are annotated where none of these is in the dataset",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder for metrics, plots and predictions")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that read frames (default 1)")
    add_gpu(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    evaluate(
        args.model, args.dataset, args.output, videos=args.videos, workers=args.workers, gpu=args.gpu, quiet=args.quiet
    )
    return 0


def evaluate(
    model_path: str | Path,
    dataset_path: str | Path,
    output: str | Path,
    *,
    videos: str | Sequence[str] | None = None,
    workers: int = 1,
    gpu: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure a model on videos of a dataset; returns what metrics.json holds.

    Writes to `output` metrics.json (last), confusion_matrix.csv and .png, and per video predictions.csv (its
    annotated frames) and ethogram.png.
    """
    from tools import backend, prepared_videos, provenance, scoring

    trained = model.load(model_path)
    dataset = datasets.open_dataset(dataset_path)
    stems = _videos(trained, dataset, videos)
    if trained.info["network"] == current.NAME:
        scores = current.scores(trained, dataset, stems, quiet)
    else:
        backend.use_device(gpu)
        seen = prepared_videos.read(trained, dataset, stems, workers=workers, label="evaluating", quiet=quiet)
        scores = {stem: scoring.scores_of(one) for stem, one in seen.items()}
    prepared = {stem: datasets.prepared(dataset, stem) for stem in stems}

    confusion = scoring.confusion_of(scores, len(trained.classes))
    whole = [_whole_video(scores[stem], prepared[stem].frames) for stem in stems]
    result = {
        **metrics.summary(confusion, trained.classes),
        "loss": scoring.loss_of(scores),
        "bouts": bouts.scores(
            np.concatenate([truth for truth, _ in whole]),
            np.concatenate([predicted for _, predicted in whole]),
            trained.classes,
        ),
        "videos": {stem: _of_video(scores[stem], trained) for stem in stems},
        "model": trained.hash,
        "network": trained.info["network"],
        "held_out": trained.info["held_out"],
        "dataset": str(dataset_path),
        "data_fingerprint": datasets.fingerprint(dataset, stems),
        **provenance.describe(),
    }
    _write(
        Path(output),
        trained,
        confusion,
        {stem: (scores[stem], prepared[stem], *labels) for stem, labels in zip(stems, whole)},
        result,
    )
    if not quiet:
        print(f"{', '.join(stems)}: {metrics.sentence(confusion, trained.classes)}")
    return result


def _videos(trained: model.Model, dataset: datasets.Dataset, videos: str | Sequence[str] | None) -> list[str]:
    if videos is not None:
        stems = datasets.choose_videos(dataset, videos)
        for stem in stems:
            if not dataset.labels(stem).is_file():
                raise InputError(f"{dataset.labels(stem)}: no such file; only annotated videos can be evaluated")
        return stems
    annotated = [stem for stem in dataset.videos if dataset.labels(stem).is_file()]
    if not annotated:
        raise InputError(f"{dataset.path / 'labels'}: no video is annotated; only annotated ones can be evaluated")
    return [stem for stem in trained.info["held_out"] if stem in annotated] or annotated


def _whole_video(scores: Any, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted class of every frame of a video, −1 where it is not annotated."""
    truth, predicted = np.full(frames, -1), np.full(frames, -1)
    truth[scores.frames] = scores.truth
    predicted[scores.frames] = scores.probabilities.argmax(axis=1)
    return truth, predicted


def _of_video(scores: Any, trained: model.Model) -> dict[str, Any]:
    predicted = scores.probabilities.argmax(axis=1)
    summary = metrics.summary(metrics.confusion_matrix(scores.truth, predicted, len(trained.classes)), trained.classes)
    return {key: summary[key] for key in ("balanced_accuracy", "accuracy", "frames", "classes_absent")}


def _write(
    folder: Path,
    trained: model.Model,
    confusion: np.ndarray,
    videos: dict[str, tuple[Any, ...]],
    result: dict[str, Any],
) -> None:
    from tools.plots.confusion import plot_confusion
    from tools.plots.ethogram import plot_ethogram

    for stem, (scores, video, truth, predicted) in videos.items():
        times = video.times
        predictions.write(
            folder / stem / "predictions.csv",
            scores.frames,
            times[scores.frames],
            scores.probabilities,
            trained.classes,
        )
        plot_ethogram(
            {"predicted": (times, predicted), "annotated": (times, truth)},
            trained.classes,
            folder / stem / "ethogram.png",
            stem,
        )
    write_confusion(folder / "confusion_matrix.csv", confusion, trained.classes)
    plot_confusion(confusion, trained.classes, folder / "confusion_matrix.png", trained.info["network"])
    write_json(folder / "metrics.json", result)


def write_confusion(path: Path, confusion: np.ndarray, classes: Sequence[str]) -> None:
    """Write counts as CSV: a row per true class, a column per predicted one."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true", *classes])
        writer.writerows([name, *counts] for name, counts in zip(classes, confusion.tolist()))
