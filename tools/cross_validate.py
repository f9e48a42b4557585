"""`ethocaffe cross-validate`: a network trained once per fold, each fold a process of its own."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json, write_json
from data_prep.progress import Progress
from tools import current, folds, model, network, processes, provenance, spread
from tools.arguments import add_quiet, command_line, positive
from tools.train import SETTINGS, add_settings, settings_of

ON_CPU, ON_GPU = ("--workers", "0"), ("--workers", "2")  # processes that read frames for a training
STATE = Path("snapshots") / "state.json"  # of tools.training_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="as for `ethocaffe train`")
    parser.add_argument("dataset", metavar="DATASET", help="a dataset that `ethocaffe prepare` has prepared")
    parser.add_argument("--output", required=True, metavar="DIR", help="a folder per fold goes there, and the results")
    parser.add_argument(
        "--folds",
        type=positive,
        metavar="K",
        help="default: as many as annotated videos, one held out in each; fewer share the videos out in turn",
    )
    parser.add_argument(
        "--allow-missing-classes",
        action="store_true",
        help="go on where a fold's training videos lack a class that others show",
    )
    add_settings(parser)
    spread.add_arguments(parser, "trainings")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    cross_validate(
        args.network,
        args.dataset,
        args.output,
        count=args.folds,
        allow_missing=args.allow_missing_classes,
        settings=settings_of(args),
        where=places_of(args),
        where_given=spread.options_of(args),
        quiet=args.quiet,
    )
    return 0


def places_of(args: argparse.Namespace) -> spread.Where:
    """Where trainings run."""
    return spread.where_of(args, ON_CPU, ON_GPU)


def cross_validate(
    network_given: str,
    dataset_path: str | Path,
    output: str | Path,
    *,
    count: int | None = None,
    allow_missing: bool = False,
    settings: Mapping[str, Any] | None = None,
    where: spread.Where | None = None,
    where_given: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train and measure every fold; returns what metrics.json holds (`folds.summary`, and where it comes from).

    `settings` are those of tools.train.SETTINGS; `where` the folds are trained, by default one on a core, and
    `where_given` the options that said so. Folds that are trained already are kept, interrupted ones gone on
    with. Writes to `output` a model and a log per fold, folds.csv, confusion_matrix.csv and .png,
    learning.png, and metrics.json last. Raises InputError for wrong input, RuntimeError where a training fails.
    """
    folder = Path(output)
    given = dict(settings or {})
    places = processes.slots(None, None, ON_CPU, ON_GPU) if where is None else where
    if network_given == current.NAME:
        current.refuse_settings(given, current.SETTINGS, "the current system")
    else:
        current.refuse_settings(given, SETTINGS, "a network")
        network.read_net(network.find_network(network_given) / model.TRAIN_VAL)
    dataset = datasets.open_dataset(dataset_path)
    parts = folds.make_folds(dataset, count)
    for line in folds.check_folds(dataset, parts, allow_missing):
        if not quiet:
            print(line)
    if folder.is_file():
        raise InputError(f"{folder}: is a file; name a folder with --output")
    orders = [
        training(
            fold.name,
            network_given,
            dataset_path,
            fold.held_out,
            folder / fold.name,
            {**given, "features": _of_fold(given.get("features"), fold)},
        )
        for fold in parts
    ]
    one_step = network_given == current.NAME
    iterations = 1 if one_step else given.get("iterations") or _max_iter(network_given, given.get("solver"))
    with Progress(len(orders) * iterations, "iterations", "cross-validating", quiet) as progress:
        faults = train_all(orders, places, iterations, progress)
    if faults:
        raise RuntimeError("; ".join(map(str, faults)))
    infos = [trained_fold(folder / fold.name) for fold in parts]
    outcomes = [outcome(fold.name, info) for fold, info in zip(parts, infos)]
    options = {"output": output, "folds": count, **(where_given or {})}
    result = {
        **folds.summary(outcomes),
        "network": infos[0]["network"],
        "simulated": dataset.simulated,
        "dataset": str(dataset_path),
        "data_fingerprint": datasets.fingerprint(dataset, [stem for fold in parts for stem in fold.held_out]),
        "seed": infos[0]["seed"],
        "command": command_line("cross-validate", [network_given, dataset_path], {**options, **dashed(given)}),
        **provenance.describe(),
    }
    _write(folder, outcomes, result)
    if not quiet:
        print(_sentence(result))
    return result


def training(
    name: str,
    network_given: str,
    dataset: str | Path,
    held_out: Sequence[str],
    output: Path,
    settings: Mapping[str, Any],
) -> processes.Job:
    """The `ethocaffe train` of one fold into the folder `output`; its log lies beside that. `settings` as for
    `cross_validate`."""
    options = {"hold-out": ",".join(held_out), "output": output, **dashed(settings)}
    given = [f"--{option}={value}" for option, value in options.items() if value is not None]
    log = output.with_name(f"{output.name}.log")
    return processes.Job(name, ["train", network_given, str(dataset), *given], output, log)


def _of_fold(features: str | None, fold: folds.Fold) -> str | None:
    """The current system for a fold, given one, or the folder of its cross-validation."""
    own = Path(features) / fold.name if features else None
    return str(own) if own and own.is_dir() else features


def dashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names of their options."""
    return {name.replace("_", "-"): settings.get(name) for name in (*SETTINGS, *current.SETTINGS)}


def train_all(
    orders: Sequence[processes.Job],
    places: spread.Where,
    iterations: int,
    progress: Progress,
    ended: Callable[[spread.Ended], None] | None = None,
) -> list[spread.Ended]:
    """Run those trainings that have not ended; returns the faults. `iterations` are those of each."""
    left = [order for order in orders if not (order.output / "model.json").is_file()]
    progress.skip((len(orders) - len(left)) * iterations)

    def done(order: processes.Job) -> int:
        return iterations_done(order.output, iterations)

    for order in left:
        progress.skip(done(order))
    return spread.run_jobs(left, places, done, progress, ended)


def iterations_done(folder: Path, iterations: int) -> int:
    """Iterations of a training's last checkpoint; all of them once its model is there."""
    if (folder / "model.json").is_file():
        return iterations
    state = folder / STATE
    return min(read_json(state)["iteration"], iterations) if state.is_file() else 0


def trained_fold(folder: Path) -> dict[str, Any]:
    """What a trained fold's model.json says, its learning curve included."""
    info = model.load(folder).info
    if "curve" not in info:
        raise InputError(f"{folder / 'model.json'}: holds no learning curve; remove the folder and train it again")
    return info


def outcome(name: str, info: Mapping[str, Any]) -> folds.Outcome:
    """What `folds.summary` takes of a fold of that name and its `trained_fold`."""
    return folds.Outcome(name, info["classes"], info["curve"])


def _max_iter(network_given: str, solver: str | None) -> int:
    file = Path(solver) if solver else network.find_solver(network.find_network(network_given))
    return max(network.read_solver(file).max_iter, 1)


def _write(folder: Path, outcomes: Sequence[folds.Outcome], result: Mapping[str, Any]) -> None:
    from tools.evaluate import write_confusion
    from tools.plots.confusion import plot_confusion
    from tools.plots.learning import plot_learning

    pooled = np.array(result["pooled"]["confusion"])
    classes = result["pooled"]["classes"]
    title = result["network"] + (", simulated data" if result["simulated"] else "")
    with atomic_path(folder / "folds.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        columns = list(result["folds"][0])
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in result["folds"]:
            writer.writerow({**row, "classes_absent": ";".join(row["classes_absent"])})
    write_confusion(folder / "confusion_matrix.csv", pooled, classes)
    plot_confusion(pooled, classes, folder / "confusion_matrix.png", title)
    if "train_loss" not in outcomes[0].curve[0]:  # the current system's, which has no curve
        write_json(folder / "metrics.json", dict(result))
        return
    curves = {
        one.fold: {name: np.array([row[name] for row in one.curve]) for name in one.curve[0] if name != "confusion"}
        for one in outcomes
    }
    plot_learning(curves, folder / "learning.png", title)
    write_json(folder / "metrics.json", dict(result))


def _sentence(result: Mapping[str, Any]) -> str:
    own, own_spread, fair, fair_spread = (
        f"{result[name]:.3f}" for name in ("balanced_accuracy", "spread", "honest_balanced_accuracy", "honest_spread")
    )
    return (
        f"balanced accuracy {own} ± {own_spread} over {len(result['folds'])} folds, each at its own best iteration, as "
        f"the thesis reports; {fair} ± {fair_spread} with the iteration chosen on the others"
    )
