"""Work on a stream of items by threads, with the results in the items' order, and a bounded number of them about."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Generator, Iterable
from typing import Any, Callable, TypeVar

from data_prep.stages import Stages

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(items: Iterable[Item], depth: int, stages: Stages, stage: str) -> Generator[Item, None, None]:
    """The same items, made by a thread of their own up to `depth` before they are asked for; making them is the
    stage's work. As for `ordered`, leave none of the generator unread without closing it."""
    rest = iter(items)
    return ordered(itertools.repeat(None), lambda _: next(rest), 1, depth, stages, stage)


def ordered(
    items: Iterable[Item], work: Callable[[Item], Made], workers: int, depth: int, stages: Stages, stage: str
) -> Generator[Made, None, None]:
    """`work(item)` of every item, in their order, by several threads, which is a gain where `work` lets go of Python's
    lock, as OpenCV, FFmpeg and networks do.

    At most `depth` results, of those begun, are not taken yet. An exception of `items` or of `work` is raised in its
    item's place, after the results before it; a StopIteration of `work` ends the stream. Closing the generator waits
    for what is being worked on, then closes `items`.
    """
    line = _Line(iter(items), work, depth, stages, stage)
    threads = [threading.Thread(target=line.run, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while True:
            made, error = line.take()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield made
    finally:
        line.stop()
        for thread in threads:
            thread.join()
        close = getattr(items, "close", None)
        if close is not None:
            close()


class _Line:
    """What the threads of one stage share."""

    def __init__(self, items: Any, work: Callable[[Any], Any], depth: int, stages: Stages, stage: str):
        self._items, self._work, self._depth = items, work, depth
        self._stages, self._stage = stages, stage
        self._pulling = threading.Lock()  # one thread at a time asks for an item, so that they are numbered in order
        self._changed = threading.Condition()
        self._results: dict[int, tuple[Any, BaseException | None]] = {}
        self._begun = self._taken = 0
        self._stopped = False

    def run(self) -> None:
        while True:
            with self._stages.waits(self._stage), self._pulling:
                number, item, error = self._pull()
            if number < 0:
                return
            made = None
            if error is None:
                made, error = self._attempt(item)
            with self._changed:
                self._results[number] = made, error
                self._stopped |= error is not None  # nothing after it is asked for any more
                self._changed.notify_all()

    def take(self) -> tuple[Any, BaseException | None]:
        """The next result, or the exception in its place."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken in self._results)
            result = self._results.pop(self._taken)
            self._taken += 1
            self._changed.notify_all()
        return result

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _pull(self) -> tuple[int, Any, BaseException | None]:
        """Number and item, or the exception that came instead; a negative number where there is nothing more to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._begun - self._taken < self._depth)
            if self._stopped:
                return -1, None, None
            number = self._begun
            self._begun += 1
        try:
            return number, next(self._items), None
        except BaseException as error:
            with self._changed:
                self._stopped = True  # before another thread asks
            return number, None, error

    def _attempt(self, item: Any) -> tuple[Any, BaseException | None]:
        try:
            with self._stages.works(self._stage):
                return self._work(item), None
        except BaseException as error:
            return None, error
