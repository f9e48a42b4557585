"""The runner: a thread of the server that runs jobs, one at a time, in the order in which they were asked for."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
import traceback
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from sqlalchemy import select

from annotation import footage, jobs, processes
from annotation.apart import Apart
from annotation.database import Database
from annotation.tables import Job, Project
from data_prep.errors import InputError, warn

POLL = 5.0  # seconds after which it looks for jobs that another server was asked for
KILLED = "the server was killed while this ran; start it again"
ENDED = "the server was ended while this ran; start it again"


class Stopped(Exception):
    """Somebody stopped the job that runs, or the server ends. Its text says which, empty for the first."""


class Runner:
    """Runs jobs of those projects whose dataset no other server's runner holds."""

    def __init__(self, database: Database):
        self._database = database
        self._wake = Event()
        self._ending = Event()
        self._held: dict[Path, int] = {}  # datasets' jobs/ folders, locked until the end, however the server ends
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._ending.clear()
        self._thread = Thread(target=self._loop, name="jobs", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something changed: look now."""
        self._wake.set()

    def stop(self) -> None:
        """End the command that runs, and then the thread."""
        self._ending.set()
        self._wake.set()
        if self._thread:
            self._thread.join()
        for handle in self._held.values():
            os.close(handle)
        self._held.clear()

    def _loop(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                number = self.turn()
                if number is not None:
                    self._run(number)
                    continue
            except Exception as error:  # the database is away, say: it may come back
                warn(f"jobs: {type(error).__name__}: {error}")
            self._wake.wait(POLL)

    def turn(self) -> int | None:
        """The job whose turn it is. What is said to run while this thread does not run it was left by a server that
        was killed."""
        with self._database.reading() as session:
            found = session.execute(
                select(Job.id, Job.state, Job.log, Project.folder).join(Project, Project.id == Job.project_id)
                .where(Job.state.in_(jobs.UNFINISHED)).order_by(Job.id)
            ).all()  # fmt: skip
        turn = None
        for number, state, log, folder in found:
            try:
                if not self._hold(Path(folder)):
                    continue
            except OSError as error:
                self._set(number, state="failed", ended=time.time(), error=f"{folder}: {error.strerror}")
                continue
            if state == "running":
                processes.end_marked(_log(Path(folder), log))
                self._set(number, state="failed", ended=time.time(), error=KILLED)
            elif turn is None:
                turn = number
        return turn

    def _hold(self, folder: Path) -> bool:
        """Whether a dataset is here, and its jobs are this runner's."""
        place = folder / footage.FOLDER / "jobs"
        if place in self._held:
            return True
        if not folder.is_dir():  # a project of another computer that shares the database
            return False
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held[place] = handle
        return True

    def _run(self, number: int) -> None:
        with self._database.writing() as session:
            job = session.get_one(Job, number)
            if job.state != "waiting":
                return
            folder = Path(session.get_one(Project, job.project_id).folder)
            job.state, job.started, job.log = "running", time.time(), f"{jobs.free_name(folder, number)}.log"
            session.flush()
            order, log = jobs.order_of(session, job), _log(folder, job.log)
        apart = self._apart(number, log)
        try:
            plan = jobs.plan(order, apart)
            self._set(number, commands=plan.commands, step=0, **plan.about)
            for step, command in enumerate(plan.commands):
                self._set(number, step=step)
                self._command(number, command, log)
            told: dict[str, Any] = {"state": "done", **jobs.outcome(self._database, order, apart)}
        except Stopped as stopped:
            told = {"state": "stopped", **({"error": str(stopped)} if str(stopped) else {})}
        except InputError as error:
            told = {"state": "failed", "error": str(error)}
            with suppress(InputError, OSError, Stopped):  # of several videos some may be predicted
                told = {**jobs.outcome(self._database, order, apart), **told}
        except Exception as error:
            with suppress(OSError), open(log, "a", encoding="utf-8") as file:
                file.write(traceback.format_exc())
            told = {"state": "failed", "error": f"{type(error).__name__}: {error}"[:500]}
        self._set(number, ended=time.time(), **told)

    def _command(self, number: int, arguments: list[str], log: Path) -> None:
        """Run a command of `ethocaffe`'s to its end. Raises as `processes.run`, and Stopped."""
        self._check(number)
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(['ethocaffe', *arguments])}\n")
        processes.run(["tools.cli", *arguments], log, lambda: self._check(number))

    def _apart(self, number: int, log: Path) -> Apart:
        """Work of `annotation.apart`, in processes of their own."""

        def work(name: str, given: dict[str, Any]) -> Any:
            command = ["annotation.apart", name]
            return json.loads(processes.run(command, log, lambda: self._check(number), json.dumps(given)))

        return work

    def _check(self, number: int) -> None:
        if self._ending.is_set():
            raise Stopped(ENDED)
        with self._database.reading() as session:
            if session.get_one(Job, number).state != "running":
                raise Stopped

    def _set(self, number: int, **told: Any) -> None:
        """Change a job's columns, and in its result all else. What was stopped stays so."""
        with self._database.writing() as session:
            job = session.get_one(Job, number)
            result = dict(job.result)
            for name, value in told.items():
                if name == "state":
                    job.state = value if job.state in jobs.UNFINISHED else job.state
                elif name == "ended":
                    job.ended = job.ended or value
                else:
                    result[name] = value
            job.result = result


def _log(folder: Path, name: str) -> Path:
    return folder / footage.FOLDER / "jobs" / name
