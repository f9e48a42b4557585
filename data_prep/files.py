"""Writing files and folders so that a reader, or a crash, never meets half of one."""
from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from data_prep.errors import Busy, InputError

LOCK = ".lock"
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there takes its place when the block ends.

    The block creates a file or a folder at the temporary path. If it raises, the temporary is removed and
    `path` stays as it was. Missing parent folders are created. An existing folder is replaced by a folder in
    two renames (a folder with content cannot be replaced in one).
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The same suffix is kept, since libraries choose a format by it; processes of other machines may write there too.
    temporary = target.with_name(f".{target.stem}.{os.uname().nodename}.{os.getpid()}.tmp{target.suffix}")
    remove(temporary)
    try:
        with naming(target, temporary):
            yield temporary
            replace(temporary, target)
    finally:
        remove(temporary)


@contextmanager
def naming(path: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Let an OSError of the block say that it was about `path`: a write that finds the disk full says no name, or that
    of `temporary` (or of a file in it), which nobody has heard of."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if error.errno is None or not (name is None or (temporary and str(name).startswith(str(temporary)))):
            raise
        meant = str(path) if name is None else str(name).replace(str(temporary), str(path))
        # A new one: the name cannot be set in PyAV's.
        raise OSError(error.errno, error.strerror, meant) from error


def replace(source: Path, target: Path) -> None:
    """Rename the file or folder `source` to `target`, replacing what is there."""
    if target.is_dir() and not target.is_symlink():
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        remove(old)
        os.replace(target, old)
        os.replace(source, target)
        remove(old)
    else:
        os.replace(source, target)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file. Raises InputError if it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); make it again") from None


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder for this process; the hold ends with the block, or with the process however it dies.

    If another process holds it, on this machine or on another that shares the file system: wait for it, or raise Busy.
    What is locked is a file in the folder, open for writing as NFS wants it. The holder removes it, wherever the folder
    is by then. Where this process may not write, it holds nothing. Raises InputError for a file system without locks.
    """
    place, opened = _lock(folder, wait)
    with opened:
        try:
            yield
        finally:
            with suppress(OSError):  # the folder was removed with all in it, or this process may not write there
                os.unlink(LOCK, dir_fd=place)


def _lock(folder: Path, wait: bool) -> tuple[int, ExitStack]:
    """The open folder, and what closes it and its locked file."""
    while True:
        with ExitStack() as opened:
            place = os.open(folder, os.O_RDONLY)
            opened.callback(os.close, place)
            try:
                handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666, dir_fd=place)
                opened.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"{folder}: another command is writing there; wait until it ends") from None
            except OSError as error:
                if error.errno in READ_ONLY:
                    return place, opened.pop_all()
                if error.errno not in NO_LOCKS:
                    raise
                raise InputError(f"{folder}: its file system knows no locks, which keep two commands apart "
                                 f"({error.strerror}); choose another place, or mount it with them") from None
            if is_still(handle, LOCK, place):
                return place, opened.pop_all()
        folder.mkdir(parents=True, exist_ok=True)  # who held it has removed the file, and perhaps moved the folder


def is_still(handle: int, path: str | os.PathLike[str], place: int | None = None) -> bool:
    """Whether an open file is the one of that path now (from the open folder `place`): who held a lock on it may have
    removed it."""
    try:
        there = os.stat(path, dir_fd=place)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)
