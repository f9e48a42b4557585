"""Reading whole files with errors that say what the file is instead, and writing them in one move."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile

from caffe.errors import CaffeError

_STRANGERS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file: give it the ending .h5 so that it is read as one"),
    (b"\x1f\x8b", "gzip-compressed: decompress it first"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"BZh", "bzip2-compressed: decompress it first"),
)
_WEB_PAGE_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml")


def read_bytes(path: str | os.PathLike, what: str) -> bytes:
    """The content of the file at `path`, which should be `what` (for the error).

    Raises CaffeError if it is not there, cannot be read, is empty, or is plainly something else: a web page
    saved in its place, a Git LFS pointer, an archive, HDF5.
    """
    name = os.fspath(path)
    if not name:
        raise CaffeError(f"no file name was given for {what}")
    try:
        if stat.S_ISCHR(os.stat(name).st_mode):
            raise CaffeError(f"{name}: is a device, {what} was expected")
        with open(name, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise CaffeError(f"{name}: not found, {what} was expected (looked in {os.getcwd()})") from None
    except (OSError, ValueError) as error:
        raise CaffeError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not data:
        raise CaffeError(f"{name}: is empty (0 bytes), {what} was expected")
    for start, stranger in _STRANGERS:
        if data.startswith(start):
            raise CaffeError(f"{name}: is {stranger}")
    if data[:200].lstrip().lower().startswith(_WEB_PAGE_STARTS):
        raise CaffeError(f"{name}: is a web page, not {what}: download the file itself")
    return data


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write `data` to `path`: to a temporary file beside it first, so that `path` is never half-written.

    Raises CaffeError if the folder is missing, the disk is full or the file cannot be written.
    """
    name = os.fspath(path)
    folder = os.path.dirname(name) or "."
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(name)}.", dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, name)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise CaffeError(
            f"{name}: cannot be written: {error.strerror or error}; make room there, or choose another place"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
