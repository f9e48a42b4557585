"""The command `ethocaffe reproduce`: from a dataset, or none, to the thesis's tables and figures."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.prepare import prepare
from data_prep.progress import Progress
from data_prep.simulate import simulate
from tools import folds, model, network, processes, spread
from tools.arguments import add_quiet, command_line, positive
from tools.cross_validate import places_of, train_all
from tools.reproduce import catalogue, stand_in, timing, trainings
from tools.reproduce.catalogue import PROFILES, Cell
from tools.reproduce.published import read_published
from tools.reproduce.report import write_results

# Without a dataset: short simulated videos, which must be balanced to show every class (a natural one takes 221 s).
VIDEOS, SECONDS, SEED, BALANCED = 8, 60, 1, True
STREAMS = ("shape", "motion", "position")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        nargs="?",
        help="annotated videos, prepared with --streams shape,motion,position; without it, a simulated home cage is "
        "made, prepared and used, and everything says so",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder for tables, figures and trainings")
    parser.add_argument(
        "--only", metavar="NAME,…", help=f"of {', '.join(catalogue.NAMES)}; default: all. What is there already stays"
    )
    parser.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        help="the thesis's networks and solver (full; default with a DATASET), or small ones for two CPU cores (mini; "
        "default without)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="bvlc_alexnet.caffemodel or bvlc_reference_caffenet.caffemodel, for what is pretrained; without it "
        "that is left out, or on the simulated home cage in the mini profile taken from a stand-in",
    )
    parser.add_argument("--folds", type=positive, metavar="K", help="default: one per annotated video")
    parser.add_argument("--solver", metavar="FILE", help="default: the profile's")
    parser.add_argument("--iterations", type=positive, metavar="N", help="of each training; default: the profile's")
    parser.add_argument("--validate-every", type=positive, metavar="N", help="default: the profile's")
    parser.add_argument(
        "--seed", type=int, metavar="K", help="default: the solver's random_seed, the thesis's 15485863"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="measure some steps and say what would be trained, and for how long"
    )
    spread.add_arguments(parser, "trainings")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    names = catalogue.chosen(args.only)
    places = places_of(args)
    setting = make_setting(args, places)
    published = [(row.table, Cell(row.features, row.pretrained, row.model)) for row in read_published()]
    cells = catalogue.cells_of(names, published)
    left_out = [cell for cell in cells if cell.pretrained and not setting.weights]
    if left_out and not args.quiet:
        print(f"no --weights, so not trained: {', '.join(cell.name for cell in left_out)}")
    parts = [(trainings.cell_record(setting, cell), cell.network) for cell in cells if cell not in left_out]
    parts += [(trainings.variant_record(setting, one), one.network) for one in catalogue.variants_of(names)]
    records = [record for record, _ in parts]
    if args.dry_run:
        missing = trainings.left(records)
        uncounted = (catalogue.CURRENT_SYSTEM, catalogue.FEATURES_LSTM)
        todo = [(record, name) for record, name in parts if record in missing and name not in uncounted]
        costs = timing.measure(setting, sorted({name for _, name in todo}), places, args.quiet)
        if len(todo) < len(missing):
            other = sum(len(record.jobs) for record in missing) - sum(len(record.jobs) for record, _ in todo)
            print(f"{' and '.join(uncounted)}: {other} trainings, whose time is not counted")
        print("\n".join(timing.forecast(setting, todo, costs, spread.at_once(places))))
        return 0
    if any(name == catalogue.FEATURES_LSTM and record in trainings.left(records) for record, name in parts):
        _train([trainings.current_system(setting)], 1, "current system, for its features", places, args.quiet)
    trainings.make_records(setting, records, places, args.quiet)
    write_results(setting)
    if not args.quiet:
        print(f"Open {setting.folder / 'report.html'}")
    return 0


def make_setting(args: argparse.Namespace, places: spread.Where) -> trainings.Setting:
    """Check everything that does not need a training; make the simulated home cage and the stand-in where needed."""
    folder = Path(args.output)
    if folder.is_file():
        raise InputError(f"{folder}: is a file; name a folder with --output")
    name = args.profile or ("full" if args.dataset else "mini")
    profile = PROFILES[name]
    solver = Path(args.solver or os.path.relpath(network.NETWORKS / profile.solver))
    rules = network.read_solver(solver)
    iterations = args.iterations or profile.iterations or max(rules.max_iter, 1)
    if args.weights and not Path(args.weights).is_file():
        raise InputError(f"{args.weights}: no such file; give a .caffemodel with --weights")
    path = Path(args.dataset) if args.dataset else _home_cage(folder, profile, args.quiet)
    dataset = datasets.open_dataset(path)
    parts = folds.make_folds(dataset, args.folds)
    for line in folds.check_folds(dataset, parts):
        if not args.quiet:
            print(line)
    weights, origin = (Path(args.weights), Path(args.weights).name) if args.weights else (None, None)
    if not args.weights and name == "mini" and dataset.simulated:
        weights, origin = _stand_in(folder / "work" / "stand_in", places, args.quiet), stand_in.STATEMENT
    options = {
        key.replace("_", "-"): getattr(args, key)
        for key in ("only", "profile", "weights", "folds", "solver", "iterations", "validate_every", "seed", "output")
    }
    return trainings.Setting(
        folder=folder,
        dataset=dataset,
        folds=parts,
        data=datasets.fingerprint(dataset, [stem for fold in parts for stem in fold.held_out]),
        profile=name,
        solver=solver,
        iterations=iterations,
        validate_every=min(
            args.validate_every or profile.validate_every or rules.test_interval or iterations, iterations
        ),
        seed=args.seed if args.seed is not None else max(rules.random_seed, 0),
        weights=weights,
        origin=origin,
        command=command_line("reproduce", [args.dataset] if args.dataset else [], options),
    )


def _home_cage(folder: Path, profile: catalogue.Profile, quiet: bool) -> Path:
    """The simulated home cage, prepared at the networks' size."""
    path = folder / "work" / "home_cage"
    if not (path / "simulation.json").is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        simulate(path, VIDEOS, SECONDS, SEED, BALANCED, os.cpu_count() or 1, quiet)
    place = network.NETWORKS / profile.folder / "shape" / "cnn" / model.TRAIN_VAL
    size = network.data_settings(network.read_net(place), "TRAIN", place)["size"]
    prepare(path, STREAMS, size, quiet=quiet)
    return path


def _stand_in(folder: Path, places: spread.Where, quiet: bool) -> Path:
    """The stand-in's weights, trained where they are not."""
    weights = stand_in.weights_file(folder)
    if weights.is_file() and (weights.parent / "model.json").is_file():
        return weights
    stand_in.make_data(folder, None, quiet)
    _train([stand_in.order(folder)], stand_in.ITERATIONS, "stand-in for AlexNet", places, quiet)
    return weights


def _train(jobs: Sequence[processes.Job], iterations: int, label: str, places: spread.Where, quiet: bool) -> None:
    """Run those of a few trainings that have not ended. Raises RuntimeError where one fails."""
    with Progress(len(jobs) * iterations, "iterations", label, quiet) as progress:
        faults = train_all(jobs, places, iterations, progress)
    if faults:
        raise RuntimeError("; ".join(map(str, faults)))
