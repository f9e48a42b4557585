"""Memory that a net and its worker processes share: the videos' labels, and slots of a batch each."""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy as np

from python_layers.frame_plan import Timeline
from python_layers.settings import Settings, top_shapes

ALIGNED = 64  # bytes: each array starts at a line of the processor's cache


def shared_bytes(settings: Settings, slots: int, frames: int) -> int:
    """Size of the memory of so many slots, and of the labels of so many frames."""
    return slots * _slot_bytes(settings) + 8 * (frames + len(settings.videos) + 1)


def slot_at(settings: Settings, memory: mmap.mmap, index: int) -> list[np.ndarray]:
    """The arrays of slot `index`, one for each of the layer's tops, float32, as `settings.top_shapes` has them."""
    start = index * _slot_bytes(settings)
    arrays = []
    for shape in top_shapes(settings):
        arrays.append(np.frombuffer(memory, np.float32, int(np.prod(shape)), start).reshape(shape))
        start += _room(shape)
    return arrays


def timeline_at(settings: Settings, memory: mmap.mmap, slots: int, frames: int) -> Timeline:
    """The labels, on the memory behind the slots."""
    start = slots * _slot_bytes(settings)
    label = np.frombuffer(memory, np.int64, frames, start)
    return Timeline(label, np.frombuffer(memory, np.int64, len(settings.videos) + 1, start + label.nbytes))


def _slot_bytes(settings: Settings) -> int:
    return sum(_room(shape) for shape in top_shapes(settings))


def _room(shape: tuple[int, ...]) -> int:
    return -(-int(np.prod(shape)) * 4 // ALIGNED) * ALIGNED


def open_shared(size: int) -> int:
    """A file descriptor of `size` bytes of memory that has no name, so that nothing is left behind.

    Not /dev/shm: containers give that 64 MB, a full-size batch takes three quarters of it.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("frame_sequences")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
