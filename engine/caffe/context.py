"""The process-wide settings that pycaffe has as functions: mode, device, solver rank.

Caffe keeps these in one singleton (src/caffe/common.cpp); scripts set them before they make a net. Everything
else in this package takes what it needs as an argument.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from caffe import glog
from caffe.errors import CaffeError


@dataclass(frozen=True)
class Device:
    """Where blobs are computed on.

    `shares_host` is true where the device's memory is the host's (the CPU): one array then serves both sides.
    """

    torch_device: torch.device
    shares_host: bool


CPU = Device(torch.device("cpu"), shares_host=True)


@dataclass
class _State:
    device: Device = CPU
    gpu_index: int = 0
    warned_without_gpu: bool = False
    solver_count: int = 1
    solver_rank: int = 0
    multiprocess: bool = False


_state = _State()


def device() -> Device:
    """The device that nets compute on now."""
    return _state.device


@contextmanager
def use_device(other: Device) -> Iterator[None]:
    """Compute on `other` inside the block (tests give a device with memory of its own)."""
    before = _state.device
    _state.device = other
    try:
        yield
    finally:
        _state.device = before


def set_mode_cpu() -> None:
    """Compute on the CPU from now on."""
    _state.device = CPU


def set_mode_gpu() -> None:
    """Compute on the CUDA device chosen by `set_device`; without one, warn once and stay on the CPU."""
    if torch.cuda.is_available():
        # TF32 rounds what is multiplied to 10 bits; Caffe's products are whole float32
        rounded = os.environ.get("CAFFE_TF32") == "1"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = rounded
        _state.device = Device(torch.device("cuda", _state.gpu_index), shares_host=False)
        return
    if not _state.warned_without_gpu and root_solver():
        glog.warning("GPU mode asked for, but there is no CUDA device here: computing on the CPU")
        _state.warned_without_gpu = True
    _state.device = CPU


def set_device(index: int) -> None:
    """Choose the CUDA device that `set_mode_gpu` uses. Raises CaffeError if it is not there."""
    count = torch.cuda.device_count()
    if count and not 0 <= index < count:
        raise CaffeError(f"set_device({index}): this machine has CUDA devices 0 to {count - 1}")
    _state.gpu_index = index
    if not _state.device.shares_host:
        set_mode_gpu()


def solver_count() -> int:
    return _state.solver_count


def set_solver_count(count: int) -> None:
    _state.solver_count = count


def solver_rank() -> int:
    return _state.solver_rank


def set_solver_rank(rank: int) -> None:
    _state.solver_rank = rank
    glog.only_if(rank == 0)


def root_solver() -> bool:
    """True in the process that logs, tests and writes snapshots."""
    return _state.solver_rank == 0


def set_multiprocess(value: bool) -> None:
    _state.multiprocess = value


def has_nccl() -> bool:
    """True where torch was built with NCCL and a CUDA device is there."""
    return torch.cuda.is_available() and torch.distributed.is_nccl_available()


# A fork leaves OpenMP's threads behind, and torch would wait for them for ever: children (multiprocessing, web servers)
# compute on the one that they have.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
