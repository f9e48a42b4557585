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

from python_layers.frame_reader import FrameReader
from python_layers.settings import Settings
from python_layers.slots import slot_at, slot_bytes


def serve(descriptor: int, requests: TextIO, answers: TextIO) -> None:
    """Fill the slots whose numbers come in, until there are no more; the first line says what to read."""
    cv2.setNumThreads(1)
    task = json.loads(requests.readline())
    settings = Settings(**task["settings"])
    memory = mmap.mmap(descriptor, task["slots"] * slot_bytes(settings))
    slots = [slot_at(settings, memory, index) for index in range(task["slots"])]
    reader = FrameReader(settings, task["paths"])
    for line in requests:
        slot = slots[int(line)]
        reader.fill(slot.frames, slot.pixels)
        print("done", file=answers, flush=True)


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
