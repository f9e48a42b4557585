"""Whether a recording is finished: never true while it may still be written."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from pathlib import Path
from typing import Callable

from data_prep.transfer.sources import Connection, Look

PARTIAL = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".lock", ".writing", "~")
BESIDE = (".part", ".tmp", ".lock", ".writing")  # a file of such a name beside a recording says that it is written


class Settling:
    """Remembers since when each file has not changed. `clock` gives seconds that only go forward."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[str, tuple[list[object], float]] = {}

    def left(self, url: str, look: Look) -> float | None:
        """Seconds for which the file must still stay as it is; 0 if it may be taken, None where this was the first
        look or the file has changed since the last one."""
        before = self._since.get(url)
        if before is None or before[0] != look.signature:
            self._since[url] = (look.signature, self._clock())
            return None
        return max(0.0, self._seconds - (self._clock() - before[1]))

    def known(self, url: str) -> bool:
        """Whether the file has been looked at before."""
        return url in self._since


def is_partial(path: str) -> bool:
    """Whether a file's name says that it is being written or downloaded."""
    return path.rpartition("/")[2].lower().endswith(PARTIAL)


def why_not(connection: Connection, look: Look, paths: set[str]) -> str:
    """Why a file is surely not finished, empty if nothing says so. `paths` are the source's files just listed."""
    if look.size == 0:
        return "empty"
    for ending in BESIDE:
        if look.path + ending in paths:
            return f"{look.path.rpartition('/')[2] + ending} lies beside it"
    local = connection.local(look.path)
    return "a program has it open for writing" if local is not None and is_open_for_writing(local) else ""


def is_open_for_writing(path: Path) -> bool:
    """Whether a program of this machine has the file open for writing, or locked it.

    Asked of Linux by a read lease, which is refused then (fcntl(2), "Leases"), and released at once. False where it
    cannot be known: another user's file, or a disk of another machine.
    """
    if not hasattr(fcntl, "F_SETLEASE") or threading.current_thread() is not threading.main_thread():
        return False
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # what a program gets that wants the leased file meanwhile
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(handle)
    except OSError:
        return False
    finally:
        signal.signal(signal.SIGIO, before)
    return False
