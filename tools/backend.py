"""The one place where the tools import Caffe, whichever of the two engines answers to that name."""

from __future__ import annotations

import os
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
