"""The current system (`current_system/`) behind the same commands as the networks."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep import metrics
from data_prep.errors import InputError
from data_prep.files import locked
from data_prep.progress import Progress
from tools import bouts, model, prepared_videos, scoring
from tools.arguments import command_line, positive
from tools.training_data import NOTHING

NAME = "current_system"
SEED = 15485863  # the thesis's, as for the networks
SETTINGS = ("order", "strength", "passes", "weighting")
WEIGHTINGS = ("classes", "frames")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What a training of the current system can be given besides the seed: SETTINGS."""
    group = parser.add_argument_group("of current_system alone")
    group.add_argument(
        "--order", type=int, choices=(0, 1, 2), help="of the transitions: 2, the thesis's (default), 1, or 0 for none"
    )
    group.add_argument("--strength", type=_above_zero, metavar="λ", help="of the SVM's regularisation (default 0.001)")
    group.add_argument("--passes", type=positive, metavar="N", help="through the training sequences at most")
    group.add_argument(
        "--weighting", choices=WEIGHTINGS, help="whether an error costs the same in all classes (default) or all frames"
    )


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def refuse_settings(given: Mapping[str, Any], own: Sequence[str], whose: str) -> None:
    """Raise InputError where a setting is given that is not among a system's `own`."""
    foreign = [name for name, value in given.items() if value is not None and name not in (*own, "seed")]
    if foreign:
        told = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise InputError(f"{told}: {whose} has no such setting; leave it out")


def options_of(given: Mapping[str, Any]) -> Any:
    """`system.Options` with those of SETTINGS that are given."""
    from current_system.system import Options

    names = {"order": "order", "strength": "strength", "passes": "max_passes"}
    changed = {names[key]: given[key] for key in names if given.get(key) is not None}
    if given.get("weighting") is not None:
        changed["weighted"] = given["weighting"] == "classes"
    return Options()._replace(**changed)


def train(
    dataset_given: str | Path,
    hold_out: str | Sequence[str],
    output: str | Path,
    seed: int | None = None,
    quiet: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> model.Model:
    """Train the current system on all annotated videos but those held out, or return the one that is there.

    `settings`: of SETTINGS, those that are not default. `hold_out` "none" trains on all, and the scores are then those
    of the training videos themselves. The folder has `model.json` and `current_system.npz`. The learning curve has one
    row: nothing is chosen on the held-out videos. Raises InputError for wrong input, and where `output` holds anything
    else.
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
    given = {name: (settings or {}).get(name) for name in SETTINGS}
    options = options_of(given)
    identity = {
        **options._asdict(),
        "held out": held_out,
        "seed": seed,
        "data": datasets.fingerprint(dataset, (*trained, *held_out)),
    }
    if (folder / "model.json").is_file():
        there = model.load(folder)
        model.refuse_other_settings(folder, there.info["settings"], identity, "was trained")
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
                "data_fingerprint": identity["data"],
                "settings": identity,
                "command": command_line(
                    "train",
                    [NAME, dataset_given],
                    {"hold-out": ",".join(held_out) or NOTHING, **given, "seed": seed, "output": output},
                ),
                **provenance.describe(),
            },
            (system.FILE,),
        )
    if not quiet:
        last = course[-1]
        print(f"{output}: balanced accuracy {row['balanced_accuracy']:.3f} on {', '.join(validated)}")
        print(
            f"{output}: after {last.passes} passes objective {last.primal:.4g}, dual {last.dual:.4g}, "
            f"relative gap {last.relative:.1%}"
        )
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
