"""The process that reads frames for `prefetch`: python -m python_layers.prefetch_worker DESCRIPTOR

Of Caffe it needs nothing but the Datum message.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from typing import TextIO

import cv2

from python_layers.batches import Batches, task_from
from python_layers.slots import shared_bytes, slot_at, timeline_at


def serve(descriptor: int, requests: TextIO, answers: TextIO) -> None:
    """Make the batches whose numbers come in, until there are no more; the first line says which batches they are."""
    step_back()
    told = json.loads(requests.readline())
    task, slots, frames = task_from(told["task"]), told["slots"], told["frames"]
    memory = mmap.mmap(descriptor, shared_bytes(task.settings, slots, frames))
    arrays = [slot_at(task.settings, memory, index) for index in range(slots)]
    batches = Batches(task, timeline_at(task.settings, memory, slots, frames))
    for line in requests:
        batch = int(line)
        batches.make(batch, arrays[batch % slots])
        print("done", file=answers, flush=True)


def step_back() -> None:
    """Use one core, and take none from the net in the moment in which it asks for a batch."""
    cv2.setNumThreads(1)
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main() -> int:
    # The pipe is for answers alone: whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(int(sys.argv[1]), sys.stdin, answers)
    except BrokenPipeError:
        return 0  # the reader of the answers is gone
    except Exception as error:
        if os.environ.get("ETHOCAFFE_TRACEBACK") == "1":
            raise
        name = type(error).__name__
        text = str(error) if name == "InputError" else f"a process that reads frames failed: {name}: {error}"
        print(json.dumps([name, text]), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
