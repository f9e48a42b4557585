"""A trained model over the annotated frames of a prepared dataset's videos, without decoding them again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from current_system import system
from data_prep import dataset as datasets
from data_prep import position
from data_prep.errors import InputError
from data_prep.progress import Progress
from tools import current_features, model, network, scoring


def read(
    trained: model.Model,
    dataset: datasets.Dataset,
    stems: Sequence[str],
    blobs: Sequence[str] = (),
    *,
    workers: int = 1,
    label: str = "reading",
    quiet: bool = False,
) -> dict[str, scoring.Seen]:
    """What a model's blobs hold of videos, the blob of the classes' scores first, then `blobs`; truths are in the
    model's order of classes.

    Raises InputError where a video is not prepared as the model's were, a class is unknown to it, or a blob is wrong.
    """
    data: dict[str, Any] = {}
    if "features" in trained.streams:
        file = trained.path / system.FILE
        data["features"] = str(current_features.prepare(dataset, stems, file, trained.preprocessing, quiet).resolve())
    else:
        for stem in stems:
            _check_preparation(trained, dataset, datasets.prepared(dataset, stem, trained.streams))
    origin = trained.path / model.TRAIN_VAL
    with tempfile.TemporaryDirectory() as folder:
        scorer = scoring.Scorer(
            network.read_net(origin),
            origin,
            Path(folder) / "net.prototxt",
            videos=list(stems),
            dataset=str(dataset.path.resolve()),
            workers=workers,
            **data,
        )
        scorer.net.copy_from(str(trained.path / model.WEIGHTS))
        with Progress(scorer.batches, "batches", label, quiet) as progress:
            seen = scorer.read([scorer.score_blob, *blobs], progress)
    return {stem: one._replace(truth=in_model_order(one.truth, dataset, trained)) for stem, one in seen.items()}


def _check_preparation(trained: model.Model, dataset: datasets.Dataset, video: datasets.Prepared) -> None:
    """Raise InputError if the video was prepared in another way than the model's training videos."""
    own, other = (position.feeder_text(way) for way in (trained.preprocessing, video.meta))
    if "position" in trained.streams and own != other:
        raise InputError(
            f"{video.path}: prepared for a feeder at {other}, the model's videos for one at {own}; run "
            f"`ethocaffe prepare {dataset.path} --streams {','.join(trained.streams)} --feeder {own}`, with the --size "
            "and --crop of before"
        )
    wanted = (trained.preprocessing["stored_size"], trained.preprocessing["region"])
    found = (video.meta["size"], video.meta.get("crop"))
    if found != wanted:
        crop = f" --crop {','.join(map(str, wanted[1]))}" if wanted[1] else ""
        raise InputError(
            f"{video.path}: prepared with size {found[0]} and crop {found[1]}, the model's videos with "
            f"size {wanted[0]} and crop {wanted[1]}; run "
            f"`ethocaffe prepare {dataset.path} --size {wanted[0]}{crop}`"
        )


def in_model_order(truth: np.ndarray, dataset: datasets.Dataset, trained: model.Model) -> np.ndarray:
    """Class indices of the dataset as those of the model, by name. Raises InputError for one that it does not know."""
    for index in np.unique(truth):
        if dataset.classes[index] not in trained.classes:
            raise InputError(
                f"{dataset.path / 'classes.txt'}: the model does not know the class "
                f"{dataset.classes[index]!r} (it knows {', '.join(trained.classes)})"
            )
    order = [trained.classes.index(name) if name in trained.classes else -1 for name in dataset.classes]
    return np.array(order)[truth]
