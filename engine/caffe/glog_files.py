"""glog's own flags that people give Caffe's tools: how much is logged, and whether to a file too."""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import socket
import time
from collections.abc import Iterator, Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.flags import Flag, Value

FLAGS = {
    "minloglevel": Flag(-1, "log from this level on: 0 info, 1 warning, 2 error (else as GLOG_minloglevel says)", "N"),
    "log_dir": Flag("", "also write the log to a file in this folder (else in the one GLOG_log_dir names)", "FOLDER"),
    "logtostderr": Flag(False, "log to stderr only, no file"),
    "alsologtostderr": Flag(True, "log to stderr, always so here"),
}


@contextlib.contextmanager
def logging_to_files(program: str, values: Mapping[str, Value], level: int = 0) -> Iterator[None]:
    """Follow the flags inside the block; on stderr, only lines of `level` and above.

    The file is FOLDER/<program>.<host>.<user>.log.INFO.<date>-<time>.<process>, and FOLDER/<program>.INFO a link to
    it, as glog names them. Raises CaffeError if it cannot be written.
    """
    before = os.environ.get("GLOG_minloglevel")
    if int(values["minloglevel"]) >= 0:
        os.environ["GLOG_minloglevel"] = str(values["minloglevel"])
    folder = "" if values["logtostderr"] else str(values["log_dir"] or os.environ.get("GLOG_log_dir", ""))
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(glog.set_stderr_level, glog.set_stderr_level(level))
            if folder:
                file = stack.enter_context(_open(folder, program))
                glog.also_to(file)
                stack.callback(glog.no_longer_to, file)
            yield
    finally:
        if int(values["minloglevel"]) >= 0:
            os.environ.pop("GLOG_minloglevel")
            if before is not None:
                os.environ["GLOG_minloglevel"] = before


def _open(folder: str, program: str):
    host, now = socket.gethostname(), time.localtime()
    name = f"{program}.{host}.{_user()}.log.INFO.{time.strftime('%Y%m%d-%H%M%S', now)}.{os.getpid()}"
    try:
        # unbuffered: what a full disk refuses is not tried again when the file is closed
        raw = open(os.path.join(folder, name), "wb", buffering=0)  # noqa: SIM115
        file = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)  # type: ignore[arg-type]
        link = os.path.join(folder, f"{program}.INFO")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(name, link)
    except OSError as error:
        raise CaffeError(f"--log_dir={folder}: the log cannot be written there: {error.strerror}; make the folder, or "
                         "choose another") from None
    with contextlib.suppress(OSError):
        file.write(f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S', now)}\nRunning on machine: {host}\n"
                   "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n")
    return file


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
