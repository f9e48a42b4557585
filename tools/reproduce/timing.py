"""How long a reproduction will take on this machine, from a few measured steps of each of its networks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data_prep.progress import Progress, duration
from tools import model, processes, spread
from tools.cross_validate import iterations_done, training
from tools.reproduce.catalogue import PROFILES
from tools.reproduce.trainings import Record, Setting


class Cost(NamedTuple):
    """Seconds of a network's step, of one validation, and of what every training costs besides."""

    step: float
    validation: float
    start: float


def measure(setting: Setting, names: Sequence[str], places: spread.Where, quiet: bool) -> dict[str, Cost]:
    """Train each network of the catalogue for a few steps, as many at once as later; returns their costs.

    Raises RuntimeError where one fails.
    """
    steps = PROFILES[setting.profile].measured_steps
    given = {"solver": setting.solver, "iterations": steps, "validate_every": steps, "seed": setting.seed}
    costs: dict[str, Cost] = {}
    setting.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=setting.folder, prefix=".timing.") as work:
        jobs = [
            training(
                name,
                setting.network(name),
                setting.dataset.path,
                setting.folds[0].held_out,
                Path(work) / name.replace("/", "."),
                given,
            )
            for name in names
        ]

        def ended(one: spread.Ended) -> None:
            if one.status:
                return
            info = model.load(one.job.output).info
            step, validation = info["seconds_per_step"], info["seconds_per_validation"]
            costs[one.job.name] = Cost(step, validation, max(one.seconds - steps * step - validation, 0))

        def done(job: processes.Job) -> int:
            return iterations_done(job.output, steps) // steps

        with Progress(len(jobs), "networks", "measuring", quiet) as progress:
            faults = spread.run_jobs(jobs, places, done, progress, ended)
        if faults:
            raise RuntimeError("; ".join(map(str, faults)))
    return costs


def seconds_of(setting: Setting, record: Record, cost: Cost) -> float:
    """Seconds that a record's trainings take one after the other."""
    validations = -(-setting.iterations // setting.validate_every)
    return len(record.jobs) * (cost.start + setting.iterations * cost.step + validations * cost.validation)


def forecast(setting: Setting, parts: Sequence[tuple[Record, str]], costs: dict[str, Cost], at_once: int) -> list[str]:
    """Lines that say what would be trained and how long it takes; `parts` are records and the networks of theirs."""
    lines = []
    total = 0.0
    for record, name in parts:
        seconds = seconds_of(setting, record, costs[name])
        total += seconds
        lines.append(
            f"{record.file.stem}: {len(record.jobs)} × {setting.iterations} iterations of {setting.network(name)}, "
            f"{1000 * costs[name].step:.0f} ms a step: {duration(seconds / at_once)}"
        )
    trainings = sum(len(record.jobs) for record, _ in parts)
    return [*lines, f"{trainings} trainings, {at_once} at once: about {duration(total / at_once)} on this machine"]
