"""Where a layer's batches come from: made on the spot, or ahead of the net by worker processes.

A worker is a process started afresh (a fork would copy a process with OpenMP, torch or Caffe threads). By
one pipe it gets a batch's number, and makes the batch in memory that it shares with the net; by another it
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
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.errors import InputError
from python_layers.batches import Batches, Task
from python_layers.frame_plan import Timeline
from python_layers.slots import open_shared, shared_bytes, slot_at, timeline_at

AHEAD = 2  # batches that each worker is asked for ahead: one that is full, one being made
PATIENCE = 2  # seconds a worker gets to end by itself


class OnTheSpot:
    """Makes each batch when it is asked for, in the tops' own memory."""

    def __init__(self, task: Task, timeline: Timeline):
        self._batches = Batches(task, timeline)
        self._batch = task.settings.start_batch

    def take(self, tops: Sequence[Any]) -> None:
        """Have the tops, blobs, hold the next batch. Raises InputError for what is wrong with the data."""
        self._batches.make(self._batch, [top.data for top in tops])
        self._batch += 1


class Prefetcher:
    """Has `settings.workers` processes make batches ahead.

    Batch k is worker k mod workers's, in slot k mod slots: an order that no timing changes. There is a slot more than
    batches are asked for, since the net may work in the memory of the one that it took last.
    """

    def __init__(self, task: Task, timeline: Timeline):
        settings = task.settings
        self._streams = len(settings.streams)
        self._batch = settings.start_batch
        self._ahead = AHEAD * settings.workers
        slots, frames = self._ahead + 1, len(timeline.label)
        size = shared_bytes(settings, slots, frames)
        self._workers: list[Any] = []
        self._stop = weakref.finalize(self, stop_workers, self._workers, os.getpid())
        descriptor = open_shared(size)
        try:
            memory = mmap.mmap(descriptor, size)
            for shared, values in zip(timeline_at(settings, memory, slots, frames), timeline):
                shared[...] = values
            self._slots = [slot_at(settings, memory, index) for index in range(slots)]
            for _ in range(settings.workers):
                self._workers.append(start_worker(descriptor))
        finally:
            os.close(descriptor)
        for worker in self._workers:
            self._tell(worker, json.dumps({"task": task._asdict(), "slots": slots, "frames": frames}))
        for batch in range(self._batch, self._batch + self._ahead):
            self._ask(batch)

    def take(self, tops: Sequence[Any]) -> None:
        """Have the tops, blobs, hold the next batch; the streams' may be shared memory, which holds it until the next
        call.

        Raises InputError for what a worker met in the data, RuntimeError if it failed or was killed.
        """
        self._receive(self._workers[self._batch % len(self._workers)])
        arrays = self._slots[self._batch % len(self._slots)]
        for top, array in zip(tops[: self._streams], arrays):
            give(top, array)
        for top, array in zip(tops[self._streams :], arrays[self._streams :]):
            top.data[...] = array
        self._ask(self._batch + self._ahead)
        self._batch += 1

    def close(self) -> None:
        """End the workers. Further use is an error."""
        self._stop()

    def _ask(self, batch: int) -> None:
        self._tell(self._workers[batch % len(self._workers)], str(batch))

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


def give(top: Any, array: np.ndarray) -> None:
    """Have a blob hold an array's values: in the array's own memory where the engine's blobs take it, as those of
    Caffe's own data layers do (BasePrefetchingDataLayer::Forward_cpu), since to copy a full-size batch takes about as
    long as a GPU's training step; in real Caffe, whose blobs take none from Python, by copying."""
    if hasattr(top, "set_cpu_data"):
        top.set_cpu_data(array)
    else:
        top.data[...] = array


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
