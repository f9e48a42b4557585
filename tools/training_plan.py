"""What a training is to do: everything read, checked and filled in before the first step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from current_system import system as current_system
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, sha256
from python_layers import settings as data_settings
from tools import current_features, model, network, training_data

CARRY = 5  # batches over which training sequences run on, where the network's file does not say

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
    current_system: model.Model | None  # whose features the network reads
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
    features: str | Path | None,
    iterations: int | None,
    batch_size: int | None,
    sequence_length: int | None,
    solver: str | Path | None,
    seed: int | None,
    validate_every: int | None,
    sampling: str | None,
    workers: int,
    quiet: bool,
) -> Plan:
    """Read and check everything that a training needs, and compute the current system's features where it reads them.
    Raises InputError for whatever is wrong."""
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
    held_out = [] if hold_out == training_data.NOTHING else datasets.choose_videos(dataset, hold_out)
    trained, notes = training_data.videos_to_train_on(dataset, held_out)
    for stem in held_out:
        if not dataset.labels(stem).is_file():
            raise InputError(f"{dataset.labels(stem)}: no such file; a held-out video must be annotated")

    of_data = network.data_settings(net, "TRAIN", origin)
    streams = of_data["streams"]
    given = training_data.features_given(features, streams, held_out, origin)
    of_prepare = [stream for stream in streams if stream != "features"]
    videos = {stem: datasets.prepared(dataset, stem, of_prepare) for stem in (*trained, *held_out)}
    if given:  # the network sees frames as its current system does
        stored = {key: given.preprocessing.get(key) for key in ("region", "feeder")}
    else:
        stored = training_data.stored(dataset, videos, of_data["size"], streams)
    notes += training_data.class_notes(
        dataset, trained, held_out, {stem: video.frames for stem, video in videos.items()}
    )
    rate, rate_notes = training_data.frame_rate(videos)
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
    means = {stream: training_data.means(videos, stream) for stream in of_prepare}
    own_data: dict[str, Any] = {}
    if given:
        file = given.path / current_system.FILE
        folder_of_features = current_features.prepare(dataset, list(videos), file, given.preprocessing, quiet)
        means["features"] = {stem: current_features.mean_moments(folder_of_features, stem) for stem in videos}
        own_data["features"] = str(folder_of_features.resolve())
    normalisation = training_data.normalisation({stem: videos[stem].frames for stem in trained}, means)

    settings: dict[str, Any] = {
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
    if given:
        settings["features"] = given.hash
    common = {"dataset": str(dataset.path.resolve()), "seed": seed, **normalisation, **own_data}
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
    preprocessing: dict[str, Any] = {
        **stored,
        **{key: of_data[key] for key in ("size", "crop") if key in of_data},
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
        current_system=given,
        iterations=iterations,
        validate_every=validate_every,
        seed=seed,
        frames={stem: video.frames for stem, video in videos.items()},
        preprocessing=preprocessing,
        streams=streams,
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


def write_files(plan: Plan) -> None:
    """Write the filled train_val, deploy and solver into the model's folder, and the current system that it needs."""
    files = ((model.TRAIN_VAL, plan.net, "The network"), (model.SOLVER, plan.solver, "The solver"))
    for name, message, what in files:
        network.write_message(plan.folder / name, message, COMMENT.format(what=what, folder=plan.folder))
    network.write_message(plan.folder / model.DEPLOY, plan.deploy)
    if plan.current_system:
        with atomic_path(plan.folder / current_system.FILE) as temporary:
            shutil.copyfile(plan.current_system.path / current_system.FILE, temporary)


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
