"""The trainings of `ethocaffe reproduce`: which there are, running them, and the records that they leave.

A record is a small JSON file, `cells/<cell>.json` or `runs/<variant>.json`, with everything that the tables and figures
need. It is written as soon as its trainings have ended, and a training whose record is there is not run again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json, sha256
from data_prep.progress import Progress
from tools import folds, model, network, processes, provenance
from tools.cross_validate import outcome, train_all, train_arguments
from tools.reproduce.catalogue import CURRENT_SYSTEM, PROFILES, Cell, Variant


@dataclass(frozen=True)
class Setting:
    """What all trainings of a reproduction have in common. weights: what pretrained networks start from, None where
    there are none; origin: what these are, for a reader."""

    folder: Path
    dataset: datasets.Dataset
    folds: list[folds.Fold]
    profile: str
    solver: Path
    iterations: int
    validate_every: int
    seed: int
    weights: Path | None
    origin: str | None
    command: str

    @property
    def simulated(self) -> bool:
        return (self.dataset.path / "simulation.json").is_file()

    def network(self, name: str) -> str:
        """A network of the catalogue as this profile names it."""
        return "/".join(part for part in (PROFILES[self.profile].folder, name) if part)


class Record(NamedTuple):
    """A record to be made: its file, what makes it the same one, and its trainings with their folders."""

    file: Path
    settings: dict[str, Any]
    jobs: list[processes.Job]
    outputs: list[tuple[str, Path]]


def cell_record(setting: Setting, cell: Cell) -> Record:
    """The record of a table's cell, all folds."""
    if cell.model == CURRENT_SYSTEM:
        return _current_system(setting, cell)
    weights = setting.weights if cell.pretrained else None
    return _record(setting, "cells", cell.name, cell.network, setting.solver, setting.folds, weights)


def _current_system(setting: Setting, cell: Cell) -> Record:
    from current_system.system import Options

    outputs = [(fold.name, setting.folder / "work" / "cells" / cell.name / fold.name) for fold in setting.folds]
    jobs = [
        processes.Job(
            f"{cell.name} {fold.name}",
            train_arguments(CURRENT_SYSTEM, setting.dataset.path, fold.held_out, output, {"seed": setting.seed}),
            output.with_name(f"{fold.name}.log"),
        )
        for fold, (_, output) in zip(setting.folds, outputs)
    ]
    settings = {
        **Options()._asdict(),
        "network": CURRENT_SYSTEM,
        "seed": setting.seed,
        "weights": None,
        "folds": [fold._asdict() for fold in setting.folds],
        "data": datasets.fingerprint(setting.dataset, [stem for fold in setting.folds for stem in fold.held_out]),
    }
    return Record(setting.folder / "cells" / f"{cell.name}.json", settings, jobs, outputs)


def variant_record(setting: Setting, variant: Variant) -> Record:
    """The record of a figure's variant: the first fold, with the variant's solver."""
    solver = setting.folder / "work" / "solvers" / f"{variant.name}.prototxt"
    solver.parent.mkdir(parents=True, exist_ok=True)
    network.write_message(solver, _changed(setting.solver, variant.solver))
    changes = {"seed": setting.seed + variant.seed, "sequence_length": variant.sequence_length}
    return _record(setting, "runs", variant.name, variant.network, solver, setting.folds[:1], None, changes)


def _record(
    setting: Setting,
    kind: str,
    name: str,
    graph: str,
    solver: Path,
    parts: Sequence[folds.Fold],
    weights: Path | None,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> Record:
    work = setting.folder / "work" / kind / name
    given = {
        "iterations": setting.iterations,
        "validate_every": setting.validate_every,
        "solver": solver,
        "seed": setting.seed,
        "weights": weights,
        **changes,
    }
    jobs = [
        processes.Job(
            f"{name} {fold.name}",
            train_arguments(setting.network(graph), setting.dataset.path, fold.held_out, work / fold.name, given),
            work / f"{fold.name}.log",
        )
        for fold in parts
    ]
    place = network.find_network(setting.network(graph))
    settings = {
        "network": setting.network(graph),
        "train_val": _hash(network.read_net(place / model.TRAIN_VAL)),
        "solver": str(network.read_solver(solver)),
        "iterations": setting.iterations,
        "validate_every": setting.validate_every,
        "seed": given["seed"],
        "sequence_length": given.get("sequence_length"),
        "weights": sha256(weights) if weights else None,
        "folds": [fold._asdict() for fold in parts],
        "data": datasets.fingerprint(setting.dataset, [stem for fold in setting.folds for stem in fold.held_out]),
    }
    return Record(
        setting.folder / kind / f"{name}.json", settings, jobs, [(fold.name, work / fold.name) for fold in parts]
    )


def same_trainings(records: Sequence[Record]) -> dict[Path, Path]:
    """For each record's file that of the first record with the same settings: one training serves several variants."""
    first: dict[str, Path] = {}
    return {record.file: first.setdefault(repr(record.settings), record.file) for record in records}


def left(records: Sequence[Record]) -> list[Record]:
    """The records that are not made yet, each training once. Raises InputError where one was made otherwise."""
    for record in records:
        if record.file.is_file() and read_json(record.file)["settings"] != record.settings:
            there = read_json(record.file)["settings"]
            differing = [name for name in record.settings if there.get(name) != record.settings[name]]
            raise InputError(
                f"{record.file}: was made with other settings ({', '.join(differing)}); "
                "name another folder with --output, or remove this file"
            )
    same = same_trainings(records)
    return [record for record in records if same[record.file] == record.file and not record.file.is_file()]


def make_records(setting: Setting, records: Sequence[Record], places: Sequence[processes.Slot], quiet: bool) -> None:
    """Train what is not trained, and write each record when its last training has ended.

    Raises RuntimeError with a line per training that failed, once the others have ended.
    """
    missing = left(records)
    of_job = {job.name: record for record in missing for job in record.jobs}

    def ended(job: processes.Job, _: float = 0) -> None:
        record = of_job[job.name]
        if not record.file.is_file() and all((folder / "model.json").is_file() for _, folder in record.outputs):
            _write(setting, record)
            if not quiet:
                print(f"{record.file}: {_sentence(read_json(record.file))}", flush=True)

    jobs = list({job.name: job for record in missing for job in record.jobs}.values())
    total = len(jobs) * setting.iterations
    with Progress(total, "iterations", f"{len(jobs)} trainings", quiet) as progress:
        faults = train_all(jobs, places, setting.iterations, progress, ended)
    for record in missing:
        if not faults and not record.file.is_file():  # all was trained before, but an end came before the record
            ended(record.jobs[0])
    if faults:
        raise RuntimeError("; ".join(faults))
    _copy_shared(records)


def _write(setting: Setting, record: Record) -> None:
    outcomes = [outcome(folder, name) for name, folder in record.outputs]
    infos = [model.load(folder).info for _, folder in record.outputs]
    content: dict[str, Any] = folds.summary(outcomes) if len(outcomes) > 1 else {}
    content.update(
        curves={one.fold: [_scores(row) for row in one.curve] for one in outcomes},
        seconds_per_step=[info["seconds_per_step"] for info in infos],
        seconds_per_validation=[info["seconds_per_validation"] for info in infos],
        classes=outcomes[0].classes,
        simulated=setting.simulated,
        weights=setting.origin if record.settings["weights"] else None,
        settings=record.settings,
        command=setting.command,
        trained_by=infos[0]["command"],
        **provenance.describe(),
    )
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in content.items())
    with atomic_path(record.file) as temporary:  # a line for each name: small, and still to be read
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _scores(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a learning curve to six digits, without its confusion matrix."""
    numbers = {name: float(f"{value:.6g}") for name, value in row.items() if name != "confusion"}
    return {**numbers, "iteration": row["iteration"]}


def _copy_shared(records: Sequence[Record]) -> None:
    """Give variants that are the same training the same record."""
    for file, first in same_trainings(records).items():
        if file != first and not file.is_file():
            with atomic_path(file) as temporary:
                shutil.copyfile(first, temporary)


def _sentence(record: Mapping[str, Any]) -> str:
    if "balanced_accuracy" in record:
        return f"balanced accuracy {record['balanced_accuracy']:.3f} ± {record['spread']:.3f}"
    best = max(row["balanced_accuracy"] for curve in record["curves"].values() for row in curve)
    return f"balanced accuracy {best:.3f}"


def _hash(message: Any) -> str:
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def _changed(file: Path, changes: Mapping[str, Any]) -> Any:
    """The solver of a file with some fields set, or cleared where the value is None."""
    solver = network.read_solver(file)
    for field, value in changes.items():
        solver.ClearField(field)
        if value is not None:
            setattr(solver, field, value)
    return solver
