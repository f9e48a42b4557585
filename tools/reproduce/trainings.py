"""The trainings of `ethocaffe reproduce`: which there are, running them, and the records that they leave.

A record is a small JSON file, `cells/<cell>.json` or `runs/<variant>.json`, with everything that the tables and figures
need. It is written as soon as its trainings have ended, and a training whose record is there is not run again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from current_system.system import Options
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json, sha256
from data_prep.progress import Progress
from tools import folds, model, network, processes, provenance, spread
from tools.cross_validate import outcome, train_all, trained_fold, training
from tools.reproduce.catalogue import CURRENT, CURRENT_SYSTEM, FEATURES_LSTM, PROFILES, Cell, Variant


@dataclass(frozen=True)
class Setting:
    """What all trainings of a reproduction have in common. data: the fingerprint of the folds' videos. weights: what
    pretrained networks start from, None where there are none; origin: what these are, for a reader."""

    folder: Path
    dataset: datasets.Dataset
    folds: list[folds.Fold]
    data: str
    profile: str
    solver: Path
    iterations: int
    validate_every: int
    seed: int
    weights: Path | None
    origin: str | None
    command: str

    def network(self, name: str) -> str:
        """A network of the catalogue as this profile names it."""
        folder = "" if name == FEATURES_LSTM else PROFILES[self.profile].folder
        return "/".join(part for part in (folder, name) if part)


class Record(NamedTuple):
    """A record to be made: its file, what makes it the same one, its folds, and the training of each."""

    file: Path
    settings: dict[str, Any]
    folds: Sequence[folds.Fold]
    jobs: list[processes.Job]


def cell_record(setting: Setting, cell: Cell) -> Record:
    """The record of a table's cell, all folds."""
    if cell.model == CURRENT_SYSTEM:
        settings = {**Options()._asdict(), "network": CURRENT_SYSTEM, "seed": setting.seed, "weights": None}
        given = {"seed": setting.seed}
        return _record(setting, "cells", cell.name, CURRENT_SYSTEM, setting.folds, given, settings)
    weights = setting.weights if cell.pretrained else None
    return _of_network(setting, "cells", cell.name, cell.network, setting.folds, setting.solver, {"weights": weights})


def variant_record(setting: Setting, variant: Variant) -> Record:
    """The record of a figure's variant: the first fold, with the variant's solver."""
    solver = setting.folder / "work" / "solvers" / f"{variant.name}.prototxt"
    solver.parent.mkdir(parents=True, exist_ok=True)
    network.write_message(solver, network.with_fields(network.read_solver(setting.solver), variant.solver))
    changes: dict[str, Any] = {"seed": setting.seed + variant.seed, "sequence_length": variant.sequence_length}
    if variant.network == FEATURES_LSTM:
        changes["features"] = current_system(setting).output
    return _of_network(setting, "runs", variant.name, variant.network, setting.folds[:1], solver, changes)


def current_system(setting: Setting) -> processes.Job:
    """The training of the current system for the first fold, whose features an LSTM reads."""
    return cell_record(setting, CURRENT).jobs[0]


def _of_network(
    setting: Setting,
    kind: str,
    name: str,
    graph: str,
    parts: Sequence[folds.Fold],
    solver: Path,
    changes: Mapping[str, Any],
) -> Record:
    given = {
        "iterations": setting.iterations,
        "validate_every": setting.validate_every,
        "solver": solver,
        "seed": setting.seed,
        **changes,
    }
    own = setting.network(graph)
    weights = given.get("weights")
    settings = {
        "network": own,
        "train_val": network.hash_of(network.read_net(network.find_network(own) / model.TRAIN_VAL)),
        "solver": str(network.read_solver(solver)),
        "iterations": setting.iterations,
        "validate_every": setting.validate_every,
        "seed": given["seed"],
        "sequence_length": given.get("sequence_length"),
        "weights": sha256(weights) if weights else None,
    }
    if "features" in given:
        settings["features"] = {**Options()._asdict(), "seed": setting.seed}
    return _record(setting, kind, name, own, parts, given, settings)


def _record(
    setting: Setting,
    kind: str,
    name: str,
    network_given: str,
    parts: Sequence[folds.Fold],
    given: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Record:
    work = setting.folder / "work" / kind / name
    jobs = [
        training(f"{name} {fold.name}", network_given, setting.dataset.path, fold.held_out, work / fold.name, given)
        for fold in parts
    ]
    same = {**settings, "folds": [fold._asdict() for fold in parts], "data": setting.data}
    return Record(setting.folder / kind / f"{name}.json", same, parts, jobs)


def same_trainings(records: Sequence[Record]) -> dict[Path, Path]:
    """For each record's file that of the first record with the same settings: one training serves several variants."""
    first: dict[str, Path] = {}
    return {record.file: first.setdefault(repr(record.settings), record.file) for record in records}


def left(records: Sequence[Record]) -> list[Record]:
    """The records that are not made yet, each training once. Raises InputError where one was made otherwise."""
    for record in records:
        there = read_json(record.file)["settings"] if record.file.is_file() else record.settings
        differing = [name for name in record.settings if there.get(name) != record.settings[name]]
        if differing:
            raise InputError(
                f"{record.file}: was made with other settings ({', '.join(differing)}); "
                "name another folder with --output, or remove this file"
            )
    same = same_trainings(records)
    return [record for record in records if same[record.file] == record.file and not record.file.is_file()]


def make_records(setting: Setting, records: Sequence[Record], places: spread.Where, quiet: bool) -> None:
    """Train what is not trained, and write each record when its last training has ended.

    Raises RuntimeError with a line per training that failed, once the others have ended.
    """
    missing = left(records)
    of_job = {job.name: record for record in missing for job in record.jobs}

    def ended(one: spread.Ended) -> None:
        complete(of_job[one.job.name])

    def complete(record: Record) -> None:
        if not record.file.is_file() and all((each.output / "model.json").is_file() for each in record.jobs):
            _write(setting, record)
            if not quiet:
                print(f"{record.file}: {_sentence(read_json(record.file))}", flush=True)

    jobs = [job for record in missing for job in record.jobs]
    total = len(jobs) * setting.iterations
    with Progress(total, "iterations", f"{len(jobs)} trainings", quiet) as progress:
        faults = train_all(jobs, places, setting.iterations, progress, ended)
    for record in missing:
        if not faults and not record.file.is_file():  # all was trained before, but an end came before the record
            complete(record)
    if faults:
        raise RuntimeError("; ".join(map(str, faults)))
    _copy_shared(records)


def _write(setting: Setting, record: Record) -> None:
    infos = [trained_fold(job.output) for job in record.jobs]
    outcomes = [outcome(fold.name, info) for fold, info in zip(record.folds, infos)]
    content: dict[str, Any] = folds.summary(outcomes) if len(outcomes) > 1 else {}
    content.update(
        curves={one.fold: [_scores(row) for row in one.curve] for one in outcomes},
        seconds_per_step=[info["seconds_per_step"] for info in infos],
        seconds_per_validation=[info["seconds_per_validation"] for info in infos],
        classes=outcomes[0].classes,
        **({"labelled": infos[0]["labelled"]} if "labelled" in infos[0] else {}),
        simulated=setting.dataset.simulated,
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
