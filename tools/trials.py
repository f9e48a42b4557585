"""The trials of `ethocaffe tune`: the study that keeps them, and trying one solver after another.

The study is a SQLite database of Optuna's, which the command alone opens: the trainings know nothing of it, and what
they find is read from their folders. It is all that is needed to go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from data_prep.errors import InputError
from data_prep.files import read_json, remove
from tools import network, processes, search_space, spread
from tools.training_run import SNAPSHOTS, STATE, Diverged

STUDY, TRIALS = "study.db", "trials"
Training = Callable[[Path, Path], Sequence[str]]
UNPRUNED = 5  # trials that run to their end before any is stopped


def start_of(args: argparse.Namespace) -> tuple[Path, Any, int, int]:
    file = Path(args.solver) if args.solver else network.find_solver(network.find_network(args.network))
    solver = network.read_solver(file)
    iterations = args.iterations or solver.max_iter
    if not iterations:
        raise InputError(f"{file}: there is no max_iter; add it or give --iterations")
    return file, solver, iterations, min(args.validate_every or max(iterations // 10, 1), iterations)


def open_study(folder: Path) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{(folder / STUDY).resolve()}", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    return optuna.create_study(
        study_name="tune",
        storage=storage,
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


class Search:
    """Hands a study's missing trials out as trainings, `job` by `job`, and tells it what they find.

    training(solver file, folder): the arguments of a trial's `ethocaffe train`.
    """

    def __init__(self, study: Any, folder: Path, solver: Any, iterations: int, seed: int, training: Training):
        self._study = study
        self._folder = folder / TRIALS
        self._solver = solver
        self._iterations = iterations
        self._seed = seed
        self._training = training
        self._open: dict[str, Any] = {}  # trials by their jobs' names
        self._reported: dict[str, int] = {}  # how many validations of each

    def jobs(self, count: int) -> Iterator[processes.Job]:
        """`count` trials, each chosen when it is asked for, by what is known then."""
        for _ in range(count):
            self._study.sampler = sampler(self._seed + len(finished(self._study)) + len(self._open))
            trial = self._study.ask()
            name = f"trial {trial.number}"
            self._open[name] = trial
            output = self._folder / str(trial.number)
            file = output.with_suffix(".prototxt")
            fields = search_space.suggest(trial, self._solver.type, self._iterations)
            network.write_message(file, with_fields(self._solver, fields))
            yield processes.Job(name, self._training(file, output), output, output.with_suffix(".log"))

    def look(self, job: processes.Job) -> int:
        """Report validations of a running trial. Raises spread.Enough where it is below the median of those before."""
        trial = self._open[job.name]
        for iteration, accuracy in list(best_so_far(curve_of(job.output)))[self._reported.get(job.name, 0) :]:
            trial.report(accuracy, iteration)
            self._reported[job.name] = self._reported.get(job.name, 0) + 1
            if trial.should_prune():
                raise spread.Enough
        return 0

    def ended(self, one: spread.Ended) -> None:
        """Tell the study of a trial that has ended. Its model goes: it is large, and the solver is what is wanted."""
        from optuna.trial import TrialState

        trial = self._open.pop(one.job.name)
        if one.status == 0:
            accuracies = [accuracy for _, accuracy in best_so_far(curve_of(one.job.output))]
            self._study.tell(trial, accuracies[-1])
        else:
            failed = one.status not in (None, Diverged.status)
            self._study.tell(trial, state=TrialState.FAIL if failed else TrialState.PRUNED)
            if failed:
                return
        for path in (one.job.output, one.job.output.with_suffix(".prototxt"), one.job.log):
            remove(path)


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """The learning curve so far of a training, with a row per validation."""
    for file in (folder / "model.json", folder / SNAPSHOTS / STATE):
        if file.is_file():
            return read_json(file)["curve"]
    return []


def best_so_far(curve: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, float]]:
    """Per validation its iteration and the highest balanced accuracy up to there."""
    best = 0.0
    for row in curve:
        best = max(best, row["balanced_accuracy"])
        yield row["iteration"], best


def sampler(seed: int) -> Any:
    """What chooses a trial; with a seed for each, a search that goes on chooses as one that was not interrupted."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed)


def with_fields(solver: Any, fields: Mapping[str, Any]) -> Any:
    """A copy of a solver with some fields set, and those of another policy cleared."""
    return network.with_fields(solver, {**dict.fromkeys(search_space.POLICY_FIELDS), **fields})
