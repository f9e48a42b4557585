"""What a training takes from its dataset: which videos, how they were prepared, and their normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep import position
from data_prep.errors import InputError
from python_layers import settings as data_settings
from tools import current_features, model

NOTHING = "none"  # --hold-out none: train on every annotated video
FRAME_RATES_DIFFER = 0.05  # relative, from which a line says so


def videos_to_train_on(dataset: datasets.Dataset, held_out: list[str]) -> tuple[list[str], list[str]]:
    """The annotated videos that are not held out, and lines to tell. Raises InputError where there is none."""
    rest = [stem for stem in dataset.videos if stem not in held_out]
    trained = [stem for stem in rest if dataset.labels(stem).is_file()]
    if not trained:
        raise InputError(
            f"{dataset.path / 'labels'}: no annotated video is left to train on; "
            "annotate another one, or hold fewer out"
        )
    left = [stem for stem in rest if stem not in trained]
    return trained, [f"not annotated, so not trained on: {', '.join(left)}"] if left else []


def features_given(
    features: str | Path | None, streams: list[str], held_out: list[str], origin: Path
) -> model.Model | None:
    """The current system whose features a network reads, given its model's folder; None where it reads none.

    Raises InputError where it is given and not read, read and not given, or was trained on a held-out video.
    """
    if "features" not in streams:
        if features:
            raise InputError(f"--features {features}: {origin} reads no features of a current system; leave it out")
        return None
    if not features:
        raise InputError(f"{origin}: reads the features of a current system; give its model with --features")
    if len(streams) > 1:
        raise InputError(f"{origin}: reads features beside {', '.join(streams)}; they can only be alone")
    return current_features.read_system(features, held_out)


def stored(
    dataset: datasets.Dataset, videos: dict[str, datasets.Prepared], size: int, streams: list[str]
) -> dict[str, Any]:
    """How the videos' frames were stored; it must be the same for all. With a position also where the feeder is, if
    `prepare` was told."""
    crops = {stem: video.meta.get("crop") for stem, video in videos.items()}
    first = next(iter(videos))
    for stem, video in videos.items():
        if video.meta["size"] != size:
            raise InputError(
                f"{video.path}: prepared with {video.meta['size']} pixels a side, but the network "
                f"reads {size}; run `ethocaffe prepare {dataset.path} --size {size}`"
            )
        if crops[stem] != crops[first]:
            raise InputError(
                f"{video.path}: prepared with another --crop ({crops[stem]}) than {first} "
                f"({crops[first]}); run `ethocaffe prepare` with one for all"
            )
    stored = {"region": crops[first], "stored_size": size}
    if "position" not in streams:
        return stored
    feeders = {stem: position.feeder_text(video.meta) for stem, video in videos.items()}
    for stem, video in videos.items():
        if feeders[stem] != feeders[first]:
            raise InputError(
                f"{video.path}: prepared with another --feeder ({feeders[stem]}) than {first} "
                f"({feeders[first]}); run `ethocaffe prepare` with one for all"
            )
    meta = videos[first].meta
    return {**stored, "feeder": meta["feeder"]} if "feeder" in meta else stored


def class_notes(
    dataset: datasets.Dataset, trained: list[str], held_out: list[str], frames: dict[str, int]
) -> list[str]:
    """Lines about classes that a held-out video shows and no training video does, and the other way round."""

    def present(stems: list[str]) -> set[str]:
        labels = [datasets.read_labels(dataset.labels(stem), dataset.classes, frames[stem]) for stem in stems]
        return {dataset.classes[index] for index in np.unique(np.concatenate(labels)) if index >= 0}

    def listed(names: set[str]) -> str:
        return ", ".join(name for name in dataset.classes if name in names)

    known = present(trained)
    if not known:
        raise InputError(f"{dataset.path / 'labels'}: no frame of {', '.join(trained)} is annotated")
    notes = []
    if held_out:
        tested = present(held_out)
        if not tested:
            raise InputError(
                f"{dataset.path / 'labels'}: no frame of {', '.join(held_out)} is annotated, "
                "so nothing can be validated on; hold another video out"
            )
        if tested - known:
            notes.append(f"absent from the training videos, so it cannot be learned: {listed(tested - known)}")
        if known - tested:
            notes.append(f"absent from the held-out videos, so it is not validated: {listed(known - tested)}")
    else:
        notes.append("no video is held out: the scores are those of the training videos themselves")
    nowhere = set(dataset.classes) - known - (tested if held_out else set())
    return [*notes, f"annotated nowhere: {listed(nowhere)}"] if nowhere else notes


def frame_rate(videos: dict[str, datasets.Prepared]) -> tuple[float, list[str]]:
    """The usual rate in frames per second, and a line about videos of another."""
    rates = {stem: float(video.meta["fps"]) for stem, video in videos.items()}
    usual = float(np.median(list(rates.values())))
    others = [f"{stem} ({rate:.2f})" for stem, rate in rates.items() if abs(rate - usual) > FRAME_RATES_DIFFER * usual]
    if not others:
        return usual, []
    return usual, [
        f"frame rates differ from {usual:.2f} per second, so motion spans another time: " + ", ".join(others)
    ]


def means(videos: dict[str, datasets.Prepared], stream: str) -> dict[str, list[float]]:
    """What `normalisation` takes of a stream that was prepared."""
    return {stem: video.meta["mean"][stream] for stem, video in videos.items()}


def normalisation(
    frames: dict[str, int], means: dict[str, dict[str, list[float]]]
) -> dict[str, dict[str, list[float]]]:
    """The data layer's `mean` and, for streams of numbers, `deviation`, over the training videos alone.

    `frames` of each training video; `means` per stream and video: of each channel over its frames, of numbers those
    of `position.moments`.
    """
    weights = np.array(list(frames.values()), np.float64)
    found: dict[str, dict[str, list[float]]] = {"mean": {}}
    for stream, of_video in means.items():
        mean = weights @ np.array([of_video[stem] for stem in frames], np.float64) / weights.sum()
        if stream in data_settings.VECTORS:
            found["mean"][stream], deviation = position.normalisation(mean)
            found.setdefault("deviation", {})[stream] = deviation
        else:
            found["mean"][stream] = [round(float(value), 4) for value in mean]
    return found
