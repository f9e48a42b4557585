"""The one place where the tools import Caffe, whichever of the two engines answers to that name."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.errors import InputError

LANES = 4  # nets that compute side by side, at most: each has the memory of a batch


def cores() -> int:
    """How many processors this process may use: all that are its, or its share, ETHOCAFFE_CORES, of several commands
    side by side (tools.processes)."""
    share = os.environ.get("ETHOCAFFE_CORES", "")
    if share.isdigit() and int(share):
        return int(share)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_cores() -> None:
    """Let the engine, if it is not loaded yet, give a net so few threads that `lanes` of them fill the machine. Several
    nets with a thread each do more than one net with several: none waits for another's slowest part."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(cores() // LANES, 1)))


def lanes(gpu: int | None) -> int:
    """How many nets may compute side by side in this process, each in a thread of its own, on that GPU or the CPU."""
    load_caffe()
    if importlib.util.find_spec("caffe.errors") is None:
        return 1  # real Caffe computes with Python's lock held
    if gpu is not None:
        return 2  # one computes while the other's frames are on their way
    threads = os.environ.get("OMP_NUM_THREADS", "")
    each = int(threads) if threads.isdigit() and int(threads) else cores()  # without a number, the engine takes all
    return max(min(cores() // each, LANES), 1)


def load_caffe() -> Any:
    """The module `caffe`, logging nothing but errors."""
    # Real Caffe logs every layer of every net; it reads this when it is imported.
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        import caffe
    except ImportError as error:
        raise InputError(f"Caffe cannot be imported ({error}); run `make setup`") from None
    return caffe


def use_device(gpu: int | None) -> None:
    """Compute on the GPU of that number, or on the CPU."""
    caffe = load_caffe()
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()


def together() -> bool:
    """Whether this process was started as one of several that train as one, by torchrun or the like."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


@contextmanager
def member() -> Iterator[None]:
    """Inside, this process is one of those, if it is `together` with others: `caffe.solver_rank()` of
    `caffe.solver_count()`. What fails in one then ends all, with one line."""
    if not together():
        yield
        return
    caffe = load_caffe()
    peers = _peers()
    with peers.member():
        try:
            yield
        except InputError as error:
            raise caffe.CaffeError(str(error)) from error


def train_on(gpus: Sequence[int], arguments: Sequence[str]) -> int:
    """Run `ethocaffe` with these arguments in a process for each GPU, all of one training; the exit status."""
    load_caffe()
    _peers()
    from caffe.training import launch

    return launch.train_on(gpus, arguments, "tools.cli", ())


def own_gpu(gpus: list[int]) -> int:
    """The GPU of this process, of those that processes on this machine train on together."""
    return _peers().own_gpus(gpus)[0]


def from_root(text: str) -> str:
    """The text that the process of rank 0 gives, in all that train together."""
    return _peers().from_root(text) if together() else text


def sums(values: Sequence[float]) -> list[float]:
    """Each number summed over the processes that train together."""
    return _peers().sums(values) if together() else list(values)


def connect(solver: Any) -> None:
    """Make a solver one of those that train together, from the weights of rank 0."""
    if together():
        _peers()
        from caffe.training import parallel

        parallel.connect(solver)


def _peers() -> Any:
    try:
        from caffe.training import peers
    except ImportError:
        raise InputError(
            "several processes train as one (RANK and WORLD_SIZE are set), which needs the engine of this project, not "
            "real Caffe"
        ) from None
    return peers


@contextmanager
def layers_of_file(path: Path) -> Iterator[None]:
    """Let the engine's complaint about a layer say that it stands in `path`: the net it was given may be a filled copy
    of that file, or come without a name. Real Caffe ends the process instead."""
    try:
        yield
    except Exception as error:
        engine = sys.modules.get("caffe.errors")
        if engine is None or not isinstance(error, engine.CaffeError) or not str(error).startswith("layer '"):
            raise
        raise InputError(f"{path}: {error}") from error
