"""One line of progress on a terminal, with a remaining time that can be believed."""
from __future__ import annotations

import sys
import time
from collections import deque
from typing import TextIO

DRAW_EVERY = 0.2  # seconds between two drawings
WINDOW = 30.0  # seconds of recent work that the speed is measured over
SETTLE = 2.0  # seconds of work before a remaining time is shown


class Progress:
    """Counts `total` pieces of work and shows `label: done/total unit, rate, time left` on a terminal.

    Nothing is written if `stream` (standard error) is not a terminal, or if `quiet`. The speed is that of the
    last half minute; what `skip` counts, work that an earlier run had done, does not enter it.
    Use it in a `with` block, so that the line ends however the work ends.
    """

    def __init__(self, total: int, unit: str, label: str, quiet: bool = False, stream: TextIO | None = None):
        self.total = total
        self.done = 0
        self._unit = unit
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._shown = not quiet and self._stream.isatty()
        self._worked = 0
        self._drawn = 0.0
        self._start = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._start, 0)])

    def update(self, pieces: int = 1) -> None:
        """Count pieces of work done now."""
        self.done += pieces
        self._worked += pieces
        now = time.monotonic()
        self._recent.append((now, self._worked))
        while now - self._recent[0][0] > WINDOW and len(self._recent) > 2:
            self._recent.popleft()
        if self._shown and now - self._drawn >= DRAW_EVERY:
            self._draw(now)

    def skip(self, pieces: int) -> None:
        """Count pieces that were done before."""
        self.done += pieces

    def close(self) -> None:
        """Draw the last state and end the line."""
        if self._shown:
            self._draw(time.monotonic())
            self._stream.write("\n")
            self._stream.flush()
            self._shown = False

    def remaining(self) -> float | None:
        """Seconds left at the speed of the last half minute; None while that is not known."""
        (first_time, first_worked), (last_time, last_worked) = self._recent[0], self._recent[-1]
        if last_worked == first_worked or last_time - self._start < SETTLE:
            return None
        return (self.total - self.done) * (last_time - first_time) / (last_worked - first_worked)

    def _draw(self, now: float) -> None:
        self._drawn = now
        left = self.remaining()
        if self.done >= self.total:
            end = f"{duration(now - self._start)} in all"
        else:
            end = "" if left is None else f"{duration(left)} left"
        share = 100 * self.done // max(self.total, 1)
        text = f"{self._label}: {self.done}/{self.total} {self._unit} ({share} %) {end}"
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
