"""Memory that a net and its worker processes share, cut into slots of a batch each."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import NamedTuple

import numpy as np

from python_layers.settings import STORED_CHANNELS, Settings, batch_shapes


class Slot(NamedTuple):
    """A batch's list of frames, int64 (T·N, 4): video, frame, top and left of the crop; and its pixels, per
    stream float32 (T·N, stored channels, crop, crop) or (T·N, numbers)."""

    frames: np.ndarray
    pixels: dict[str, np.ndarray]


def slot_bytes(settings: Settings) -> int:
    """Size of a slot, a multiple of eight, so that each starts aligned."""
    pixels = sum(int(np.prod(shape)) for shape in batch_shapes(settings, STORED_CHANNELS).values())
    frames = settings.sequence_length * settings.sequences
    return frames * 4 * 8 + -(-pixels * 4 // 8) * 8


def slot_at(settings: Settings, memory: mmap.mmap | bytearray, index: int) -> Slot:
    """Arrays on the memory of slot `index`."""
    start = index * slot_bytes(settings)
    count = settings.sequence_length * settings.sequences
    frames = np.frombuffer(memory, np.int64, count * 4, start).reshape(count, 4)
    start += frames.nbytes
    pixels = {}
    for stream, shape in batch_shapes(settings, STORED_CHANNELS).items():
        pixels[stream] = np.frombuffer(memory, np.float32, int(np.prod(shape)), start).reshape(shape)
        start += pixels[stream].nbytes
    return Slot(frames, pixels)


def own_slot(settings: Settings) -> Slot:
    """A slot in memory of this process alone."""
    return slot_at(settings, bytearray(slot_bytes(settings)), 0)


def open_shared(size: int) -> int:
    """A file descriptor of `size` bytes of memory that has no name, so that nothing is left behind.

    Not /dev/shm: containers give that 64 MB, a batch of full-size frames takes half of it.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("frame_sequences")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
