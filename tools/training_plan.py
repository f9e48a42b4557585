"""What a training is to do: everything read, checked and filled in before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

from data_prep import dataset as datasets
from data_prep import position
from data_prep.errors import InputError
from data_prep.files import sha256
from python_layers import settings as data_settings
from tools import model, network

NOTHING = "none"  # --hold-out none: train on every annotated video
CARRY = 5  # batches over which training sequences run on, where the network's file does not say
FRAME_RATES_DIFFER = 0.05  # relative, from which a line says so

COMMENT = """\
# {what} of a training, as `ethocaffe train` filled it in. The same training, without choosing an iteration, is
# caffe train --solver={folder}/solver.prototxt
# with this project on PYTHONPATH; the paths in it are those of the machine where it was made.

"""


@dataclass(frozen=True)
class Plan:
    """A training, checked. `settings` is what makes two trainings the same one; `notes` are lines to tell."""

    folder: Path
    network: Path
    net: Any
    deploy: Any
    solver: Any
    dataset: datasets.Dataset
    trained: list[str]
    held_out: list[str]
    weights: Path | None
    iterations: int
    validate_every: int
    seed: int
    frames: dict[str, int]
    preprocessing: dict[str, Any]
    streams: list[str]
    frame_rate: float
    settings: dict[str, Any]
    notes: list[str]

    @property
    def validated(self) -> list[str]:
        """The videos on which the iteration is chosen: those held out, or where there are none all."""
        return self.held_out or self.trained

    @property
    def train_val_file(self) -> Path:
        return self.network / model.TRAIN_VAL


def make_plan(
    folder: Path,
    network_given: str,
    dataset_given: str | Path,
    hold_out: str | Sequence[str],
    *,
    weights: str | Path | None,
    iterations: int | None,
    batch_size: int | None,
    sequence_length: int | None,
    solver: str | Path | None,
    seed: int | None,
    validate_every: int | None,
    sampling: str | None,
    workers: int,
) -> Plan:
    """Read and check everything that a training needs. Raises InputError for whatever is wrong."""
    place = network.find_network(network_given)
    origin = place / model.TRAIN_VAL
    net = network.read_net(origin)
    deploy = network.read_net(place / model.DEPLOY)
    network.score_blob(deploy, place / model.DEPLOY)
    solver_file = Path(solver) if solver else network.find_solver(place)
    rules = network.read_solver(solver_file)

    if weights and not Path(weights).is_file():
        raise InputError(f"{weights}: no such file; give a .caffemodel with --weights")

    dataset = datasets.open_dataset(dataset_given)
    held_out = [] if hold_out == NOTHING else datasets.choose_videos(dataset, hold_out)
    trained, notes = _videos_to_train_on(dataset, held_out)
    for stem in held_out:
        if not dataset.labels(stem).is_file():
            raise InputError(f"{dataset.labels(stem)}: no such file; a held-out video must be annotated")

    of_data = network.data_settings(net, "TRAIN", origin)
    videos = {stem: datasets.prepared(dataset, stem, of_data["streams"]) for stem in (*trained, *held_out)}
    stored = _stored(dataset, videos, of_data["size"], of_data["streams"])
    notes += _class_notes(dataset, trained, held_out, {stem: video.frames for stem, video in videos.items()})
    rate, rate_notes = _frame_rate(videos)
    notes += rate_notes

    iterations = iterations or rules.max_iter
    if not iterations:
        raise InputError(f"{solver_file}: there is no max_iter; add it or give --iterations")
    validate_every = min(validate_every or rules.test_interval or iterations, iterations)
    seed = seed if seed is not None else max(rules.random_seed, 0)
    sampling = sampling or of_data.get("sampling", "uniform")
    steps, own = sequence_length or of_data["sequence_length"], of_data["sequence_length"]
    # Longer sequences run on for fewer batches, that is for as many frames.
    carry = max(of_data.get("carry", CARRY) * own // steps, 1)
    running = {"carry": _carry(carry, validate_every * max(rules.iter_size, 1))} if sampling == "running" else {}
    batch_size = batch_size or max(of_data["batch_size"] * own // steps, 1)
    network.set_sequence_length(net, steps, own, origin)
    normalisation = _normalisation(videos, trained, of_data["streams"])

    settings = {
        "network": network.network_name(place),
        "train_val": network.hash_of(net),
        "deploy": network.hash_of(deploy),
        "solver": text_format.MessageToString(rules),
        "held out": held_out,
        "weights": sha256(weights) if weights else None,
        "iterations": iterations,
        "validate every": validate_every,
        "batch size": batch_size,
        "sequence length": steps,
        "seed": seed,
        "sampling": sampling,
        "data": datasets.fingerprint(dataset, (*trained, *held_out)),
    }
    common = {"dataset": str(dataset.path.resolve()), "seed": seed, **normalisation}
    of_test = network.data_settings(net, "TEST", origin)
    test_batch = min(of_test["batch_size"], batch_size)
    network.fill_data(
        net,
        "TRAIN",
        origin,
        videos=trained,
        batch_size=batch_size,
        sequence_length=steps,
        sampling=sampling,
        workers=workers,
        shuffle=True,
        start_batch=0,
        **running,
        **common,
    )
    network.fill_data(
        net,
        "TEST",
        origin,
        videos=held_out or trained,
        batch_size=test_batch,
        workers=min(workers, 1),
        shuffle=False,
        start_batch=0,
        **common,
    )
    for phase in network.PHASES:
        data_settings.parse(network.data_layer(net, phase, origin).python_param.param_str)
    for message, file in ((net, origin), (deploy, place / model.DEPLOY)):
        network.set_classes(message, len(dataset.classes), file)

    per_test = test_batch * of_test["sequence_length"]
    test_frames = sum(videos[stem].frames for stem in held_out or trained)
    _fill_solver(rules, folder, iterations, validate_every, seed, -(-test_frames // per_test))
    preprocessing = {
        **stored,
        "size": of_data["size"],
        "crop": of_data["crop"],
        **normalisation,
        "sequence_length": steps,
        "batch_size": test_batch,
    }
    return Plan(
        folder=folder,
        network=place,
        net=net,
        deploy=deploy,
        solver=rules,
        dataset=dataset,
        trained=trained,
        held_out=held_out,
        weights=Path(weights) if weights else None,
        iterations=iterations,
        validate_every=validate_every,
        seed=seed,
        frames={stem: video.frames for stem, video in videos.items()},
        preprocessing=preprocessing,
        streams=of_data["streams"],
        frame_rate=rate,
        settings=settings,
        notes=notes,
    )


def _carry(wanted: int, passes: int) -> int:
    """The divisor of `passes`, the batches between two checkpoints, that is nearest to `wanted` by their ratio.

    Where a training can be interrupted, the state of a recurrent network starts afresh: no snapshot holds it.
    """
    divisors = [one for one in range(1, passes + 1) if passes % one == 0]
    return min(divisors, key=lambda one: max(one / wanted, wanted / one))


def write_prototxt(plan: Plan) -> None:
    """Write the filled train_val, deploy and solver into the model's folder."""
    files = ((model.TRAIN_VAL, plan.net, "The network"), (model.SOLVER, plan.solver, "The solver"))
    for name, message, what in files:
        network.write_message(plan.folder / name, message, COMMENT.format(what=what, folder=plan.folder))
    network.write_message(plan.folder / model.DEPLOY, plan.deploy)


def _videos_to_train_on(dataset: datasets.Dataset, held_out: list[str]) -> tuple[list[str], list[str]]:
    rest = [stem for stem in dataset.videos if stem not in held_out]
    trained = [stem for stem in rest if dataset.labels(stem).is_file()]
    if not trained:
        raise InputError(
            f"{dataset.path / 'labels'}: no annotated video is left to train on; "
            "annotate another one, or hold fewer out"
        )
    left = [stem for stem in rest if stem not in trained]
    return trained, [f"not annotated, so not trained on: {', '.join(left)}"] if left else []


def _stored(
    dataset: datasets.Dataset, videos: dict[str, datasets.Prepared], size: int, streams: list[str]
) -> dict[str, Any]:
    """How the videos' frames were stored; it must be the same for all. With a position also where the feeder is, if
    `prepare` was told."""
    crops = {stem: video.meta.get("crop") for stem, video in videos.items()}
    first = next(iter(videos))
    for stem, video in videos.items():
        if video.meta["size"] != size:
            raise InputError(
                f"{video.path}: prepared with {video.meta['size']} pixels a side, but the network "
                f"reads {size}; run `ethocaffe prepare {dataset.path} --size {size}`"
            )
        if crops[stem] != crops[first]:
            raise InputError(
                f"{video.path}: prepared with another --crop ({crops[stem]}) than {first} "
                f"({crops[first]}); run `ethocaffe prepare` with one for all"
            )
    stored = {"region": crops[first], "stored_size": size}
    if "position" not in streams:
        return stored
    feeders = {stem: position.feeder_text(video.meta) for stem, video in videos.items()}
    for stem, video in videos.items():
        if feeders[stem] != feeders[first]:
            raise InputError(
                f"{video.path}: prepared with another --feeder ({feeders[stem]}) than {first} "
                f"({feeders[first]}); run `ethocaffe prepare` with one for all"
            )
    meta = videos[first].meta
    return {**stored, "feeder": meta["feeder"]} if "feeder" in meta else stored


def _class_notes(
    dataset: datasets.Dataset, trained: list[str], held_out: list[str], frames: dict[str, int]
) -> list[str]:
    """Lines about classes that a held-out video shows and no training video does, and the other way round."""

    def present(stems: list[str]) -> set[str]:
        labels = [datasets.read_labels(dataset.labels(stem), dataset.classes, frames[stem]) for stem in stems]
        return {dataset.classes[index] for index in np.unique(np.concatenate(labels)) if index >= 0}

    def listed(names: set[str]) -> str:
        return ", ".join(name for name in dataset.classes if name in names)

    known = present(trained)
    if not known:
        raise InputError(f"{dataset.path / 'labels'}: no frame of {', '.join(trained)} is annotated")
    notes = []
    if held_out:
        tested = present(held_out)
        if not tested:
            raise InputError(
                f"{dataset.path / 'labels'}: no frame of {', '.join(held_out)} is annotated, "
                "so nothing can be validated on; hold another video out"
            )
        if tested - known:
            notes.append(f"absent from the training videos, so it cannot be learned: {listed(tested - known)}")
        if known - tested:
            notes.append(f"absent from the held-out videos, so it is not validated: {listed(known - tested)}")
    else:
        notes.append("no video is held out: the scores are those of the training videos themselves")
    nowhere = set(dataset.classes) - known - (tested if held_out else set())
    return [*notes, f"annotated nowhere: {listed(nowhere)}"] if nowhere else notes


def _frame_rate(videos: dict[str, datasets.Prepared]) -> tuple[float, list[str]]:
    rates = {stem: float(video.meta["fps"]) for stem, video in videos.items()}
    usual = float(np.median(list(rates.values())))
    others = [f"{stem} ({rate:.2f})" for stem, rate in rates.items() if abs(rate - usual) > FRAME_RATES_DIFFER * usual]
    if not others:
        return usual, []
    return usual, [
        f"frame rates differ from {usual:.2f} per second, so motion spans another time: " + ", ".join(others)
    ]


def _normalisation(
    videos: dict[str, datasets.Prepared], trained: list[str], streams: list[str]
) -> dict[str, dict[str, list[float]]]:
    """The data layer's `mean` and, where there are positions, `deviation`, over the training videos alone."""
    means = {stream: _mean(videos, trained, stream) for stream in streams}
    found: dict[str, dict[str, list[float]]] = {
        "mean": {stream: [round(float(value), 4) for value in values] for stream, values in means.items()}
    }
    if "position" in streams:
        found["mean"]["position"], deviation = position.normalisation(means["position"])
        found["deviation"] = {"position": deviation}
    return found


def _mean(videos: dict[str, datasets.Prepared], trained: list[str], stream: str) -> np.ndarray:
    """Mean of each channel (of `position.moments`, for that stream) over all frames of the training videos."""
    means = np.array([videos[stem].meta["mean"][stream] for stem in trained], np.float64)
    frames = np.array([videos[stem].frames for stem in trained], np.float64)
    return frames @ means / frames.sum()


def _fill_solver(solver: Any, folder: Path, iterations: int, validate_every: int, seed: int, tests: int) -> None:
    for field in (
        "train_net",
        "test_net",
        "net_param",
        "train_net_param",
        "test_net_param",
        "test_iter",
        "test_state",
        "weights",
    ):
        solver.ClearField(field)
    solver.net = str(folder / model.TRAIN_VAL)
    solver.snapshot_prefix = str(folder / "snapshots" / "caffe_train")
    solver.max_iter, solver.random_seed = iterations, seed
    solver.snapshot = solver.test_interval = validate_every
    solver.test_iter.append(tests)
