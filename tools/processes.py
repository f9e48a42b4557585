"""Several commands at once, each a process of its own, on as many cores or GPUs as are given.

A command that fails does not stop the others. Whatever ends this process ends them too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, NamedTuple

from data_prep.errors import InputError
from data_prep.progress import Progress

POLL = 0.2  # seconds between two looks at the running commands
PATIENCE = 20  # seconds that a command has to end in good order when it is told to


class Job(NamedTuple):
    """`ethocaffe` with these arguments, which writes to the folder `output`; what it prints goes to the file `log`."""

    name: str
    arguments: Sequence[str]
    output: Path
    log: Path


class Slot(NamedTuple):
    """Where one command runs at a time: more arguments for it, and its environment's additions."""

    arguments: Sequence[str]
    environment: dict[str, str]


def slots(jobs: int | None, gpus: str | None) -> list[Slot]:
    """One slot per GPU of a list like "0,1", or `jobs` slots that share the cores (default: one a core).

    Raises InputError for a list that is none, or for both.
    """
    if gpus is not None and jobs is not None:
        raise InputError("--gpus and --jobs: give one of them; a GPU runs one training at a time")
    if gpus is not None:
        numbers = [number.strip() for number in gpus.split(",")]
        if not all(number.isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
            raise InputError(f"--gpus {gpus}: give the numbers of GPUs, each once, such as 0,1")
        return [Slot(("--gpu", number, "--workers", "2"), {}) for number in numbers]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = jobs or cores
    threads = str(max(cores // count, 1))
    limits = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return [Slot(("--workers", "0"), limits)] * count


def run_jobs(
    jobs: Sequence[Job],
    where: Sequence[Slot],
    done: Callable[[Job], int],
    progress: Progress,
    ended: Callable[[Job, float], None] | None = None,
) -> list[str]:
    """Run every job, at most one in a slot at a time, and return the faults, one line each.

    `done` says how many of the progress's pieces a job has done so far, from the files that it writes; `ended` is
    told of each job that has ended well, and the seconds that it took.
    """
    waiting, free = list(reversed(jobs)), list(where)
    running: dict[subprocess.Popen[bytes], tuple[Job, Slot, int]] = {}
    started: dict[str, float] = {}
    faults: list[str] = []
    with _ended_with_this_process(running):
        while waiting or running:
            while waiting and free:
                job, slot = waiting.pop(), free.pop()
                started[job.name] = time.monotonic()
                running[_start(job, slot)] = (job, slot, done(job))
            time.sleep(POLL)
            for process, (job, slot, counted) in list(running.items()):
                status = process.poll()
                now = done(job)
                progress.update(now - counted)
                running[process] = (job, slot, now)
                if status is None:
                    continue
                del running[process]
                free.append(slot)
                if status:
                    faults.append(f"{job.name}: {_last_words(job, status)}")
                elif ended:
                    ended(job, time.monotonic() - started[job.name])
    return faults


def _start(job: Job, slot: Slot) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.cli", *job.arguments, *slot.arguments]
    with open(job.log, "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **slot.environment},
            preexec_fn=_end_with_parent,
            start_new_session=True,
        )


def _end_with_parent() -> None:
    """Ask Linux to terminate the new process when its parent dies, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@contextmanager
def _ended_with_this_process(running: dict[subprocess.Popen[bytes], Any]) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        for process in running:
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(job: Job, status: int) -> str:
    """The last line of a failed command's log, or how it ended where there is none."""
    lines = job.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    told = lines[-1].replace("ethocaffe: error: ", "") if lines else ""
    ended = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
    return f"{told or ended} (see {job.log})"
