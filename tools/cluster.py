"""Jobs on the workers of a Dask cluster (dask.distributed), whose scheduler is there or is started for SLURM.

What travels is a small dictionary; the work is an `ethocaffe` command that the worker starts, and its files lie on a
file system that all machines share. A worker that dies is another worker's work: the scheduler gives its jobs out
again, and the command goes on from the files. A worker that was only cut off ends its commands, and until it has, its
locks (data_prep.files.locked) keep the other from its folders. Dask itself talks in pickles, so the scheduler, the
workers and this process must trust each other; no file is ever unpickled.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

from data_prep.errors import Busy, InputError
from data_prep.files import remove
from tools import __version__, processes

POLL = 0.2  # seconds between two looks at a running command
RETRIES = 2  # of a command that was killed, or failed for another reason than its input
BUSY_FOR = 300  # seconds that a command waits for one that holds its folder: servers free a lost machine's locks sooner
BUSY_POLL = 2.0
CONNECT_FOR = 20  # seconds
QUIET_FOR = 10  # seconds without a worker after which a line says so
FINAL = (0, 2, 3)  # statuses that another try would not change: tools.cli
STOPPED = 130


def check_installed(slurm: bool) -> None:
    """Raises InputError where a package that is needed is missing."""
    for module, package in (("distributed", "distributed"), *([("dask_jobqueue", "dask-jobqueue")] if slurm else [])):
        if importlib.util.find_spec(module) is None:
            raise InputError(f"the Python package {package!r} is missing: run `pip install {package}`")


# -- here --------------------------------------------------------------------------------------------------------------


def connect(address: str | None, slurm: int | None, arguments: Sequence[str]) -> Workers:
    """The workers of the scheduler at an address or of a scheduler file, or those of `slurm` jobs of SLURM.

    Raises InputError where there is no scheduler, or SLURM's jobs lack a setting.
    """
    import dask.config
    import distributed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is told in a line, here
    opened = ExitStack()
    with ExitStack() as failing:
        failing.push(opened)
        if slurm:
            found: Any = opened.enter_context(slurm_cluster())
            found.adapt(minimum_jobs=slurm, maximum_jobs=slurm)  # so that jobs that end are submitted again
            place = "SLURM"
        else:
            place = found = str(address)
        encrypted = dask.config.get("distributed.comm.require-encryption", False)
        if encrypted and "://" in place and not place.startswith("tls://"):
            raise InputError(f"--cluster {place}: Dask's settings require encryption; give a tls:// address")
        named = "scheduler_file" if place != "SLURM" and os.path.isfile(found) else "address"
        options: dict[str, Any] = {named: found, "timeout": CONNECT_FOR, "set_as_default": False}
        try:
            client = distributed.Client(**options)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"--cluster {place}: no Dask scheduler answers there ({_line(error)}); start one with `dask "
                "scheduler`, and give the address that it prints"
            ) from None
        opened.enter_context(client)
        failing.pop_all()
    return Workers(client, place, arguments, opened)


def slurm_cluster() -> Any:
    """A scheduler in this process that has its workers in SLURM's jobs, as the user's jobqueue.yaml has them. Raises
    InputError where a setting is missing or wrong."""
    from dask_jobqueue import SLURMCluster

    try:
        return SLURMCluster(nanny=True, python=sys.executable)
    except (ValueError, TypeError, OSError) as error:
        raise InputError(
            f"--slurm: {_line(error)}; write it to ~/.config/dask/jobqueue.yaml, under jobqueue: slurm: (docs/scale.md)"
        ) from None


class Workers:
    """A cluster's workers as places for jobs (tools.spread): as many at once as they have threads."""

    def __init__(self, client: Any, place: str, arguments: Sequence[str], opened: ExitStack):
        self._client = client
        self._place = place
        self._arguments = list(arguments)
        self._opened = opened
        self._shared: dict[Path, tuple[Path, str]] = {}
        self._futures: set[Any] = set()
        self._started = self._looked = time.monotonic()
        self._threads = 0
        self._told = False

    def free(self) -> int:
        now = time.monotonic()
        if not self._threads or now - self._looked > 1:
            self._looked = now
            try:
                self._threads = sum(self._client.nthreads().values())
            except Exception as error:
                raise self._lost() from error
        if not self._threads and not self._told and now - self._started > QUIET_FOR:
            self._told = True
            print(f"{self._place}: no worker yet; start some with `dask worker ADDRESS`", file=sys.stderr)
        return self._threads - len(self._futures)

    def start(self, job: processes.Job) -> Any:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        token, text = self._token(_folder() / job.log.parent)
        order = {
            "arguments": [*map(str, job.arguments), *self._arguments],
            "folder": str(_folder()),
            "log": str(_folder() / job.log),
            "token": str(token),
            "text": text,
            "version": __version__,
        }
        key = f"ethocaffe-{job.name}-{uuid.uuid4().hex}"
        future = self._client.submit(work, order, key=key, pure=False, retries=RETRIES)
        self._futures.add(future)
        return future

    def end_of(self, future: Any) -> tuple[int, str] | None:
        if self._client.status != "running":
            raise self._lost()
        status = future.status
        if status == "pending":
            return None
        self._futures.discard(future)
        if status == "finished":
            result = future.result()
            return result["status"], result["words"]
        if status == "error":
            return 1, _explained(future.exception())
        raise self._lost()

    def stop(self, future: Any) -> None:
        self._futures.discard(future)
        self._client.cancel([future])

    def close(self) -> None:
        if self._futures and self._client.status == "running":
            self._client.cancel(list(self._futures))  # their workers see it and end the commands
        self._opened.close()

    def _token(self, folder: Path) -> tuple[Path, str]:
        """A file in the folder by which a worker sees that it has the same folder, and that locks hold over machines:
        this process holds it."""
        if folder not in self._shared:
            file = folder / f".cluster.{socket.gethostname()}.{os.getpid()}"
            text = uuid.uuid4().hex
            file.write_text(text, encoding="utf-8")
            self._opened.callback(remove, file)
            handle = os.open(file, os.O_RDWR)
            self._opened.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._shared[folder] = file, text
        return self._shared[folder]

    def _lost(self) -> RuntimeError:
        return RuntimeError(
            f"{self._place}: the Dask scheduler is gone; start it and the workers, and give the same command again: it "
            "goes on from what is done"
        )


def _folder() -> Path:
    """The working folder by the name that the user knows, which may be a link that all machines have."""
    named = os.environ.get("PWD", "")
    return Path(named if named and os.path.isdir(named) and os.path.samefile(named, os.curdir) else os.getcwd())


def _explained(error: Any) -> str:
    if type(error).__name__ == "KilledWorker":
        return "its worker died each time that it was tried, perhaps for lack of memory; see the workers' logs"
    if isinstance(error, ModuleNotFoundError):
        return f"a worker lacks the Python package {error.name!r}; install ethocaffe, of this version, for the workers"
    return _line(error)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# -- on a worker -------------------------------------------------------------------------------------------------------


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run an order's command to its end: its exit status and, where it failed, its last line.

    Raises RuntimeError where another try may end better.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        """Whether the scheduler still waits for this: neither given up nor, for all it knows, done elsewhere."""
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled" and worker.status.name in ("running", "paused")

    log = Path(order["log"])
    try:
        check(order, worker.address)
    except InputError as error:
        return {"status": error.status, "words": str(error)}
    threads = os.environ.get("OMP_NUM_THREADS") or str(max((os.cpu_count() or 1) // worker.state.nthreads, 1))
    limits = {name: os.environ.get(name, threads) for name in processes.THREADS}
    patience = time.monotonic() + BUSY_FOR
    while True:
        status = run(order, limits, wanted)
        if status != Busy.status or time.monotonic() > patience or not wanted():
            break
        time.sleep(BUSY_POLL)
    words = f"{processes.last_words(log, status)[:-1]}, on {worker.address})" if status else ""
    if status in FINAL or not wanted():
        return {"status": status, "words": words}
    raise RuntimeError(words)


def run(order: Mapping[str, Any], environment: Mapping[str, str], wanted: Callable[[], bool]) -> int:
    """The exit status of an order's command, which is ended once it is not `wanted` any more. It runs in the folder
    where the order was given, for paths from there, if this machine has it."""
    folder = order["folder"] if os.path.isdir(order["folder"]) else os.sep
    process = processes.start(order["arguments"], Path(order["log"]), environment, folder)
    try:
        while (status := process.poll()) is None:
            if not wanted():
                return STOPPED
            time.sleep(POLL)
        return status
    finally:
        if process.poll() is None:
            processes.end([process])


def check(order: Mapping[str, Any], here: str) -> None:
    """Raises InputError where this worker has other files or another version than the process that gave the order, or
    locks do not hold between the two."""
    if order["version"] != __version__:
        raise InputError(
            f"the worker {here} has ethocaffe {__version__}, not {order['version']}; install the same on all"
        )
    token = Path(order["token"])
    try:
        same = token.read_text(encoding="utf-8") == order["text"]
        handle = os.open(token, os.O_RDWR)
    except OSError:
        same = False
    if not same:
        raise InputError(
            f"the worker {here} does not see {token.parent} as it is here, or may not write there; all machines need "
            "one file system under one path"
        )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError as error:
        raise InputError(f"{token.parent}: its file system knows no locks ({error.strerror}) on {here}") from None
    finally:
        os.close(handle)
    raise InputError(
        f"{token.parent}: locks do not hold between machines there, so two could write to one folder; take a file "
        "system with them (NFS 4; Lustre mounted with -o flock)"
    )
