"""The current system (`current_system/`) behind the same commands as the networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import locked
from data_prep.progress import Progress
from tools import bouts, metrics, model, prepared_videos, scoring
from tools.arguments import command_line
from tools.training_data import NOTHING

NAME = "current_system"
SEED = 15485863  # the thesis's, as for the networks


def refuse_settings(given: dict[str, Any]) -> None:
    """Raise InputError where a setting of networks is given for a system that has none of it."""
    foreign = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None and name != "seed"]
    if foreign:
        raise InputError(f"{', '.join(foreign)}: the current system has no such setting; leave it out")


def train(
    dataset_given: str | Path, hold_out: str | Sequence[str], output: str | Path, seed: int | None, quiet: bool
) -> model.Model:
    """Train the current system on all annotated videos but those held out, or return the one that is there.

    `hold_out` "none" trains on all, and the scores are then those of the training videos themselves. The folder has
    `model.json` and `current_system.npz`. The learning curve has one row: nothing is chosen on the held-out videos.
    Raises InputError for wrong input, and where `output` holds anything else.
    """
    from current_system import system, video_maps
    from tools import provenance

    folder = Path(output)
    dataset = datasets.open_dataset(dataset_given)
    held_out = [] if hold_out == NOTHING else datasets.choose_videos(dataset, hold_out)
    annotated = [stem for stem in dataset.videos if dataset.labels(stem).is_file()]
    trained = [stem for stem in annotated if stem not in held_out]
    if not trained or not set(held_out) <= set(annotated):
        raise InputError(f"{dataset.path / 'labels'}: annotated videos are needed, to train on and to hold out")
    model.refuse_foreign(folder, {system.FILE})
    seed = SEED if seed is None else seed
    options = system.Options()
    settings = {
        **options._asdict(),
        "held out": held_out,
        "seed": seed,
        "data": datasets.fingerprint(dataset, (*trained, *held_out)),
    }
    if (folder / "model.json").is_file():
        there = model.load(folder)
        model.refuse_other_settings(folder, there.info["settings"], settings, "was trained")
        return there
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        video_maps.prepare(dataset, [*trained, *held_out], 1, quiet)
        labels = {stem: _labels(dataset, stem) for stem in (*trained, *held_out)}
        _check_classes(dataset, trained, labels)
        started = time.monotonic()
        with Progress(options.max_passes, "passes", "SVM-HMM", quiet) as progress:
            made, course = system.train(
                [video_maps.read(dataset, stem) for stem in trained],
                [labels[stem] for stem in trained],
                len(dataset.classes),
                options,
                seed,
                lambda state: progress.update(state.passes - progress.done),
            )
        seconds = time.monotonic() - started
        system.save(folder / system.FILE, made)
        validated = held_out or trained
        found = _scores(made, dataset, validated, labels)
        confusion = scoring.confusion_of(found, len(dataset.classes))
        videos = {stem: datasets.prepared(dataset, stem) for stem in (*trained, *held_out)}
        first = videos[trained[0]].meta
        row = {
            "iteration": course[-1].passes,
            "validation_loss": scoring.loss_of(found),
            "accuracy": metrics.accuracy(confusion),
            "balanced_accuracy": metrics.balanced_accuracy(confusion),
            "seconds": seconds,
            "confusion": confusion.tolist(),
        }
        done = model.save(
            folder,
            {
                "network": NAME,
                "classes": list(dataset.classes),
                "streams": [],
                "preprocessing": {"region": first.get("crop"), "feeder": first.get("feeder")},
                "frame_rate": first["fps"],
                "trained_on": trained,
                "held_out": held_out,
                "seed": seed,
                "validation": metrics.summary(confusion, dataset.classes),
                "seconds_per_step": seconds / course[-1].passes,
                "seconds_per_validation": 0.0,
                "curve": [row],
                "labelled": {stem: _bouts(found[stem], videos[stem].frames) for stem in validated},
                "course": [{**state._asdict(), "gap": state.gap} for state in course],
                "data_fingerprint": settings["data"],
                "settings": settings,
                "command": command_line(
                    "train",
                    [NAME, dataset_given],
                    {"hold-out": ",".join(held_out) or NOTHING, "seed": seed, "output": output},
                ),
                **provenance.describe(),
            },
            (system.FILE,),
        )
    if not quiet:
        last = course[-1]
        print(f"{output}: balanced accuracy {row['balanced_accuracy']:.3f} on {', '.join(validated)}")
        print(f"{output}: after {last.passes} passes objective {last.primal:.4g}, dual {last.dual:.4g}")
    return done


def scores(trained: model.Model, dataset: datasets.Dataset, stems: Sequence[str], quiet: bool) -> dict[str, Any]:
    """`scoring.Scores` of videos of a dataset, by their stem; truths are in the model's order of classes.

    Raises InputError where the dataset's labels show a class that the model does not know.
    """
    from current_system import system, video_maps

    video_maps.prepare(dataset, stems, 1, quiet)
    labels = {stem: _labels(dataset, stem) for stem in stems}
    found = _scores(system.load(trained.path / system.FILE), dataset, stems, labels)
    return {
        stem: one._replace(truth=prepared_videos.in_model_order(one.truth, dataset, trained))
        for stem, one in found.items()
    }


def _check_classes(dataset: datasets.Dataset, trained: Sequence[str], labels: dict[str, np.ndarray]) -> None:
    present = np.unique(np.concatenate([labels[stem] for stem in trained]))
    if (present >= 0).sum() < 2:
        raise InputError(
            f"{dataset.path / 'labels'}: the videos to train on ({', '.join(trained)}) show fewer than two classes; "
            "annotate more of them"
        )


def _bouts(scores: scoring.Scores, frames: int) -> list[bouts.Bout]:
    """The bouts that were found in the annotated frames of a video."""
    labels = np.full(frames, datasets.NOT_ANNOTATED)
    labels[scores.frames] = scores.probabilities.argmax(axis=1)
    return [bout for bout in bouts.find_bouts(labels) if bout.label >= 0]


def _labels(dataset: datasets.Dataset, stem: str) -> np.ndarray:
    return datasets.read_labels(dataset.labels(stem), dataset.classes, datasets.prepared(dataset, stem).frames)


def _scores(
    made: Any, dataset: datasets.Dataset, stems: Sequence[str], labels: dict[str, np.ndarray]
) -> dict[str, scoring.Scores]:
    from current_system import system, video_maps

    found = {}
    for stem in stems:
        shares = system.shares(made, system.frame_scores(made, video_maps.read(dataset, stem)))
        shown = np.flatnonzero(labels[stem] >= 0)
        found[stem] = scoring.Scores(shown, labels[stem][shown], shares[shown])
    return found
