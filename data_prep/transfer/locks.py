"""Locks between transfers, of one machine or of several that share the dataset's folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep.files import is_still


@contextmanager
def held(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock file `path`, which is made; yield whether it was got. It is free again when the block ends, or
    the process, however it dies.

    Unlike that of `data_prep.files.locked` the file has a name of the caller's, and stays unless the holder removes
    it: who waited for it then tries again with the new one.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # its folder was removed just now
            continue
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            if not is_still(handle, path):
                continue
            yield True
            return
        finally:
            os.close(handle)
