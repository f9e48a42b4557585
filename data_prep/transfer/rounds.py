"""One round over all sources: what is there, what may be taken, taking it; a fault stops neither file nor source."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Callable, NamedTuple

from data_prep.errors import InputError
from data_prep.progress import duration
from data_prep.transfer import commit, finished, taking
from data_prep.transfer.copying import Changed
from data_prep.transfer.log import Log, size
from data_prep.transfer.register import Register
from data_prep.transfer.settings import Settings
from data_prep.transfer.sources import Connection, Look, Source, SourceFault

FIRST_RETRY, LAST_RETRY = 60.0, 6 * 3600.0  # seconds until a file that failed is tried again; doubled each time


@dataclass
class Failure:
    """A file that could not be taken: as it looked then, why, how often, and the clock's time of the next try."""

    signature: list[object]
    reason: str
    times: int
    next_try: float


class Waiting(NamedTuple):
    """A file that is not taken yet: its bytes, why not, and whether it only has to stay unchanged."""

    size: int
    reason: str
    settles: bool = False


@dataclass
class Board:
    """What the status page shows: by source, by file, and the file at work."""

    sources: dict[str, str] = field(default_factory=dict)  # name → reachable or why not
    found: dict[str, int] = field(default_factory=dict)  # name → videos there
    waiting: dict[str, Waiting] = field(default_factory=dict)  # by URL
    failures: dict[str, Failure] = field(default_factory=dict)  # URL
    current: tuple[str, str, int, int | None, float] | None = None  # URL, doing what, done, of, per second
    idle: str = "looking"


class Rounds:
    """What is remembered from round to round. `told()` is called whenever the board has changed."""

    def __init__(self, settings: Settings, log: Log, told: Callable[[Board], None] = lambda board: None) -> None:
        self.settings = settings
        self.log = log
        self.register = Register(settings.dataset / "transfer.jsonl")
        self.board = Board()
        self._told = told
        self._settling = finished.Settling(settings.settle)

    def round(self) -> tuple[int, int]:
        """Look at every source and take what may be taken. Returns the faults, and the files that are to settle.

        A file that failed waits before it is tried again. Where one finds the disk full, only smaller ones are tried
        after it; where the dataset's disk fails otherwise, the round ends.
        """
        board = self.board
        faults = 0
        self.register.refresh()
        try:
            for entry in commit.complete(self.settings.dataset, self.register):
                self.log("registered", entry.url, f"{entry.url} → {entry.video} (what a transfer that died had left)")
        except (InputError, OSError) as error:
            self.log("failed", "", _disk_fault(error) if isinstance(error, OSError) else str(error))
            faults += 1
        board.waiting.clear()
        ready: list[tuple[Connection, Look]] = []
        for source in self.settings.sources:
            faults += self._look_at(source, ready)
        settling = sum(file.settles for file in board.waiting.values())
        for connection, look in ready:
            board.waiting[connection.shown(look.path)] = Waiting(look.size, "its turn comes")
        room = float("inf")  # bytes, of the smallest file for which the disk was too full
        for connection, look in ready:
            url = connection.shown(look.path)
            if look.size >= room:
                board.waiting[url] = Waiting(look.size, "no room on the dataset's disk")
                continue
            board.waiting.pop(url, None)
            try:
                faults += self._take(connection, look)
            except OSError as error:
                self._fail(url, look.signature, _disk_fault(error))
                faults += 1
                if error.errno not in taking.FULL:
                    break
                room = look.size
        return faults, settling

    def _look_at(self, source: Source, ready: list[tuple[Connection, Look]]) -> int:
        """Find the source's files that may be taken; 1 if it cannot be read."""
        board = self.board
        try:
            connection = Connection(source)
            looks, unlisted = connection.files()
        except SourceFault as fault:
            if board.sources.get(source.name) != str(fault):  # told once, not every minute
                self.log("unreachable", source.shown, str(fault), source=source.name)
            board.sources[source.name] = str(fault)
            return 1
        state = "; ".join(unlisted) or "reached"
        if unlisted and board.sources.get(source.name) != state:
            self.log("unreachable", source.shown, f"{source.shown}: {state}", source=source.name)
        board.sources[source.name] = state
        board.found[source.name] = len(looks)
        paths = {look.path for look in looks}
        faults = len(unlisted)
        for look in looks:
            url = connection.shown(look.path)
            if taking.taken(self.register, url, look) is not None:
                board.failures.pop(url, None)
                if self.settings.delete_source:
                    faults += self._delete(connection, look)
            elif not finished.is_partial(look.path):
                waits = self._waits(connection, look, paths)
                if waits:
                    board.waiting[url] = waits
                else:
                    ready.append((connection, look))
        self._told(board)
        return faults

    def _waits(self, connection: Connection, look: Look, paths: set[str]) -> Waiting | None:
        """Why a file is not taken now, if it is not."""
        url = connection.shown(look.path)
        new = not self._settling.known(url)
        left = self._settling.left(url, look)
        why = finished.why_not(connection, look, paths)
        failure = self.board.failures.get(url)
        if failure is not None and failure.signature != look.signature:
            del self.board.failures[url]
            failure = None
        if new:
            self.log("found", url, f"{url} ({size(look.size)}){f': {why}' if why else ''}", size=look.size)
        if why:
            return Waiting(look.size, why)
        if left is None:
            return Waiting(look.size, "needs a second look" if new else "still changes", settles=True)
        if left > 0:
            return Waiting(look.size, f"must stay unchanged for {duration(left + 0.5)} more", settles=True)
        if failure is not None and time.monotonic() < failure.next_try:
            return Waiting(look.size, f"next try in {duration(failure.next_try - time.monotonic())}")
        return None

    def _take(self, connection: Connection, look: Look) -> int:
        """Take a file; 1 if that failed."""
        url = connection.shown(look.path)
        speed = _Speed()

        def told(what: str, done: int, of: int | None) -> None:
            self.board.current = (url, what, done, of, speed(what, done))
            self._told(self.board)

        try:
            if not taking.take(self.settings, self.register, connection, look, told, self.log):
                self.board.waiting[url] = Waiting(look.size, "another transfer is copying it")
                return 0
            self.board.failures.pop(url, None)
            return self._delete(connection, look) if self.settings.delete_source else 0
        except Changed as fault:
            self.log("changed", url, str(fault))
            self.board.waiting[url] = Waiting(look.size, "still changes", settles=True)
            return 0
        except InputError as error:
            self._fail(url, look.signature, str(error))
            return 1
        except OSError:
            raise
        except Exception as error:  # whatever a strange file makes a library raise must not stop the others
            self._fail(url, look.signature, f"{type(error).__name__}: {error}")
            return 1
        finally:
            self.board.current = None

    def _delete(self, connection: Connection, look: Look) -> int:
        try:
            taking.delete_source(self.settings, self.register, connection, look, self.log)
        except SourceFault as fault:
            self.log("failed", connection.shown(look.path), str(fault))
            return 1
        return 0

    def _fail(self, url: str, signature: list[object], reason: str) -> None:
        before = self.board.failures.get(url)
        times = before.times + 1 if before else 1
        wait = min(FIRST_RETRY * 2 ** (times - 1), LAST_RETRY)
        self.board.failures[url] = Failure(signature, reason, times, time.monotonic() + wait)
        text = reason if reason.startswith(url) else f"{url}: {reason}"
        self.log("failed", url, text, times=times, next_try_seconds=wait)
        self._told(self.board)


def _disk_fault(error: OSError) -> str:
    if error.errno in taking.FULL:
        return f"the dataset's disk is full ({error.strerror}): free some space"
    return f"{error.filename or 'the dataset'}: {error.strerror or error}"


class _Speed:
    """Pieces per second of the stage at work, from its first call on: what a resumed copy had is not counted."""

    def __init__(self) -> None:
        self._stage = ""
        self._start = (0, 0.0)

    def __call__(self, stage: str, done: int) -> float:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._start = stage, (done, now)
        return (done - self._start[0]) / max(now - self._start[1], 1e-3)
