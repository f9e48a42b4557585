"""Commands as processes of this machine, each on a core or a GPU of its own. Whatever ends this process ends them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data_prep.errors import InputError

PATIENCE = 20  # seconds that a command has to end in good order when it is told to
# How many threads a command's libraries use, and for how many cores it cuts its own work up (tools.backend).
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ETHOCAFFE_CORES")

# What runs a command, and first asks Linux to terminate it when its parent dies, even by SIGKILL.
_COMMAND = """
import sys
from tools import processes
processes.end_with_parent(int(sys.argv.pop(1)))
from tools import cli
sys.exit(cli.main())
"""


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


def slots(jobs: int | None, gpus: str | None, on_cpu: Sequence[str], on_gpu: Sequence[str]) -> list[Slot]:
    """One slot per GPU of a list like "0,1", or `jobs` slots that share the cores (default: one a core); `on_cpu` and
    `on_gpu` are more arguments there. Raises InputError for a list that is none, or for both.
    """
    if gpus is not None and jobs is not None:
        raise InputError("--gpus and --jobs: give one of them; a GPU runs one at a time")
    if gpus is not None:
        return [Slot(("--gpu", number, *on_gpu), {}) for number in gpu_numbers(gpus)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = jobs or cores
    return [Slot(tuple(on_cpu), dict.fromkeys(THREADS, str(max(cores // count, 1))))] * count


def gpu_numbers(gpus: str) -> list[str]:
    """The numbers of a list like "0,1". Raises InputError for a list that is none."""
    numbers = [number.strip() for number in gpus.split(",")]
    if not all(number.isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
        raise InputError(f"--gpus {gpus}: give the numbers of GPUs, each once, such as 0,1")
    return numbers


class Processes:
    """The slots of this machine as places for jobs (tools.spread)."""

    def __init__(self, where: Sequence[Slot]):
        self._free = list(where)
        self._running: dict[subprocess.Popen[bytes], tuple[Job, Slot]] = {}

    def free(self) -> int:
        return len(self._free)

    def start(self, job: Job) -> subprocess.Popen[bytes]:
        slot = self._free.pop()
        process = start([*job.arguments, *slot.arguments], job.log, slot.environment)
        self._running[process] = job, slot
        return process

    def end_of(self, process: subprocess.Popen[bytes]) -> tuple[int, str] | None:
        status = process.poll()
        if status is None:
            return None
        job, slot = self._running.pop(process)
        self._free.append(slot)
        return status, last_words(job.log, status) if status else ""

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        end([process])
        if process in self._running:
            self._free.append(self._running.pop(process)[1])

    def close(self) -> None:
        end(list(self._running))


def start(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str], folder: str | None = None
) -> subprocess.Popen[bytes]:
    """Start `ethocaffe` with these arguments in a folder; what it prints is added to the file `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # Modules are found where this process finds them.
    found = {"PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path)}
    with open(log, "ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=folder,
            env={**os.environ, **found, **environment},
            start_new_session=True,
        )


def end_with_parent(parent: int) -> None:
    """Ask Linux to terminate this process when the one that started it dies, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os.kill(os.getpid(), signal.SIGTERM)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupt processes, and kill those that have not ended after PATIENCE."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_words(log: Path, status: int) -> str:
    """The last line of a failed command's log, or how it ended where there is none."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    told = lines[-1].replace("ethocaffe: error: ", "") if lines else ""
    ended = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
    return f"{told or ended} (see {log})"
