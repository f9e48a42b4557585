"""Long jobs in several processes, with their progress, where one that fails does not stop the others."""
from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Callable

from data_prep.errors import InputError

REPORT_EVERY = 0.2  # seconds between two messages of a worker

Work = Callable[[Any, Callable[[int], None]], None]


def run_jobs(work: Work, jobs: Sequence[Any], workers: int, report: Callable[[int], None]) -> list[str]:
    """Call `work(job, report)` for every job, in up to `workers` processes, and return the faults, one line each.

    With one worker the calls happen in this process. `work` must be importable and the jobs picklable. An InputError
    ends its own job only; any other exception is raised here once the other running jobs were stopped.
    """
    if workers == 1 or len(jobs) == 1:
        return [fault for fault in (_attempt(work, job, report) for job in jobs) if fault]
    waiting = list(reversed(jobs))
    running: dict[Connection, Any] = {}
    faults: list[str] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                connection, process = _start(work, waiting.pop())
                running[connection] = process
            ready = wait(list(running))
            for connection in [connection for connection in running if connection in ready]:
                fault = _receive(connection, running[connection], report)
                if fault is not None:
                    running.pop(connection).join()
                    connection.close()
                    if fault:
                        faults.append(fault)
        return faults
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _attempt(work: Work, job: Any, report: Callable[[int], None]) -> str:
    """The fault of a job, empty if there was none."""
    try:
        work(job, report)
    except InputError as error:
        return str(error)
    return ""


def _start(work: Work, job: Any) -> tuple[Connection, Any]:
    # Spawned, not forked: OpenCV and FFmpeg keep threads, which a fork would leave in mid-air.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, job, theirs), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _child(work: Work, job: Any, connection: Connection) -> None:
    """In the worker: run the job and send ("progress", n) …, then ("end", fault) or ("raise", exception)."""
    progress = _Batched(connection)
    try:
        fault = _attempt(work, job, progress)
        progress.flush()
        connection.send(("end", fault))
    except BrokenPipeError:
        pass  # the command was killed, and this process ends with it
    except KeyboardInterrupt:
        pass  # the command has it too, and says so
    except Exception as error:
        connection.send(("raise", RuntimeError(f"{type(error).__name__}: {error}")))


class _Batched:
    """Sums up reports of progress, so that a message is sent only now and then."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._pieces = 0
        self._sent = time.monotonic()

    def __call__(self, pieces: int) -> None:
        self._pieces += pieces
        if time.monotonic() - self._sent >= REPORT_EVERY:
            self.flush()

    def flush(self) -> None:
        self._connection.send(("progress", self._pieces))
        self._pieces = 0
        self._sent = time.monotonic()


def _receive(connection: Connection, process: Any, report: Callable[[int], None]) -> str | None:
    """Take one message: None while the job goes on, else its fault, empty if there was none."""
    try:
        kind, content = connection.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"a worker process died (exit code {process.exitcode}), perhaps for lack of memory; "
                           "run the same command again, with fewer --workers") from None
    if kind == "raise":
        raise content
    if kind == "progress":
        report(content)
        return None
    return content
