"""Log lines in glog's form, which BVLC's parse_log.py and people's scripts read.

`I1122 23:42:47.123456  4242 solver.cpp:120] Iteration 0, lr = 0.01` — severity and date, time, thread, place. The
place is the file of Caffe's that says this there, since scripts search for it, with the line of ours.
GLOG_minloglevel (0 info … 3 fatal) silences what is below it, as with real Caffe.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import SupportsFloat, TextIO

_LEVELS = {"I": 0, "W": 1, "E": 2, "F": 3}
_minimum: int | None = None  # as init_log was told; None: as the environment says by then
_root = True  # False in all but the first of several processes that train together
_files: list[TextIO] = []  # besides stderr
_stderr_level = 0  # from which level on stderr gets what is logged

# this package's module → Caffe's file that writes the same lines; others keep their own name
_PLACES = {
    "common": "caffe.cpp", "train": "caffe.cpp", "score": "caffe.cpp", "benchmark": "caffe.cpp",
    "device_query": "common.cpp", "assembly": "net.cpp", "net": "net.cpp", "net_log": "net.cpp", "graph": "net.cpp",
    "weights": "net.cpp", "solvers": "solver.cpp", "snapshots": "solver.cpp", "updates": "sgd_solver.cpp",
    "data": "data_layer.cpp", "data_source": "data_layer.cpp", "prefetching": "data_layer.cpp",
    "image_data": "image_data_layer.cpp", "data_transformer": "data_transformer.cpp",
    "datum_reader": "db.cpp", "datum_writer": "db.cpp", "convert_imageset": "convert_imageset.cpp",
    "compute_image_mean": "compute_image_mean.cpp", "extract_features": "extract_features.cpp",
    "upgrade": "upgrade_proto.cpp", "binaryproto": "upgrade_proto.cpp", "upgrading": "upgrade_net_proto.cpp",
    "upgrade_solver_proto_text": "upgrade_solver_proto_text.cpp",
}


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Show lines of `level` and above (0 info, 1 warning, 2 error). pycaffe's `caffe.init_log`."""
    global _minimum
    _minimum = level


def enabled(letter: str = "I") -> bool:
    """True if lines of that severity are shown: long ones need not be made otherwise."""
    minimum = int(os.environ.get("GLOG_minloglevel") or 0) if _minimum is None else _minimum
    return _LEVELS[letter] >= minimum


def set_stderr_level(level: int) -> int:
    """Let stderr have only lines of `level` and above; the level before is returned."""
    global _stderr_level
    before, _stderr_level = _stderr_level, level
    return before


def also_to(file: TextIO) -> None:
    """Write every line to an open text file too."""
    _files.append(file)


def no_longer_to(file: TextIO) -> None:
    """End what `also_to` began."""
    _files.remove(file)


def _write(letter: str, message: str) -> None:
    if not enabled(letter):
        return
    frame = sys._getframe(2)
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1e6):06d}"
    package, _, module = frame.f_globals.get("__name__", "").rpartition(".")
    ours = _PLACES.get(module) if package.partition(".")[0] == "caffe" else None
    place = f"{ours or os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    line = f"{letter}{stamp} {threading.get_native_id():5d} {place}] {message.removesuffix(chr(10))}\n"
    for stream in (sys.stderr, *_files) if _LEVELS[letter] >= _stderr_level else _files:
        try:
            stream.write(line)
            stream.flush()
        except BrokenPipeError:
            raise
        except OSError:  # a full disk: like glog, lose the line, not the training
            continue


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


def number(value: SupportsFloat) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{float(value):g}"
