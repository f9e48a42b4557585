"""Locks between transfers, of one machine or of several that share the dataset's folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock file `path`, which is made; yield whether it was got. It is free again when the block ends, or
    the process, however it dies.

    Unlike `data_prep.files.locked` it locks a file that it may write, as NFS wants it, and the holder may remove that
    file: who waited for it tries again with the new one.
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
            if not _is_still(handle, path):
                continue
            yield True
            return
        finally:
            os.close(handle)


def _is_still(handle: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)
