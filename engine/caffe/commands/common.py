"""What `caffe train`, `test`, `time` and `device_query` share: the flags of tools/caffe.cpp, GPUs, phase, stages."""

from __future__ import annotations

from collections.abc import Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.flags import Flag, Value

Flags = Mapping[str, Value]

CAFFE_FLAGS = {
    "gpu": Flag("", "GPUs to run on: an index, several separated by ',', or all; without it, the CPU", "N"),
    "solver": Flag("", "solver prototxt", "FILE"),
    "model": Flag("", "net prototxt", "FILE"),
    "phase": Flag("", "TRAIN or TEST: the net's phase for `time`", "PHASE"),
    "level": Flag(0, "the net's level, for include and exclude rules", "N"),
    "stage": Flag("", "the net's stages, separated by ','", "NAMES"),
    "snapshot": Flag("", "solver state to resume from", "FILE"),
    "weights": Flag("", "weights to start from, separated by ','; not together with snapshot", "FILES"),
    "iterations": Flag(50, "how many iterations to run", "N"),
    "sigint_effect": Flag("stop", "what Ctrl-C (SIGINT) does: snapshot, stop or none", "EFFECT"),
    "sighup_effect": Flag("snapshot", "what a hang-up (SIGHUP) does: snapshot, stop or none", "EFFECT"),
}


def only(*names: str) -> dict[str, Flag]:
    """The named flags of `caffe`."""
    return {name: CAFFE_FLAGS[name] for name in names}


def chosen_gpus(text: str) -> list[int]:
    """The indices in `0`, `0,1`, `all` or ''. Raises CaffeError for anything else."""
    if text == "all":
        import torch

        return list(range(torch.cuda.device_count()))
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise CaffeError(f"--gpu is a GPU's index, several separated by ',', or all; not '{text}'") from None


def use(gpus: list[int]) -> None:
    """Compute on the first of the GPUs, or on the CPU if there is none."""
    from caffe import context

    if gpus:
        context.set_device(gpus[0])
        context.set_mode_gpu()
    else:
        context.set_mode_cpu()


def use_one(flags: Flags) -> None:
    """As `test` and `time` choose where to compute, with their log line."""
    gpus = chosen_gpus(str(flags["gpu"]))
    glog.info(f"Use GPU with device ID {gpus[0]}" if gpus else "Use CPU.")
    if gpus and (name := gpu_name(gpus[0])):
        glog.info(f"GPU device name: {name}")
    use(gpus)


def gpu_name(index: int) -> str:
    """The name of a CUDA device, '' if it is not there."""
    import torch

    return torch.cuda.get_device_name(index) if 0 <= index < torch.cuda.device_count() else ""


def stages(flags: Flags) -> list[str]:
    """The names in --stage; one empty name where none is given, as in Caffe."""
    return str(flags["stage"]).split(",")


def needed(flags: Flags, name: str, what: str) -> str:
    """The value of a flag that must be given. Raises CaffeError."""
    if not flags[name]:
        raise CaffeError(f"give --{name}=FILE: {what}")
    return str(flags[name])
