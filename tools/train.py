"""`ethocaffe train`: a network and a dataset with held-out videos become a model that explains itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from data_prep.errors import InputError
from data_prep.files import LOCK, atomic_path, locked, read_json, remove, write_json
from tools import current, model, processes
from tools.arguments import add_gpu, add_quiet, command_line, positive

TRAINING = "training.json"
TO_TRAIN = "train"
SETTINGS = (
    "weights",
    "features",
    "iterations",
    "batch_size",
    "sequence_length",
    "solver",
    "seed",
    "validate_every",
    "sampling",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network",
        metavar="NETWORK",
        help="a folder with train_val.prototxt and deploy.prototxt, "
        "as a path or as a name inside prototxt/, such as mini/shape_motion/cnn; or current_system",
    )
    parser.add_argument("dataset", metavar="DATASET", help="a dataset that `ethocaffe prepare` has prepared")
    parser.add_argument(
        "--hold-out",
        required=True,
        metavar="VIDEO[,VIDEO…]",
        help="videos to validate on and not "
        "to train on; `none` trains on all and takes the scores on the training videos themselves",
    )
    parser.add_argument("--output", required=True, metavar="MODEL", help="the folder to write the model to")
    add_settings(parser)
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that read frames (default 2)")
    add_gpu(parser)
    parser.add_argument(
        "--gpus",
        metavar="N,…",
        help="on these GPUs together: a process for each computes its part of every batch. Over machines, and on CPUs: "
        "torchrun (docs/scale.md)",
    )
    add_quiet(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What a training can be given besides its network, data and place: SETTINGS, and those of `tools.current`."""
    parser.add_argument("--weights", metavar="FILE", help="a .caffemodel to take conv1 … conv5 from, by name")
    parser.add_argument(
        "--features",
        metavar="MODEL",
        help="for current_system/lstm: the trained current system whose features it reads (of cross-validate: or the "
        "folder of its cross-validation, each fold with its own)",
    )
    parser.add_argument("--iterations", type=positive, metavar="N", help="default: the solver's max_iter")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="sequences in a batch; default: the network's")
    parser.add_argument(
        "--sequence-length",
        type=positive,
        metavar="T",
        help="frames in a training sequence of a recurrent network; default: the network's (2). The batch keeps its "
        "number of frames, unless --batch-size is given",
    )
    parser.add_argument("--solver", metavar="FILE", help="default: the solver.prototxt nearest to the network")
    parser.add_argument(
        "--seed",
        type=int,
        metavar="K",
        help="of the initial weights and of the order of the frames; default: the solver's random_seed",
    )
    parser.add_argument(
        "--validate-every",
        type=positive,
        metavar="N",
        help="iterations between validations and snapshots; default: the solver's test_interval",
    )
    parser.add_argument(
        "--sampling",
        choices=("uniform", "balanced", "running"),
        help="how training frames are drawn: every frame as often as any other (uniform), every class as often as any "
        "other (balanced), or in order, so that a recurrent network keeps its state from batch to batch (running); "
        "default: the network's, running for recurrent ones, else uniform",
    )
    current.add_settings(parser)


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """SETTINGS, and the current system's, as a command line gave them, None where it did not."""
    return {name: getattr(args, name) for name in (*SETTINGS, *current.SETTINGS)}


def run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    if args.network == current.NAME:
        current.refuse_settings(settings, current.SETTINGS, "the current system")
        current.train(args.dataset, args.hold_out, args.output, args.seed, args.quiet, settings)
        return 0
    current.refuse_settings(settings, SETTINGS, "a network")
    from tools import backend

    gpu, gpus = args.gpu, [] if args.gpus is None else processes.gpu_numbers(args.gpus)
    if gpus and gpu is not None:
        raise InputError("--gpu and --gpus: give one of them")
    if gpus and not backend.together():
        return backend.train_on(list(map(int, gpus)), _arguments(args, settings))
    with backend.member():
        if gpus:
            gpu = backend.own_gpu(list(map(int, gpus)))
        train(
            args.network,
            args.dataset,
            args.hold_out,
            args.output,
            **{name: settings[name] for name in SETTINGS},
            workers=args.workers,
            gpu=gpu,
            quiet=args.quiet,
        )
    return 0


def _arguments(args: argparse.Namespace, settings: Mapping[str, Any]) -> list[str]:
    """The command line that `args` came from."""
    options = {name.replace("_", "-"): settings[name] for name in SETTINGS}
    options.update({"hold-out": args.hold_out, "output": args.output, "workers": args.workers, "gpus": args.gpus})
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return ["train", args.network, args.dataset, *given, *(["--quiet"] if args.quiet else [])]


def train(
    network: str,
    dataset: str | Path,
    hold_out: str | Sequence[str],
    output: str | Path,
    *,
    weights: str | Path | None = None,
    features: str | Path | None = None,
    iterations: int | None = None,
    batch_size: int | None = None,
    sequence_length: int | None = None,
    solver: str | Path | None = None,
    seed: int | None = None,
    validate_every: int | None = None,
    sampling: str | None = None,
    workers: int = 2,
    gpu: int | None = None,
    quiet: bool = False,
    watch: Callable[[Mapping[str, Any]], None] | None = None,
) -> model.Model:
    """Train a model, or go on with an interrupted training of the same settings, or return the finished one.

    `hold_out` is a list of videos or names separated by commas, or "none". The model keeps the weights of the
    iteration with the highest balanced accuracy on the held-out videos (the earliest of several).
    `watch` is called after each validation with its row of the learning curve; what it raises ends the training.
    Of processes that train together (tools.backend.member) each computes a part of every batch, and rank 0 does all
    else. Raises InputError for whatever is wrong with the input, and where `output` holds anything else.
    """
    from tools import backend
    from tools.training_plan import make_plan, write_files
    from tools.training_run import follow_training, run_training

    first = backend.load_caffe().solver_rank() == 0
    folder = Path(output).resolve()
    if workers < 0:
        raise InputError(f"--workers {workers}: give 0 or more processes")
    if first:
        model.refuse_foreign(folder, {TRAINING})
    plan = make_plan(
        folder,
        network,
        dataset,
        hold_out,
        weights=weights,
        features=features,
        iterations=iterations,
        batch_size=batch_size,
        sequence_length=sequence_length,
        solver=solver,
        seed=seed,
        validate_every=validate_every,
        sampling=sampling,
        workers=workers,
        quiet=quiet or not first,
    )
    if not first:
        if backend.from_root("") == TO_TRAIN:
            backend.use_device(gpu)
            follow_training(plan)
            backend.from_root("")
        return model.load(folder)
    if (folder / "model.json").is_file():
        finished = model.load(folder)
        model.refuse_other_settings(folder, finished.info["settings"], plan.settings, "was trained")
        if not quiet:
            print(f"{output}: already trained with these settings; nothing to do")
        backend.from_root("trained")
        return finished
    if (folder / TRAINING).is_file():
        model.refuse_other_settings(folder, read_json(folder / TRAINING)["settings"], plan.settings, "is being trained")

    for note in [] if quiet else plan.notes:
        print(note)
    backend.use_device(gpu)
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), _nothing_without_a_checkpoint(folder, new):
        write_json(folder / TRAINING, {"settings": plan.settings})
        write_files(plan)
        backend.from_root(TO_TRAIN)
        state = run_training(plan, quiet, watch)
        options = {
            "hold-out": hold_out if isinstance(hold_out, str) else ",".join(hold_out),
            "weights": weights,
            "features": features,
            "iterations": iterations,
            "batch-size": batch_size,
            "sequence-length": sequence_length,
            "solver": solver,
            "seed": seed,
            "validate-every": validate_every,
            "sampling": sampling,
            "workers": workers,
            "gpu": gpu,
            "output": output,
        }
        done = _finish(plan, state, command_line("train", [network, dataset], options))
        backend.from_root("done")
    if not quiet:
        best = state["best"]
        print(f"{output}: best at iteration {best['iteration']}, balanced accuracy {best['balanced_accuracy']:.3f}")
        if only := only_class(best["metrics"]):
            print(
                f"{output}: every frame is given the class {only!r}, even at the best iteration: the network has not "
                "learned; try another --seed, or a solver with a lower base_lr (--solver)"
            )
    return done


def only_class(scores: dict[str, Any]) -> str | None:
    """The one class that all frames were given, of `metrics.summary`; None where there are several.

    So ends a network whose units died, as at the thesis's rate from random weights (prototxt/README.md).
    """
    given = [name for name, column in zip(scores["classes"], zip(*scores["confusion"])) if any(column)]
    return given[0] if len(given) == 1 and scores["classes_present"] > 1 else None


@contextmanager
def _nothing_without_a_checkpoint(folder: Path, new: bool) -> Iterator[None]:
    """Where the block fails, remove what its last checkpoint does not name; before the first, all that it wrote.

    So a fault that has been put right does not meet the settings of the training that was refused for it.
    """
    from current_system import system
    from tools.training_run import SNAPSHOTS, STATE, remove_stale

    try:
        yield
    except Exception:
        snapshots = folder / SNAPSHOTS
        if (snapshots / STATE).is_file():
            remove_stale(snapshots, read_json(snapshots / STATE))
        else:
            for name in (TRAINING, model.TRAIN_VAL, model.DEPLOY, model.SOLVER, system.FILE, SNAPSHOTS):
                remove(folder / name)
            if new:
                remove(folder / LOCK)  # held by this process
                folder.rmdir()
        raise


def _finish(plan: Any, state: dict[str, Any], command: str) -> model.Model:
    """Put the best weights in place, write model.json, and remove what was only needed to go on."""
    from current_system import system
    from tools import provenance
    from tools.training_run import SNAPSHOTS

    write_weights(plan.folder / SNAPSHOTS / state["best"]["weights"], plan.folder / model.WEIGHTS)
    done = model.save(
        plan.folder,
        {
            "network": plan.settings["network"],
            "classes": list(plan.dataset.classes),
            "streams": plan.streams,
            "preprocessing": plan.preprocessing,
            "frame_rate": plan.frame_rate,
            "trained_on": plan.trained,
            "held_out": plan.held_out,
            "seed": plan.seed,
            "iterations": plan.iterations,
            "best_iteration": state["best"]["iteration"],
            "validation": state["best"]["metrics"],
            "curve": state["curve"],
            "seconds_per_step": state["training_seconds"] / plan.iterations,
            "seconds_per_validation": state["validating_seconds"] / len(state["curve"]),
            "pretrained": str(plan.weights) if plan.weights else None,
            "data_fingerprint": plan.settings["data"],
            "settings": plan.settings,
            "command": command,
            **provenance.describe(),
        },
        (*model.SIGNED, system.FILE) if plan.current_system else model.SIGNED,
    )
    remove(plan.folder / TRAINING)
    remove(plan.folder / SNAPSHOTS)
    (plan.folder / SNAPSHOTS).mkdir()  # `caffe train --solver=` snapshots there
    return done


def write_weights(source: Path, target: Path) -> None:
    """Copy weights without what a snapshot's data layer says of this run: where its files lie and where it started
    reading. So one training gives one file, wherever it runs and however often it is interrupted."""
    from caffe.proto import caffe_pb2
    from tools import network

    net = caffe_pb2.NetParameter()
    net.ParseFromString(source.read_bytes())
    network.fill_data(net, "TRAIN", source, dataset="", videos=[], workers=0, start_batch=0, share=None)
    with atomic_path(target) as temporary:
        temporary.write_bytes(net.SerializeToString(deterministic=True))
