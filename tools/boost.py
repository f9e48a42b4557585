"""`ethocaffe boost`: AdaBoost on a trained network's features, for rare classes, beside the plain network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep import metrics
from data_prep.errors import InputError, warn
from data_prep.files import atomic_path, write_json
from data_prep.progress import Progress
from tools import model, predictions
from tools.arguments import add_gpu, add_quiet, command_line, positive

RARE = 0.02  # share of the training videos' annotated frames below which a class is called rare
LEAKAGE = (
    "The boosted trees were fitted to features of the frames that the network was trained on. It is surer of those "
    "than of new ones, so the trees trust the features more than they should; both are measured on videos that neither "
    "has seen."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model that `ethocaffe train` wrote, with videos held out")
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="the prepared dataset it was trained on: trees are fitted to its training videos' annotated frames, whose "
        "features are held in memory (4 bytes a value), and measured on those held out",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="the folder for metrics, plots and the held-out videos' predictions. The trees are not kept: the same "
        "command and seed fit them again",
    )
    parser.add_argument(
        "--estimators",
        type=positive,
        default=100,
        metavar="N",
        help="trees at most (default 100): one that makes no error on the training frames is the last",
    )
    parser.add_argument(
        "--depth",
        type=positive,
        default=1,
        metavar="D",
        help="of a tree at most (default 1, scikit-learn's own): deeper ones learn the training videos by heart sooner",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="K", help="settles ties between features (default 1)")
    parser.add_argument(
        "--blob",
        metavar="NAME",
        help="a blob of the model's train_val.prototxt with a row per frame; default: the one that the classes' scores "
        "are computed from",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that read frames (default 1)")
    add_gpu(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    boost(
        args.model,
        args.dataset,
        args.output,
        estimators=args.estimators,
        depth=args.depth,
        seed=args.seed,
        blob=args.blob,
        workers=args.workers,
        gpu=args.gpu,
        quiet=args.quiet,
    )
    return 0


def boost(
    model_path: str | Path,
    dataset_path: str | Path,
    output: str | Path,
    *,
    estimators: int = 100,
    depth: int = 1,
    seed: int = 1,
    blob: str | None = None,
    workers: int = 1,
    gpu: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Fit AdaBoost to the features of a model's training videos, and measure it and the plain network on those held
    out (thesis, section 6: "Boosting techniques such as Adaboost … are particularly promising, because … these videos
    have a very uneven distribution of actions"). Returns what metrics.json holds.

    The network was trained on the very frames whose features the trees are fitted to, and is surer of those than of
    others, so the trees trust the features too much (LEAKAGE, which every result says).
    Writes to `output` metrics.json (last), table.md, a confusion matrix of each as CSV and PNG, and per held-out video
    predictions.csv of the boosted trees. Raises InputError where the model, the dataset or the blob is wrong.
    """
    from tools import backend, boosting, network, prepared_videos, provenance, scoring

    trained = model.load_network(model_path)
    dataset = datasets.open_dataset(dataset_path)
    training, held_out = _videos(trained, dataset)
    origin = trained.path / model.TRAIN_VAL
    name = blob or network.feature_blob(network.read_net(origin), origin)
    backend.use_device(gpu)
    # Apart, as in `ethocaffe evaluate`: where a recurrent net starts afresh depends on what is read together.
    fitted_to, measured_on = (
        prepared_videos.read(trained, dataset, stems, [name], workers=workers, label=label, quiet=quiet)
        for stems, label in ((training, "reading training videos"), (held_out, "reading held-out videos"))
    )
    truth = np.concatenate([seen.truth for seen in fitted_to.values()])
    features = np.concatenate([seen.values[1] for seen in fitted_to.values()])
    if (features == features[0]).all():
        raise InputError(
            f"{trained.path}: blob {name!r} is the same for every training frame, so it tells nothing; train the "
            "network until it learns, or name another --blob"
        )
    with Progress(estimators, "trees", "boosting", quiet) as progress:
        boosted = boosting.fit(features, truth, len(trained.classes), estimators, depth, seed, progress)
    plain = {stem: scoring.scores_of(seen) for stem, seen in measured_on.items()}
    scores = {
        stem: score._replace(probabilities=boosting.probabilities(boosted, measured_on[stem].values[1]))
        for stem, score in plain.items()
    }
    confusions = {
        which: scoring.confusion_of(found, len(trained.classes))
        for which, found in (("plain", plain), ("boosted", scores))
    }
    options = {"output": output, "estimators": estimators, "depth": depth, "seed": seed, "blob": name, "gpu": gpu}
    result = {
        **{which: metrics.summary(confusion, trained.classes) for which, confusion in confusions.items()},
        **class_shares(truth, trained.classes),
        "note": LEAKAGE,
        "trees": boosted.trees,
        "estimators": estimators,
        "depth": depth,
        "seed": seed,
        "blob": name,
        "trained_on": training,
        "held_out": held_out,
        "model": trained.hash,
        "network": trained.info["network"],
        "simulated": dataset.simulated,
        "dataset": str(dataset_path),
        "data_fingerprint": datasets.fingerprint(dataset, [*training, *held_out]),
        "command": command_line("boost", [model_path, dataset_path], options),
        **provenance.describe(),
    }
    _write(Path(output), trained.classes, dataset, confusions, scores, result)
    if not quiet:
        print("\n".join(table(result)))
    return result


def class_shares(truth: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Frames of each class among class indices (frames,), and the names of those of less than RARE of them all."""
    frames = np.bincount(truth, minlength=len(classes))
    rare = [name for name, count in zip(classes, frames) if count < RARE * len(truth)]
    return {"training_frames": dict(zip(classes, frames.tolist())), "rare_share": RARE, "rare_classes": rare}


def table(result: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown: recalls of the plain network and of the boosted trees, rare classes marked."""
    plain, boosted = result["plain"], result["boosted"]
    data = "Simulated data. " if result["simulated"] else ""
    lines = [
        f"{data}{result['network']}, AdaBoost on {result['blob']} ({result['trees']} of {result['estimators']} trees "
        f"of depth {result['depth']}, seed {result['seed']}), on {', '.join(result['held_out'])}:",
        "",
        "| | training frames | frames | network | boosted |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, count in result["training_frames"].items():
        label = f"{name} (rare)" if name in result["rare_classes"] else name
        recalls = (_percent(one["per_class"][name]["recall"]) for one in (plain, boosted))
        lines.append(_row(label, count, plain["per_class"][name]["frames"], *recalls))
    total = sum(result["training_frames"].values())
    for name, key in (("balanced accuracy", "balanced_accuracy"), ("accuracy", "accuracy")):
        scores = (_percent(one[key]) for one in (plain, boosted))
        lines.append(_row(f"**{name}**", total, plain["frames"], *scores))
    rare = ", ".join(result["rare_classes"]) or "none here"
    mark = f"Rare: less than {100 * result['rare_share']:g} % of the training frames ({rare})."
    return [*lines, "", f"{mark} {result['note']}"]


def _row(*cells: Any) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _videos(trained: model.Model, dataset: datasets.Dataset) -> tuple[list[str], list[str]]:
    """The model's training videos and those held out, all of which must be in the dataset and annotated."""
    training, held_out = trained.info.get("trained_on"), trained.info["held_out"]
    if not training or not held_out:
        raise InputError(f"{trained.path}: no video was held out when it was trained; train one with --hold-out VIDEO")
    stems = datasets.choose_videos(dataset, [*training, *held_out])
    for stem in stems:
        if not dataset.labels(stem).is_file():
            raise InputError(f"{dataset.labels(stem)}: no such file, but the model was trained with it; restore it")
    if trained.info.get("data_fingerprint") not in (None, datasets.fingerprint(dataset, stems)):
        warn(f"{dataset.path}: not as it was when {trained.path} was trained")
    return stems[: len(training)], stems[len(training) :]


def _write(
    folder: Path,
    classes: list[str],
    dataset: datasets.Dataset,
    confusions: Mapping[str, np.ndarray],
    scores: Mapping[str, Any],
    result: Mapping[str, Any],
) -> None:
    from tools.evaluate import write_confusion
    from tools.plots.confusion import plot_confusion

    for stem, score in scores.items():
        times = datasets.prepared(dataset, stem).times[score.frames]
        predictions.write(folder / stem / "predictions.csv", score.frames, times, score.probabilities, classes)
    for which, confusion in confusions.items():
        title = f"{result['network']}, {which}" + (", simulated data" if result["simulated"] else "")
        write_confusion(folder / f"confusion_matrix_{which}.csv", confusion, classes)
        plot_confusion(confusion, classes, folder / f"confusion_matrix_{which}.png", title)
    with atomic_path(folder / "table.md") as temporary:
        temporary.write_text("\n".join(table(result)) + "\n", encoding="utf-8")
    write_json(folder / "metrics.json", dict(result))
