"""Independent jobs, several at once: on the cores or GPUs of this machine, or on the workers of a cluster.

A job is an `ethocaffe` command with files for its input and its result, so it needs nothing but these, and done twice
it gives the same. One that fails does not stop the others.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple, Protocol, Union

from data_prep.errors import InputError
from data_prep.progress import Progress
from tools.arguments import positive
from tools.processes import Job, Processes, Slot, gpu_numbers, slots

POLL = 0.2  # seconds between two looks at the running jobs


class Cluster(NamedTuple):
    """The workers of a Dask cluster. address: of its scheduler, or its scheduler file; slurm: SLURM jobs to start
    workers in, instead; arguments: for every command there."""

    address: str | None
    slurm: int | None
    arguments: Sequence[str]


Where = Union[Sequence[Slot], Cluster]


class Ended(NamedTuple):
    """A job that has ended. status: its command's, or None where it was stopped since it had done `Enough`; words: its
    last line, where it failed; seconds: from its start."""

    job: Job
    status: int | None
    words: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.job.name}: {self.words}"


class Enough(Exception):
    """A job has done all that is wanted of it, though it goes on."""


class Places(Protocol):
    """Where jobs run. `start` gives a handle; `end_of` the status and the last words once a job has ended."""

    def free(self) -> int: ...
    def start(self, job: Job) -> Any: ...
    def end_of(self, handle: Any) -> tuple[int, str] | None: ...
    def stop(self, handle: Any) -> None: ...
    def close(self) -> None: ...


def add_arguments(parser: argparse.ArgumentParser, what: str, default: str = "one a core") -> None:
    """Where jobs run, and how many at once; `what` is their name in the plural."""
    parser.add_argument("--jobs", type=positive, metavar="N", help=f"{what} at once on the CPU; default: {default}")
    parser.add_argument(
        "--gpus", metavar="N,…", help="on these GPUs, one at a time on each (with a cluster: the one of each worker, 0)"
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="on the workers of the Dask scheduler there (tcp://HOST:8786), or of that scheduler file; all machines "
        "must find the files under the same paths",
    )
    parser.add_argument(
        "--slurm",
        type=positive,
        metavar="N",
        help="on workers in N jobs of SLURM, with queue, cores, memory and time from Dask's jobqueue.yaml",
    )


def where_of(args: argparse.Namespace, on_cpu: Sequence[str], on_gpu: Sequence[str]) -> Where:
    """What the options of `add_arguments` say; `on_cpu` and `on_gpu` are more arguments for the jobs there. Raises
    InputError where they contradict each other, or Dask is wanted and missing."""
    if not args.cluster and not args.slurm:
        return slots(args.jobs, args.gpus, on_cpu, on_gpu)
    if args.jobs is not None or (args.cluster and args.slurm):
        raise InputError("--jobs, --cluster and --slurm: give one; a cluster's workers say how many run at once")
    from tools import cluster

    cluster.check_installed(bool(args.slurm))
    numbers = [] if args.gpus is None else gpu_numbers(args.gpus)
    if len(numbers) > 1:
        raise InputError(f"--gpus {args.gpus}: on a cluster give one number, the GPU as each worker sees it")
    return Cluster(args.cluster, args.slurm, ["--gpu", numbers[0], *on_gpu] if numbers else list(on_cpu))


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_arguments`, for a command line."""
    return {name: getattr(args, name) for name in ("jobs", "gpus", "cluster", "slurm")}


def at_once(where: Where) -> int:
    """How many jobs run at once, as far as it is known before they do."""
    return (where.slurm or 1) if isinstance(where, Cluster) else len(where)


def run_jobs(
    jobs: Iterable[Job],
    where: Where,
    done: Callable[[Job], int],
    progress: Progress,
    ended: Callable[[Ended], None] | None = None,
) -> list[Ended]:
    """Run jobs, taken from `jobs` as places become free, and return those that failed.

    `done` says how many of the progress's pieces a job has done so far,
    from the files that it writes, or raises Enough to stop it. `ended` is told of each job that has ended.
    """
    waiting = iter(jobs)
    running: dict[Any, tuple[Job, int, float]] = {}
    faults: list[Ended] = []
    more = True
    with _opened(where) as places:
        while more or running:
            while more and places.free() > 0:
                job = next(waiting, None)
                more = job is not None
                if job is not None:
                    running[places.start(job)] = (job, done(job), time.monotonic())
            if more or running:
                time.sleep(POLL)
            for handle, (job, counted, started) in list(running.items()):
                end: tuple[int | None, str] | None = places.end_of(
                    handle
                )  # first, so that `done` then sees all of what an ended job wrote
                try:
                    now = done(job)
                except Enough:
                    places.stop(handle)
                    now, end = counted, (None, "")
                progress.update(now - counted)
                running[handle] = (job, now, started)
                if end is None:
                    continue
                del running[handle]
                one = Ended(job, *end, time.monotonic() - started)
                if one.status:
                    faults.append(one)
                if ended:
                    ended(one)
    return faults


@contextmanager
def _opened(where: Where) -> Iterator[Places]:
    """The places, closed again however this process ends."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        if isinstance(where, Cluster):
            from tools import cluster

            places: Places = cluster.connect(where.address, where.slurm, where.arguments)
        else:
            places = Processes(where)
        try:
            yield places
        finally:
            places.close()
    finally:
        signal.signal(signal.SIGTERM, before)
