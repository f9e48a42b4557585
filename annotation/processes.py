"""Running `ethocaffe` commands beside the server: politely, into a log, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MARK = "ETHOCAFFE_JOB"  # in the environment of a command and all that it starts: the path of its log
NICE = 10
GRACE = 5.0  # seconds between asking a command to end and ending it
ROOT = Path(__file__).resolve().parents[1]


def start(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start `ethocaffe` with arguments, in a process group of its own; what it prints is added to the log."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", MARK: str(log)}
    if (ROOT / "pyproject.toml").is_file():  # a checkout, of which nothing need be installed
        paths = [str(ROOT), str(ROOT / "engine"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with open(log, "ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.cli", *arguments],
            cwd=log.parent,  # where there is no module that could be taken for ours
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with suppress(OSError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, process.pid, min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19))
    return process


def end(process: subprocess.Popen[bytes], log: Path) -> None:
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
