"""Running `ethocaffe` commands beside the server: politely, into a log, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from data_prep.errors import InputError

MARK = "ETHOCAFFE_JOB"  # in the environment of a command and all that it starts: the path of its log
NICE = 10
CHECK = 0.5  # seconds between two looks at whether a command is still wanted
GRACE = 5.0  # seconds between asking a command to end and ending it
ROOT = Path(__file__).resolve().parents[1]


def run(arguments: Sequence[str], log: Path, check: Callable[[], None], given: str | None = None) -> str:
    """Run a Python module with arguments, in a process group of its own, to its end; what it prints is added to the
    log. Where it is `given` something on its standard input, what it prints on its standard output is returned.

    `check` is called every CHECK seconds; what it raises ends the process. Raises InputError with the last line that it
    said where it failed.
    """
    process = _start(arguments, log, given is not None)
    try:
        out = _wait(process, check, given)
    finally:
        _end(process, log)
    if process.returncode:
        raise InputError(_last_line(log) or f"{arguments[0]} ended with status {process.returncode}")
    return out


def _wait(process: subprocess.Popen[str], check: Callable[[], None], given: str | None) -> str:
    while True:
        try:
            return process.communicate(given, CHECK)[0] or ""
        except subprocess.TimeoutExpired:
            given = None  # was sent, or is being sent
            check()


def _start(arguments: Sequence[str], log: Path, piped: bool) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", MARK: str(log)}
    if (ROOT / "pyproject.toml").is_file():  # a checkout, of which nothing need be installed
        paths = [str(ROOT), str(ROOT / "engine"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with open(log, "ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=log.parent,  # where there is no module that could be taken for ours
            env=environment,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else out,
            stderr=out,
            text=True,
            start_new_session=True,
        )
    with suppress(OSError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, process.pid, min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19))
    return process


def _last_line(log: Path) -> str:
    """The last line that a command printed, without its name."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    return "" if last.startswith("$ ") else last.removeprefix("ethocaffe: ").removeprefix("error: ")[:1000]


def _end(process: subprocess.Popen[str], log: Path) -> None:
    """End a command and all that it started: by SIGTERM, and what is left after GRACE by SIGKILL."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    end_marked(log)


def end_marked(log: Path) -> None:
    """End what a command left behind, or a server that was killed. Known by the mark in its environment, which no
    other process can have, whatever numbers processes get anew."""
    for _ in range(100):  # what is being started just now is met the next time
        left = marked(log)
        if not left:
            return
        for number in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.05)


def marked(log: Path) -> list[int]:
    """The processes of a job, by their number. Empty where the system does not show environments in /proc."""
    wanted, out = f"{MARK}={log}".encode(), []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in file.read_bytes().split(b"\0"):
                out.append(int(file.parent.name))
    return out
