"""`ethocaffe tune`: a network's solver by a Tree of Parzen Estimators (the thesis's section 6; Bergstra et al. 2011).

Optuna keeps the trials in `study.db` (SQLite), which is all that is needed to go on. Each trial is an `ethocaffe train`
that is stopped early where its balanced accuracy is below the median of the trials before (Optuna's MedianPruner).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

from data_prep import dataset as datasets
from data_prep.files import atomic_path, locked, remove, write_json
from data_prep.progress import Progress
from tools import model, network, provenance, search_space, spread, trials
from tools.arguments import add_quiet, command_line, positive
from tools.cross_validate import places_of
from tools.training_run import Diverged

TRIALS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="as for `ethocaffe train`")
    parser.add_argument("dataset", metavar="DATASET", help="a dataset that `ethocaffe prepare` has prepared")
    parser.add_argument(
        "--hold-out",
        required=True,
        metavar="VIDEO[,VIDEO…]",
        help="videos whose balanced accuracy is made as high as can be; report results on others",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder for the study and the best solver")
    parser.add_argument("--trials", type=positive, default=TRIALS, metavar="N", help="in all (default %(default)s)")
    parser.add_argument("--solver", metavar="FILE", help="where to start from; default: the network's")
    parser.add_argument("--weights", metavar="FILE", help="as for `ethocaffe train`")
    parser.add_argument("--iterations", type=positive, metavar="N", help="of a trial; default: the solver's max_iter")
    parser.add_argument("--validate-every", type=positive, metavar="N", help="default: a tenth of the iterations")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="K", help="of the search (default 0); trials train with the solver's own"
    )
    spread.add_arguments(parser, "trials")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    tune(args)
    return 0


def tune(args: argparse.Namespace) -> dict[str, Any]:
    """Run the trials that are missing, several at once; returns what tune.json holds.

    Writes study.db, trials.csv, trials.png, solver.prototxt (the best trial's) and tune.json last. Several trials at
    once make the search depend on which ends first, so only one at a time (`--jobs 1`) gives the same trials again.
    Raises InputError for wrong input, RuntimeError where a trial fails.
    """
    folder = Path(args.output)
    solver_file, solver, iterations, every = trials.start_of(args)
    dataset = datasets.open_dataset(args.dataset)
    held_out = datasets.choose_videos(dataset, args.hold_out)
    where = places_of(args)
    settings = {
        "network": args.network,
        "solver": str(solver),
        "held out": held_out,
        "iterations": iterations,
        "validate every": every,
        "weights": args.weights,
        "data": datasets.fingerprint(dataset, dataset.videos),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        study = _search(args, folder, settings, solver, where)
        return _write(args, folder, study, settings, solver_file, dataset.simulated)


def _search(args: argparse.Namespace, folder: Path, settings: dict[str, Any], solver: Any, where: spread.Where) -> Any:
    """The study with as many trials as wanted."""
    study = trials.open_study(folder)
    trials.begin(study, folder, settings, solver)
    already = len(trials.finished(study))

    def training(solver_file: Path, output: Path) -> list[str]:
        options = {
            "hold-out": args.hold_out,
            "output": output,
            "solver": solver_file,
            "weights": args.weights,
            "iterations": settings["iterations"],
            "validate-every": settings["validate every"],
        }
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        return ["train", args.network, str(args.dataset), *given, "--quiet"]

    search = trials.Search(study, folder, solver, settings["iterations"], args.seed, training)
    with Progress(args.trials, "trials", "tuning", args.quiet) as progress:
        progress.skip(min(already, args.trials))

        def ended(one: spread.Ended) -> None:
            search.ended(one)
            progress.update()

        jobs = search.jobs(max(args.trials - already, 0))
        failed = spread.run_jobs(jobs, where, search.look, progress, ended)
    faults = [one for one in failed if one.status != Diverged.status]
    if faults:
        raise RuntimeError("; ".join(map(str, faults)))
    remove(folder / trials.TRIALS)
    return study


def _write(
    args: argparse.Namespace, folder: Path, study: Any, settings: dict[str, Any], solver_file: Path, simulated: bool
) -> dict[str, Any]:
    import optuna

    from tools.plots.trials import plot_trials

    finished = trials.finished(study)
    complete = [trial for trial in finished if trial.value is not None and trial.state.name == "COMPLETE"]
    if not complete:
        raise RuntimeError(f"{folder}: no trial came to its end; give more --trials")
    best = max(complete, key=lambda trial: trial.value)
    solver = network.read_solver(solver_file)
    iterations = settings["iterations"]
    fields = search_space.suggest(optuna.trial.FixedTrial(best.params), solver.type, iterations)
    comment = (
        f"# Found by `ethocaffe tune`, trial {best.number} of {len(finished)}: balanced accuracy {best.value:.3f} on "
        f"{args.hold_out}{' (simulated)' if simulated else ''}\n# with {args.network}, {iterations} iterations.\n\n"
    )
    network.write_message(folder / model.SOLVER, trials.with_fields(solver, fields), comment)
    rows = [_row(trial) for trial in sorted(finished, key=lambda trial: trial.number)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(folder / "trials.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    plot_trials(rows, folder / "trials.png", args.network + (", simulated data" if simulated else ""))
    options = {name: getattr(args, name.replace("-", "_")) for name in OPTIONS} | spread.options_of(args)
    result = {
        "balanced_accuracy": best.value,
        "as_given": next((row["balanced_accuracy"] for row in rows if row["trial"] == 0), None),
        "trial": best.number,
        "trials": len(finished),
        "pruned": len(finished) - len(complete),
        "fields": fields,
        "simulated": simulated,
        "settings": settings,
        "seed": args.seed,
        "command": command_line("tune", [args.network, args.dataset], options),
        **provenance.describe(),
    }
    write_json(folder / "tune.json", result)
    if not args.quiet:
        print(f"{folder / model.SOLVER}: balanced accuracy {best.value:.3f} (trial {best.number} of {len(finished)})")
    return result


OPTIONS = ("hold-out", "trials", "solver", "weights", "iterations", "validate-every", "seed", "output")


def _row(trial: Any) -> dict[str, Any]:
    last = max(trial.intermediate_values, default=None)
    value = trial.intermediate_values[last] if last is not None else 0.0
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "balanced_accuracy": float(f"{value:.6g}"),
        "iterations": last or 0,
        **{name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in trial.params.items()},
    }
