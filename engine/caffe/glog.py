"""Log lines in glog's form, which BVLC's parse_log and people's scripts read.

`I1122 23:42:47.123456  4242 solver.py:120] Iteration 0, lr = 0.01` — severity and date, time, process, place.
GLOG_minloglevel (0 info … 3 fatal) silences what is below it, as with real Caffe.
"""

from __future__ import annotations

import os
import sys
import threading
import time

_LEVELS = {"I": 0, "W": 1, "E": 2, "F": 3}
_minimum: int | None = None  # as init_log was told; None: as the environment says by then
_root = True  # False in all but the first of several processes that train together


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Show lines of `level` and above (0 info, 1 warning, 2 error). pycaffe's `caffe.init_log`."""
    global _minimum
    _minimum = level


def _write(letter: str, message: str) -> None:
    minimum = int(os.environ.get("GLOG_minloglevel") or 0) if _minimum is None else _minimum
    if _LEVELS[letter] < minimum:
        return
    frame = sys._getframe(2)
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1e6):06d}"
    place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    sys.stderr.write(f"{letter}{stamp} {threading.get_native_id():5d} {place}] {message}\n")


def only_if(root: bool) -> None:
    """Whether this process logs what a training tells of itself: only the first of several does."""
    global _root
    _root = root


def info(message: str) -> None:
    if _root:
        _write("I", message)


def warning(message: str) -> None:
    _write("W", message)


def error(message: str) -> None:
    _write("E", message)


def log(message: str) -> None:
    """pycaffe's `caffe.log`: an info line."""
    _write("I", message)


def number(value: float) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{value:g}"
