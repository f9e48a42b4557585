"""A device with memory of its own, played on the CPU: what would mix host and device on a GPU raises here.

Its tensors say that they live on torch's device "meta" and hold real numbers, so layers compute what they would on a
GPU, and an operation with a tensor of the host among its arguments fails as it would there (but for numbers without
axes, and for copies).
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from caffe import context

DEVICE = context.Device(torch.device("meta"), shares_host=False)
_COPIES = {"copy_", "_to_copy"}


class OnDevice(torch.Tensor):
    """A tensor of the pretended device around the host's tensor that holds its numbers."""

    @staticmethod
    def __new__(cls, held: torch.Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=DEVICE.torch_device, requires_grad=False)

    def __init__(self, held: torch.Tensor):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None):
        return _run(op, args, kwargs or {})


def _run(op, args, kwargs):
    name = op.overloadpacket.__name__
    tensors = [x for x in chain(tree_leaves(args), tree_leaves(kwargs)) if isinstance(x, torch.Tensor)]
    here = [x for x in tensors if isinstance(x, OnDevice)]
    away = [x for x in tensors if not isinstance(x, OnDevice) and x.dim() > 0]
    if here and away and name not in _COPIES:
        raise RuntimeError(f"{op}: host and device tensors mixed")
    target = kwargs.get("device")
    to_device = bool(here) if target is None else torch.device(target).type == "meta"
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    held = tree_map(lambda x: x.held if isinstance(x, OnDevice) else x, (args, kwargs))
    found = op(*held[0], **held[1])
    if name.endswith("_") and not name.endswith("__") and isinstance(args[0], torch.Tensor):
        return args[0]
    if not to_device:
        return found
    return tree_map(lambda x: OnDevice(x) if isinstance(x, torch.Tensor) else x, found)


class _Factories(TorchDispatchMode):
    """Makes tensors that are asked for on the pretended device."""

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        return _run(op, args, kwargs or {})


@contextmanager
def pretend_device():
    """Nets inside compute on the pretended device."""
    with context.use_device(DEVICE), _Factories():
        yield
