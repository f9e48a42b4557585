"""pycaffe's init_log: what is logged and where to, as glog's flags have it."""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
import time
from typing import TextIO

from caffe import glog
from caffe.errors import CaffeError

_ERROR = 2
_file: TextIO | None = None


def init_log(level: int | None = None, stderr: bool | None = None) -> None:
    """Log lines of `level` and above (0 info, 1 warning, 2 error; None: as GLOG_minloglevel says).

    With `stderr` they are shown on stderr. Otherwise they go to a file caffe.<host>.<user>.log.INFO.<time>.<pid>
    in GLOG_log_dir or the system's folder for temporary files, and stderr has errors alone, unless the environment
    has GLOG_logtostderr=1 or GLOG_alsologtostderr=1. Before the first call everything is on stderr.
    Raises CaffeError if the file cannot be made. Source: InitLog in python/caffe/_caffe.cpp.
    """
    global _file
    if level is not None:
        glog.init_log(level)
    if _file is not None:
        glog.no_longer_to(_file)
        _file.close()
        _file = None
    if stderr is None:
        stderr = _flag("GLOG_logtostderr")
    if not stderr:
        _file = _open_log()
        glog.also_to(_file)
    glog.set_stderr_level(0 if stderr or _flag("GLOG_alsologtostderr") else _ERROR)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "t", "true", "y", "yes")


def _open_log() -> TextIO:
    folder = os.environ.get("GLOG_log_dir") or tempfile.gettempdir()
    host = socket.gethostname()
    name = f"caffe.{host}.{getpass.getuser()}.log.INFO.{time.strftime('%Y%m%d-%H%M%S')}.{os.getpid()}"
    try:
        file = open(os.path.join(folder, name), "a")  # noqa: SIM115 - stays open while the process logs
    except OSError as error:
        raise CaffeError(f"{os.path.join(folder, name)}: the log cannot be written there: {error.strerror}; set "
                         "GLOG_log_dir to another folder, or call init_log(level, True) for stderr") from None
    file.write(f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S')}\nRunning on machine: {host}\n"
               "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n")
    file.flush()
    return file
