"""Blobs: N-d arrays of data and diff, each with a host and a device copy kept in step.

The states of a copy pair are those of src/caffe/syncedmem.cpp, and one more. A blob never moves while its size does
not grow, so an array taken from `.data` stays the blob's own memory: what a script writes there the next layer reads,
and what a layer writes the script sees (on a GPU: at its next use of `.data`).

On a CPU a blob of which no script has an array takes a layer's result as it is, in whatever memory layout the layer
made it, and hands it to the next layer so: nothing is copied between layers that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from math import prod
from typing import SupportsIndex

import numpy as np
import torch

from caffe import context, memory
from caffe.errors import CaffeError, CaffeTypeError
from caffe.formats import binaryproto
from caffe.formats.binaryproto import blob_shape, is_legacy
from caffe.proto import caffe_pb2

MAX_AXES = 32
_INT_MAX = 2**31 - 1

EMPTY, AT_HOST, AT_DEVICE, SYNCED = "empty", "at host", "at device", "synced"
TAKEN = "taken"  # on a CPU: a layer's result as the layer made it
CLEARED = "cleared"  # on a CPU: all 0, whatever the host's array holds


class SyncedMemory:
    """`size` numbers on the host and, where the device has memory of its own, on the device.

    The copy that was written last is the head; the other is brought up to date when it is next asked for.
    """

    def __init__(self, size: int, dtype: np.dtype):
        self.size = size
        self.dtype = np.dtype(dtype)
        self.head = EMPTY
        self.shown = False  # whether a script has had the host's array, and may have it still
        self._host: np.ndarray | None = None
        self._device: torch.Tensor | None = None
        self._taken: torch.Tensor | None = None

    def host(self, write: bool) -> np.ndarray:
        """The host's array, up to date; `write` says that the caller may change it."""
        if self._host is None:
            self._host = _zeros(self.size, self.dtype)
        if self.head == AT_DEVICE:
            assert self._device is not None
            torch.from_numpy(self._host).copy_(self._device)
            self.head = SYNCED
        elif self.head == TAKEN:
            assert self._taken is not None
            torch.from_numpy(self._host)[: self._taken.numel()].view(self._taken.shape).copy_(self._taken)
            self._taken, self.head = None, AT_HOST
        elif self.head == CLEARED:
            self._host.fill(0)
            self.head = AT_HOST
        if write or self.head == EMPTY:
            self.head = AT_HOST
        return self._host

    def device(self, write: bool) -> torch.Tensor:
        """The current device's tensor, up to date; `write` says that the caller may change it."""
        where = context.device()
        if where.shares_host:
            return torch.from_numpy(self.host(write))
        if self.head in (TAKEN, CLEARED):
            self.host(write=True)
        if self._device is None or self._device.device != where.torch_device:
            self._leave_device()
            self._device = torch.zeros(self.size, dtype=_torch_dtype(self.dtype), device=where.torch_device)
        if self.head == AT_HOST:
            self._device.copy_(torch.from_numpy(self._host))
            self.head = SYNCED
        if write or self.head == EMPTY:
            self.head = AT_DEVICE
        # `.data` has a version counter of its own: like Caffe, backward sees memory as it is by then
        return self._device.data

    @property
    def stays(self) -> bool:
        """Whether results must be copied to where they are expected: into an array that was shown, or a device."""
        return self.shown or not context.device().shares_host

    def take(self, value: torch.Tensor) -> None:
        """Have a result, of `size` numbers or fewer, as the contents; only where nothing `stays`."""
        self._taken, self.head = value, TAKEN

    def taken(self, shape: tuple[int, ...]) -> torch.Tensor | None:
        """The result that was taken, in this shape; None where it is not the head, or would have to be copied."""
        if self.head != TAKEN or not context.device().shares_host:
            return None
        assert self._taken is not None
        value = self._taken.data
        if value.shape == shape:
            return value
        return value.view(shape) if value.is_contiguous() and value.numel() == prod(shape) else None

    def clear(self) -> None:
        """Make all numbers 0: at once where somebody looks, else when they are next asked for."""
        if self.stays or self._host is None:
            self.device(write=True).zero_()
        else:
            self._taken, self.head = None, CLEARED

    def overwritten(self) -> torch.Tensor:
        """The device's tensor for one who will write all of it."""
        if self.head in (TAKEN, CLEARED) and context.device().shares_host:
            self._taken, self.head = None, AT_HOST
        return self.device(write=True)

    def set_host(self, array: np.ndarray) -> None:
        """Have `array` be the host's copy, and the head."""
        self._host, self._taken, self.head = array, None, AT_HOST

    def _leave_device(self) -> None:
        if self._device is not None and self.head == AT_DEVICE:
            self.host(write=True)
        elif self.head == SYNCED:
            self.head = AT_HOST


@cache
def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype


def _zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros on the host. Raises CaffeError where they cannot be had, before the system ends the process for them."""
    if size * dtype.itemsize <= memory.total_bytes():
        with suppress(MemoryError, OSError):
            return memory.zeros(size, dtype)
    raise CaffeError(f"there is not enough memory for a blob of {size} numbers, {size * dtype.itemsize / 2**30:.1f} GB"
                     "; use a smaller batch or smaller sizes")


class Blob:
    """An N-d array with its gradient, as pycaffe's Blob: `data`, `diff`, `shape`, `reshape`, `count`, …"""

    def __init__(self, *shape: int, dtype: np.dtype | type = np.float32):
        self.dtype = np.dtype(dtype)
        self._shape: tuple[int, ...] = ()
        self._data = SyncedMemory(0, self.dtype)
        self._diff = SyncedMemory(0, self.dtype)
        self.reshape(*shape)

    # -- shape -------------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def num_axes(self) -> int:
        return len(self._shape)

    @property
    def count(self) -> int:
        return prod(self._shape)

    def reshape(self, *shape: int, **named: int) -> None:
        """Change the shape; the memory stays where it is unless it must grow (then it is zero)."""
        if named:
            raise CaffeTypeError(f"Blob.reshape takes the dimensions in order, no {', '.join(named)}")
        if len(shape) > MAX_AXES:
            raise CaffeError(f"a blob has at most {MAX_AXES} axes; {len(shape)} were asked for")
        shape = tuple(int(n) for n in shape)
        if any(n < 0 for n in shape):
            raise CaffeError(f"a blob's dimensions are 0 or more; {shape} was asked for")
        count = prod(shape)
        if count > _INT_MAX:
            raise CaffeError(f"a blob of shape {shape} has more than {_INT_MAX} numbers; use a smaller batch")
        if count > min(self._data.size, self._diff.size):
            self._data = SyncedMemory(count, self.dtype)
            self._diff = SyncedMemory(count, self.dtype)
        self._shape = shape

    def axis(self, index: int) -> int:
        """The axis counted from the front for an index that may count from the back."""
        if not -self.num_axes <= index < self.num_axes:
            raise CaffeError(f"axis {index} is out of range for a blob of shape {self.shape_string()}")
        return index % self.num_axes

    def shape_string(self) -> str:
        """`2 3 4 (24)`, as Caffe's logs and errors have it."""
        return "".join(f"{n} " for n in self._shape) + f"({self.count})"

    def _legacy(self, index: int) -> int:
        if self.num_axes > 4:
            raise CaffeError(f"num, channels, height and width are for at most 4 axes, not {self._shape}")
        return self._shape[index] if -self.num_axes <= index < self.num_axes else 1

    num = property(lambda self: self._legacy(0))
    channels = property(lambda self: self._legacy(1))
    height = property(lambda self: self._legacy(2))
    width = property(lambda self: self._legacy(3))

    # -- pycaffe's arrays ----------------------------------------------------------------------------------
    @property
    def data(self) -> np.ndarray:
        """The blob's own memory as a writable array of `shape`."""
        return self._shown(self._data)

    @property
    def diff(self) -> np.ndarray:
        """The gradient's own memory as a writable array of `shape`."""
        return self._shown(self._diff)

    def _shown(self, memory: SyncedMemory) -> np.ndarray:
        memory.shown = True
        return memory.host(write=True)[: self.count].reshape(self._shape)

    # addresses on the device, for layers with kernels of their own; a CPU build of Caffe has no such attributes
    _gpu_data_ptr = property(lambda self: self._address(self._data))
    _gpu_diff_ptr = property(lambda self: self._address(self._diff))

    def _address(self, memory: SyncedMemory) -> int:
        if context.device().shares_host:
            raise AttributeError("blobs have an address on the device only in GPU mode: call caffe.set_mode_gpu()")
        return memory.device(write=True).data_ptr()

    def set_cpu_data(self, array: np.ndarray) -> None:
        """Have the data on the host be `array` itself from now on, for this blob and those that share its data.

        Blob::set_cpu_data in src/caffe/blob.cpp. Raises CaffeError unless the array is C-contiguous, writable and of
        the blob's shape and kind of numbers.
        """
        if array.dtype != self.dtype or array.shape != self._shape or not array.flags.carray:
            raise CaffeError(f"a blob of shape {self.shape_string()} takes a writable C-contiguous {self.dtype} array "
                             f"of that shape, not {array.dtype} of {array.shape}: copy it into data[...]")
        if self._data.size != self.count:
            self._data, self._diff = SyncedMemory(self.count, self.dtype), SyncedMemory(self.count, self.dtype)
        self._data.set_host(array.reshape(-1))

    # -- tensors for layers and solvers -----------------------------------------------------------------------
    def tensor(self) -> torch.Tensor:
        """The data on the current device, to read; of `shape`, in any memory layout."""
        return self._read(self._data)

    def diff_tensor(self) -> torch.Tensor:
        """The diff on the current device, to read; of `shape`, in any memory layout."""
        return self._read(self._diff)

    def mutable_tensor(self) -> torch.Tensor:
        """The data on the current device, contiguous, to change in place."""
        return self._whole(self._data.device(write=True))

    def mutable_diff_tensor(self) -> torch.Tensor:
        """The diff on the current device, contiguous, to change in place."""
        return self._whole(self._diff.device(write=True))

    def put(self, value: torch.Tensor) -> None:
        """Have `value` (`shape`, any layout, nobody else's memory) as the data."""
        self._put(self._data, value)

    def put_diff(self, value: torch.Tensor) -> None:
        """Have `value` (`shape`, any layout, nobody writes into it any more) as the diff."""
        self._put(self._diff, value)

    def clear_diff(self) -> None:
        """Make the diff 0."""
        self._diff.clear()

    def diff_to_fill(self) -> tuple[torch.Tensor, bool]:
        """The diff to add to, and whether it is 0 and may be written without being read: its numbers are then any."""
        cleared = self._diff.head == CLEARED and self._diff.size == self.count
        return self._whole(self._diff.overwritten() if cleared else self._diff.device(write=True)), cleared

    @property
    def stays(self) -> bool:
        """Whether `put` copies into memory that others may hold."""
        return self._data.stays

    def _read(self, memory: SyncedMemory) -> torch.Tensor:
        taken = memory.taken(self._shape)
        return self._whole(memory.device(write=False)) if taken is None else taken

    def _whole(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers[: self.count].view(self._shape)

    def _put(self, memory: SyncedMemory, value: torch.Tensor) -> None:
        if memory.stays or value.dtype != _torch_dtype(self.dtype):
            self._whole(memory.overwritten() if memory.size == self.count else memory.device(write=True)).copy_(value)
        else:
            memory.take(value)

    # -- sharing and copying -------------------------------------------------------------------------------
    def share_data(self, other: Blob) -> None:
        """Use `other`'s data memory as one's own (counts must be equal)."""
        self._require_count(other)
        self._data = other._data

    def share_diff(self, other: Blob) -> None:
        """Use `other`'s diff memory as one's own (counts must be equal)."""
        self._require_count(other)
        self._diff = other._diff

    def _require_count(self, other: Blob) -> None:
        if self.count != other.count:
            raise CaffeError(f"cannot share memory between blobs of shape {self.shape_string()} "
                             f"and {other.shape_string()}")

    def matches(self, proto: caffe_pb2.BlobProto) -> bool:
        """True if the stored shape is this one; legacy 4-D shapes compare aligned at their end."""
        stored = blob_shape(proto)
        if is_legacy(proto):
            return self.num_axes <= 4 and stored == (1,) * (4 - self.num_axes) + self._shape
        return stored == self._shape

    def from_proto(self, proto: caffe_pb2.BlobProto, reshape: bool = True) -> None:
        """Take data (and diff where stored) from a BlobProto. Raises CaffeError where lengths disagree."""
        if reshape:
            self.reshape(*blob_shape(proto))
        elif not self.matches(proto):
            raise CaffeError(f"stored blob of shape {blob_shape(proto)} for one of shape {self.shape_string()}")
        data = binaryproto.numbers(proto, "data")
        if len(data) != self.count:
            raise CaffeError(f"stored blob of shape {blob_shape(proto)} holds {len(data)} numbers "
                             f"where {self.count} are needed: the file is damaged or of another format")
        self.data.reshape(-1)[:] = data
        diff = binaryproto.numbers(proto, "diff")
        if len(diff):
            if len(diff) != self.count:
                raise CaffeError(f"stored diff holds {len(diff)} numbers where {self.count} are needed")
            self.diff.reshape(-1)[:] = diff

    def to_proto(self, write_diff: bool = False) -> caffe_pb2.BlobProto:
        """A BlobProto of this blob (float32 in `data`, float64 in `double_data`)."""
        proto = caffe_pb2.BlobProto()
        proto.shape.dim.extend(self._shape)
        binaryproto.set_numbers(proto, "data", self._data.host(write=False)[: self.count])
        if write_diff:
            binaryproto.set_numbers(proto, "diff", self._diff.host(write=False)[: self.count])
        return proto


class BlobVec(list):
    """A layer's parameter blobs: a list with pycaffe's `add_blob`."""

    def __init__(self, blobs: Iterable[Blob] = (), dtype: np.dtype | type = np.float32):
        super().__init__(blobs)
        self._dtype = dtype

    def append(self, blob: Blob) -> None:
        super().append(_required(blob))

    def extend(self, blobs: Iterable[Blob]) -> None:
        super().extend([_required(blob) for blob in blobs])

    def insert(self, index: SupportsIndex, blob: Blob) -> None:
        super().insert(index, _required(blob))

    def __setitem__(self, index, value) -> None:
        super().__setitem__(index, [_required(b) for b in value] if isinstance(index, slice) else _required(value))

    def add_blob(self, *shape: int) -> None:
        """Append a zero blob of the given shape."""
        self.append(Blob(*shape, dtype=self._dtype))


def _required(blob: Blob) -> Blob:
    if not isinstance(blob, Blob):
        raise CaffeTypeError(f"a layer's parameters are Blobs, not {type(blob)}: write numbers into their arrays, "
                             "blobs[0].data[...] = …; add_blob(*shape) makes one")
    return blob
