"""The one place where the tools import Caffe, whichever of the two engines answers to that name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.errors import InputError


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
