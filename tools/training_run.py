"""Running a planned training: steps, validation, snapshots, and going on after an interruption.

A checkpoint is a snapshot of the solver, the curve so far and the best weights so far. state.json names them and
is replaced as a whole, so whatever else lies in the folder after a crash does not count.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import numpy as np

from caffe.proto import caffe_pb2
from data_prep import metrics
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json, remove, write_json
from data_prep.progress import Progress
from tools import backend, model, network, scoring
from tools.backend import layers_of_file, load_caffe
from tools.training_plan import Plan
from tools.weights import check_same_shapes, copy_weights

SNAPSHOTS = "snapshots"
STATE = "state.json"
COLUMNS = (
    "iteration",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "accuracy",
    "balanced_accuracy",
    "seconds",
)
NUMBERS = COLUMNS[1:]
Watch = Callable[[Mapping[str, Any]], None]
RANK_SEEDS = 1_000_003  # between the seeds of processes that train together
SEEDS = 2**31  # Caffe's random_seed is a signed integer


class Diverged(InputError):
    """The loss is no number any more: the learning rate is too high."""

    status = 3


def run_training(plan: Plan, quiet: bool = False, watch: Watch | None = None) -> dict[str, Any]:
    """Train to the last iteration, from the newest checkpoint where there is one. Returns the final state.

    `watch` is called after each validation with its row of the curve (COLUMNS, and the confusion matrix); what it
    raises ends the training, which can go on later from there.
    """
    folder = plan.folder / SNAPSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    state = read_json(folder / STATE) if (folder / STATE).is_file() else _first_state()
    backend.from_root(json.dumps([state["iteration"], state["snapshot"]]))
    if state["iteration"] >= plan.iterations:
        return state
    solver = _make_solver(plan, folder, state, quiet)
    _check_deploy(plan, solver.net)
    scorer = scoring.Scorer(plan.net, plan.train_val_file, folder / "validation.prototxt")
    backend.connect(solver)
    loss = next(layer for layer in network.layers_of(plan.net, "TRAIN") if layer.type == "SoftmaxWithLoss")
    with Progress(plan.iterations, "iterations", "training", quiet) as progress:
        progress.skip(state["iteration"])
        while state["iteration"] < plan.iterations:
            state = _train_to_next(plan, folder, state, solver, scorer, loss, progress)
            if not quiet:
                print(_line(state["curve"][-1]), flush=True)
            if watch:
                watch(state["curve"][-1])
    return state


def follow_training(plan: Plan) -> None:
    """Take part in the training that the process of rank 0 runs, checks and writes (`run_training`)."""
    iteration, snapshot = json.loads(backend.from_root(""))
    if iteration >= plan.iterations:
        return
    with tempfile.TemporaryDirectory() as own:
        state = {**_first_state(), "iteration": iteration}
        solver = _make_solver(plan, Path(own), state, quiet=True)
        if snapshot:
            solver.restore(str(plan.folder / SNAPSHOTS / snapshot))
        backend.connect(solver)
        loss = next(layer for layer in network.layers_of(plan.net, "TRAIN") if layer.type == "SoftmaxWithLoss")
        with Progress(plan.iterations, "iterations", "training", quiet=True) as progress:
            while iteration < plan.iterations:
                iteration, _, _ = _steps(plan, iteration, solver, loss, progress)


def _first_state() -> dict[str, Any]:
    times = {"training_seconds": 0.0, "validating_seconds": 0.0}
    return {"iteration": 0, "snapshot": None, "curve": [], "best": None, **times}


def _make_solver(plan: Plan, folder: Path, state: dict[str, Any], quiet: bool) -> Any:
    """A solver at the state's iteration. Validation and snapshots are done here, not by the solver."""
    net = type(plan.net)()
    net.CopyFrom(plan.net)
    passes = max(plan.solver.iter_size, 1)
    caffe = load_caffe()
    share = [caffe.solver_rank(), caffe.solver_count()] if backend.together() else None
    network.fill_data(net, "TRAIN", plan.train_val_file, start_batch=state["iteration"] * passes, share=share)
    network.write_message(folder / "train.prototxt", net)
    rules = type(plan.solver)()
    rules.CopyFrom(plan.solver)
    for field in ("net", "test_iter", "test_interval", "test_initialization", "display", "snapshot"):
        rules.ClearField(field)
    rules.train_net = str(folder / "train.prototxt")
    rules.snapshot_prefix = str(folder / "train")
    network.write_message(folder / model.SOLVER, rules)

    with layers_of_file(plan.train_val_file):
        solver = caffe.get_solver(str(folder / model.SOLVER))
    if state["snapshot"]:
        solver.restore(str(_at_home(folder / state["snapshot"])))
    elif plan.weights:
        copied = copy_weights(solver.net, plan.weights)
        if not quiet:
            left = f"; left in the file: {', '.join(copied.left)}" if copied.left else ""
            print(
                f"copied from {plan.weights}: {', '.join(copied.copied)}; not copied: {', '.join(copied.fresh)}{left}"
            )
    return solver


def _check_deploy(plan: Plan, trained: Any) -> None:
    """Refuse, before the first step, a deploy net that the trained weights will not fit."""
    caffe = load_caffe()
    with layers_of_file(plan.network / model.DEPLOY):
        net = caffe.Net(str(plan.folder / model.DEPLOY), caffe.TEST)
    check_same_shapes(net, plan.network / model.DEPLOY, trained, plan.train_val_file)


def _at_home(snapshot: Path) -> Path:
    """The snapshot, naming weights beside it: it holds their path, and the folder may have been moved."""
    state = caffe_pb2.SolverState()
    state.ParseFromString(snapshot.read_bytes())
    weights = str(snapshot.with_suffix(".caffemodel"))
    if state.learned_net != weights:
        state.learned_net = weights
        with atomic_path(snapshot) as temporary:
            temporary.write_bytes(state.SerializeToString())
    return snapshot


def _train_to_next(
    plan: Plan,
    folder: Path,
    state: dict[str, Any],
    solver: Any,
    scorer: scoring.Scorer,
    loss_layer: Any,
    progress: Progress,
) -> dict[str, Any]:
    """Train to the next multiple of validate_every, validate, and leave a checkpoint."""
    begin = state["iteration"]
    started = time.monotonic()
    end, total, seen = _steps(plan, begin, solver, loss_layer, progress)
    seconds = state["training_seconds"] + time.monotonic() - started

    _need_space(solver.net, folder)
    solver.snapshot()
    started = time.monotonic()
    scores = _validate(solver.net, scorer)
    validating = state["validating_seconds"] + time.monotonic() - started
    confusion = scoring.confusion_of(scores, len(plan.dataset.classes))
    row = {
        "iteration": end,
        "train_loss": total / (end - begin),
        "train_accuracy": seen[1] / max(seen[0], 1),
        "validation_loss": scoring.loss_of(scores),
        "accuracy": metrics.accuracy(confusion),
        "balanced_accuracy": metrics.balanced_accuracy(confusion),
        "seconds": seconds,
        "confusion": confusion.tolist(),
    }
    best = state["best"]
    if best is None or row["balanced_accuracy"] > best["balanced_accuracy"]:
        best = {
            "iteration": end,
            "balanced_accuracy": row["balanced_accuracy"],
            "weights": f"best_iter_{end}.caffemodel",
            "metrics": metrics.summary(confusion, plan.dataset.classes),
        }
        with atomic_path(folder / best["weights"]) as temporary:
            shutil.copyfile(folder / f"train_iter_{end}.caffemodel", temporary)
    state = {
        "iteration": end,
        "snapshot": f"train_iter_{end}.solverstate",
        "curve": [*state["curve"], row],
        "best": best,
        "training_seconds": seconds,
        "validating_seconds": validating,
    }
    write_json(folder / STATE, state)
    write_curve(plan.folder / model.CURVE, state["curve"])
    remove_stale(folder, state)
    return state


def _steps(plan: Plan, begin: int, solver: Any, loss_layer: Any, progress: Progress) -> tuple[int, float, np.ndarray]:
    """Train to the next multiple of validate_every: that iteration, the sum of the losses up to there, and how many
    annotated frames were trained on and how many of them classified rightly (2,); of all processes that train together,
    each with its share of the frames."""
    end = min((begin // plan.validate_every + 1) * plan.validate_every, plan.iterations)
    caffe = load_caffe()
    # Dropout's random numbers start anew here, so that a training that goes on from here draws the same.
    caffe.set_random_seed((plan.seed + begin + 1 + RANK_SEEDS * caffe.solver_rank()) % SEEDS)
    total = 0.0
    seen = np.zeros(2, np.int64)
    for iteration in range(begin, end):
        solver.step(1)
        loss = float(solver.net.blobs[loss_layer.top[0]].data)
        if not math.isfinite(loss):
            raise Diverged(
                f"{plan.folder}: the loss is {loss} at iteration {iteration + 1}; lower base_lr or "
                "add clip_gradients in a solver of your own (--solver FILE) and train again"
            )
        total += loss
        seen += _right(*(solver.net.blobs[name].data for name in loss_layer.bottom[:2]))
        progress.update()
    total, *counts = backend.sums([total / caffe.solver_count(), *seen.tolist()])
    return end, total, np.array(counts, np.int64)


def _right(scores: np.ndarray, label: np.ndarray) -> tuple[int, int]:
    """Of the batch that the last forward pass (with iter_size the last of several) saw: annotated frames, and those
    whose class has the largest score."""
    label = np.array(label).ravel()
    best = np.array(scores).reshape(len(label), -1).argmax(axis=1)
    return int((label >= 0).sum()), int((best == label).sum())


def _validate(trained: Any, scorer: scoring.Scorer) -> dict[str, scoring.Scores]:
    for name, blobs in scorer.net.params.items():
        for own, source in zip(blobs, trained.params[name]):
            own.data[...] = source.data
    return scorer.run()


def _need_space(net: Any, folder: Path) -> None:
    """Refuse to start a snapshot that will not fit: real Caffe would end the process in the middle of it."""
    weights = sum(blob.data.nbytes for blobs in net.params.values() for blob in blobs)
    needed = 4 * weights + (1 << 20)  # weights, at most two histories, the best weights' copy
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder}: the disk has {free >> 20} MB left and a snapshot needs {needed >> 20} MB; "
            "free some space and give the same command again"
        )


def remove_stale(folder: Path, state: dict[str, Any]) -> None:
    """Remove snapshots and best weights that the state does not name."""
    named = {state["best"]["weights"], state["snapshot"], str(Path(state["snapshot"]).with_suffix(".caffemodel"))}
    for file in (*folder.glob("train_iter_*"), *folder.glob("best_iter_*")):
        if file.name not in named:
            remove(file)


def write_curve(path: Path, curve: list[dict[str, Any]]) -> None:
    """Write learning_curve.csv."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in curve:
            writer.writerow([row["iteration"], *(f"{row[name]:.6g}" for name in NUMBERS)])


def _line(row: dict[str, Any]) -> str:
    return (
        f"iteration {row['iteration']}: training loss {row['train_loss']:.4f}, validation loss "
        f"{row['validation_loss']:.4f}, accuracy {row['accuracy']:.3f}, balanced accuracy "
        f"{row['balanced_accuracy']:.3f}"
    )
