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
from tools import metrics, model, scoring
from tools.arguments import command_line

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

    The folder has `model.json` and `current_system.npz`. The learning curve has one row, since nothing is chosen on the
    held-out videos. Raises InputError for wrong input, and where `output` holds anything else.
    """
    from current_system import system, video_maps
    from tools import provenance

    folder = Path(output)
    dataset = datasets.open_dataset(dataset_given)
    held_out = datasets.choose_videos(dataset, hold_out)
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
        found = _scores(made, dataset, held_out, labels)
        confusion = scoring.confusion_of(found, len(dataset.classes))
        first = datasets.prepared(dataset, trained[0]).meta
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
                "course": [{**state._asdict(), "gap": state.gap} for state in course],
                "data_fingerprint": settings["data"],
                "settings": settings,
                "command": command_line(
                    "train", [NAME, dataset_given], {"hold-out": ",".join(held_out), "seed": seed, "output": output}
                ),
                **provenance.describe(),
            },
            (system.FILE,),
        )
    if not quiet:
        last = course[-1]
        print(f"{output}: balanced accuracy {row['balanced_accuracy']:.3f} on {', '.join(held_out)}")
        print(
            f"{output}: after {last.passes} passes objective {last.primal:.4g}, dual {last.dual:.4g}, "
            f"relative gap {last.relative:.1%}"
        )
    return done


def scores(trained: model.Model, dataset: datasets.Dataset, stems: Sequence[str], quiet: bool) -> dict[str, Any]:
    """`scoring.Scores` of videos of a dataset, by their stem; the dataset's classes must be the model's, in order."""
    from current_system import system, video_maps

    if list(dataset.classes) != trained.classes:
        raise InputError(
            f"{dataset.path / 'classes.txt'}: other classes than the model's, {', '.join(trained.classes)}"
        )
    video_maps.prepare(dataset, stems, 1, quiet)
    labels = {stem: _labels(dataset, stem) for stem in stems}
    return _scores(system.load(trained.path / system.FILE), dataset, stems, labels)


def _labels(dataset: datasets.Dataset, stem: str) -> np.ndarray:
    return datasets.read_labels(dataset.labels(stem), dataset.classes, datasets.prepared(dataset, stem).frames)


def _scores(
    made: Any, dataset: datasets.Dataset, stems: Sequence[str], labels: dict[str, np.ndarray]
) -> dict[str, scoring.Scores]:
    from current_system import system, video_maps

    found = {}
    for stem in stems:
        shares = system.scores(made, video_maps.read(dataset, stem))[1]
        shown = np.flatnonzero(labels[stem] >= 0)
        found[stem] = scoring.Scores(shown, labels[stem][shown], shares[shown])
    return found
