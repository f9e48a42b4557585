"""Writing files and folders so that a reader, or a crash, never meets half of one."""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there takes its place when the block ends.

    The block creates a file or a folder at the temporary path. If it raises, the temporary is removed and
    `path` stays as it was. Missing parent folders are created. An existing folder is replaced by a folder in
    two renames (a folder with content cannot be replaced in one).
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The same suffix is kept, since libraries choose a format by it.
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
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

    If another process holds it: wait for it, or raise InputError.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InputError(f"{folder}: another command is writing there; wait until it ends") from None
    finally:
        os.close(handle)
