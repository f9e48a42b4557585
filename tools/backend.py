"""The one place where the tools import Caffe, whichever of the two engines answers to that name."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.errors import InputError

LANES = 4  # nets that compute side by side, at most: each has the memory of a batch


def cores() -> int:
    """How many processors this process may use."""
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
