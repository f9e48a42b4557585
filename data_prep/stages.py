"""What the stages of a pipeline spend their time on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stages:
    """Seconds that each stage of a pipeline has worked, and has waited for the others, by its name.

    Of a stage with several threads, theirs are added up. Threads may tell of their work at the same time. Time inside a
    block in a block counts for the inner one alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = threading.local()  # .seconds: of the blocks that are open in this thread, those of inner ones
        self._seconds: dict[str, list[float]] = {}  # worked, waited

    @contextmanager
    def works(self, stage: str) -> Iterator[None]:
        """The block is work of the stage."""
        with self._clock(stage, 0):
            yield

    @contextmanager
    def waits(self, stage: str) -> Iterator[None]:
        """In the block the stage waits."""
        with self._clock(stage, 1):
            yield

    def waiting_for(self, items: Iterable[Item], stage: str) -> Iterator[Item]:
        """The items; until each is there, the stage waits."""
        rest = iter(items)
        while True:
            with self.waits(stage):
                found = next(rest, self)
            if found is self:
                return
            yield found  # type: ignore[misc]

    def table(self) -> dict[str, dict[str, float]]:
        """{stage: {"works": seconds, "waits": seconds}}, in the order in which the stages began, to the millisecond."""
        with self._lock:
            return {
                stage: {"works": round(worked, 3), "waits": round(waited, 3)}
                for stage, (worked, waited) in self._seconds.items()
            }

    @contextmanager
    def _clock(self, stage: str, kind: int) -> Iterator[None]:
        open_blocks: list[float] = self._inside.__dict__.setdefault("seconds", [])
        open_blocks.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - started
            own = passed - open_blocks.pop()
            if open_blocks:
                open_blocks[-1] += passed
            with self._lock:
                self._seconds.setdefault(stage, [0.0, 0.0])[kind] += own
