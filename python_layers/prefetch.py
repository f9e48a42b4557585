"""Where a layer's pixels come from: read on the spot, or ahead of the net by worker processes.

A worker is a process started afresh (a fork would copy a process with OpenMP, torch or Caffe threads). By
one pipe it gets a slot's number, reads the slot's list of frames and fills its pixels; by another it
answers. It ends when its pipe closes, that is with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_prep.errors import InputError
from python_layers.frame_reader import FrameReader
from python_layers.settings import Settings
from python_layers.slots import open_shared, own_slot, slot_at, slot_bytes

Paths = dict[str, list[str]]  # per stream the LMDB of each video
Request = Callable[[int], np.ndarray]  # from a batch's number to its list of frames

AHEAD = 2  # slots of each worker: one being filled, one that is full
PATIENCE = 2  # seconds a worker gets to end by itself


class OnTheSpot:
    """Reads each batch when it is asked for."""

    def __init__(self, settings: Settings, paths: Paths, request: Request):
        self._reader = FrameReader(settings, paths)
        self._request = request
        self._batch = settings.start_batch
        self._pixels = own_slot(settings).pixels

    def take(self, targets: Sequence[np.ndarray]) -> None:
        """Copy the next batch's pixels, stream by stream, into arrays that they broadcast to."""
        self._reader.fill(self._request(self._batch), self._pixels)
        copy(self._pixels, targets)
        self._batch += 1


class Prefetcher:
    """Has `settings.workers` processes read batches ahead.

    Batch k is worker k mod workers's, in slot k mod (AHEAD · workers): an order that no timing changes.
    """

    def __init__(self, settings: Settings, paths: Paths, request: Request):
        self._request = request
        self._batch = settings.start_batch
        count = AHEAD * settings.workers
        size = count * slot_bytes(settings)
        self._workers: list[Any] = []
        self._stop = weakref.finalize(self, stop_workers, self._workers, os.getpid())
        descriptor = open_shared(size)
        try:
            memory = mmap.mmap(descriptor, size)
            self._slots = [slot_at(settings, memory, index) for index in range(count)]
            for _ in range(settings.workers):
                self._workers.append(start_worker(descriptor))
        finally:
            os.close(descriptor)
        task = json.dumps({"settings": settings._asdict(), "paths": paths, "slots": count})
        for worker in self._workers:
            self._tell(worker, task)
        for batch in range(self._batch, self._batch + count):
            self._ask(batch)

    def take(self, targets: Sequence[np.ndarray]) -> None:
        """Copy the next batch's pixels, stream by stream, into arrays that they broadcast to.

        Raises InputError for what a worker met in the data, RuntimeError if it failed or was killed.
        """
        self._receive(self._workers[self._batch % len(self._workers)])
        copy(self._slots[self._batch % len(self._slots)].pixels, targets)
        self._ask(self._batch + len(self._slots))
        self._batch += 1

    def close(self) -> None:
        """End the workers. Further use is an error."""
        self._stop()

    def _ask(self, batch: int) -> None:
        index = batch % len(self._slots)
        self._slots[index].frames[...] = self._request(batch)
        self._tell(self._workers[batch % len(self._workers)], str(index))

    def _tell(self, worker: Any, line: str) -> None:
        # A worker that ended cannot be told; what became of it is read where its answer is due.
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(line + "\n")
            worker.stdin.flush()

    def _receive(self, worker: Any) -> None:
        answer = worker.stdout.readline()
        if answer == "done\n":
            return
        self.close()
        if not answer:
            raise RuntimeError(f"a process that reads frames ended early, {ending(worker.returncode)}")
        kind, text = json.loads(answer)
        raise (InputError if kind == "InputError" else RuntimeError)(text)


def copy(pixels: dict[str, np.ndarray], targets: Sequence[np.ndarray]) -> None:
    for source, target in zip(pixels.values(), targets):
        target[...] = source


def ending(code: int) -> str:
    if code < 0:
        return f"by signal {-code}; if the machine is short of memory, use fewer workers"
    return f"with status {code}; what it wrote stands above"


def start_worker(descriptor: int) -> subprocess.Popen:
    """Start a worker that inherits the shared memory. It finds modules where this process does."""
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", "python_layers.prefetch_worker", str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[descriptor],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for this process, which then ends its workers
    )


def stop_workers(workers: Sequence[Any], owner: int) -> None:
    if os.getpid() != owner:  # a fork of the owner: they are not its children
        return
    for worker in workers:
        with contextlib.suppress(BrokenPipeError):  # it ended with something still unsaid
            worker.stdin.close()
    for worker in workers:
        try:
            worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        worker.stdout.close()
