"""The trials of `ethocaffe tune`: the study that keeps them, and trying one solver after another.

The study is a SQLite database of Optuna's, shared by all workers; it is all that is needed to go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import remove
from tools import network, search_space
from tools.train import train

STUDY, TRIALS = "study.db", "trials"
UNPRUNED = 5  # trials that run to their end before any is stopped


def start_of(args: argparse.Namespace) -> tuple[Path, Any, int, int]:
    file = Path(args.solver) if args.solver else network.find_solver(network.find_network(args.network))
    solver = network.read_solver(file)
    iterations = args.iterations or solver.max_iter
    if not iterations:
        raise InputError(f"{file}: there is no max_iter; add it or give --iterations")
    return file, solver, iterations, min(args.validate_every or max(iterations // 10, 1), iterations)


def open_study(folder: Path, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Workers wait for each other's writes.
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{(folder / STUDY).resolve()}", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    return optuna.create_study(
        study_name="tune",
        storage=storage,
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=0),
        direction="maximize",
        load_if_exists=True,
    )


def begin(study: Any, folder: Path, settings: dict[str, Any], solver: Any) -> None:
    """Mark a new study with its settings and let it try the solver as given first; refuse one of other settings."""
    import optuna

    there = study.user_attrs.get("settings")
    if there is None:
        study.set_user_attr("settings", settings)
        study.enqueue_trial(search_space.first_guess(solver))
    elif there != settings:
        differing = [name for name in settings if there.get(name) != settings[name]]
        raise InputError(
            f"{folder / STUDY}: is a study with other settings ({', '.join(differing)}); name another --output"
        )
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        # No worker is left from before: what was running was interrupted, and is tried again.
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    remove(folder / TRIALS)


def finished(study: Any) -> list[Any]:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def work(args: argparse.Namespace) -> None:
    """One worker: trials until there are as many as wanted."""
    import optuna

    folder = Path(args.output)
    _, solver, iterations, every = start_of(args)
    study = open_study(folder, args.seed + args.worker)

    def objective(trial: Any) -> float:
        return _try(trial, args, folder / TRIALS / str(trial.number), solver, iterations, every)

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.RUNNING)
    study.optimize(objective, callbacks=[optuna.study.MaxTrialsCallback(args.trials, states=states)])


def _try(trial: Any, args: argparse.Namespace, folder: Path, solver: Any, iterations: int, every: int) -> float:
    """The highest balanced accuracy of a training with the trial's solver."""
    import optuna

    from tools.training_run import Diverged

    file = folder.with_suffix(".prototxt")
    network.write_message(file, with_fields(solver, search_space.suggest(trial, solver.type, iterations)))
    best = [0.0]

    def watch(row: Mapping[str, Any]) -> None:
        best[0] = max(best[0], row["balanced_accuracy"])
        trial.report(best[0], row["iteration"])
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        train(
            args.network,
            args.dataset,
            args.hold_out,
            folder,
            weights=args.weights,
            iterations=iterations,
            solver=file,
            validate_every=every,
            workers=args.workers,
            gpu=args.gpu,
            quiet=True,
            watch=watch,
        )
    except Diverged:
        raise optuna.TrialPruned from None
    finally:
        remove(folder)  # a model is as large as its network; the solver is what is looked for
        remove(file)
    return best[0]


def with_fields(solver: Any, fields: Mapping[str, Any]) -> Any:
    """A copy of a solver with some fields set, and those of another policy cleared."""
    return network.with_fields(solver, {**dict.fromkeys(search_space.POLICY_FIELDS), **fields})
