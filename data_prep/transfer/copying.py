"""Copying one file in pieces, so that a stopped copy goes on where it was, and comparing the copy with its source."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from data_prep.errors import InputError
from data_prep.files import naming, read_json, remove, write_json
from data_prep.transfer.sources import PIECE, Connection, Look, SourceFault

SECOND_READ, SERVER = "a second read of the source", "the server's MD5"


class Changed(SourceFault):
    """The source's file was written to while it was copied."""


@dataclass(frozen=True)
class Copy:
    """A copy that is the source's file, byte for byte: its SHA-256, and what it was verified by."""

    path: Path
    sha256: str
    verified: str


def copy(connection: Connection, look: Look, target: Path, told: Callable[[int], None]) -> Copy:
    """Copy a source's file to `target`, and verify it.

    note.json beside `target` says of which file it is the beginning. What a call that was stopped has copied is kept
    and continued, if the source's file still has the size, the time and the ETag that it had; then it is verified
    from its first byte like all the rest. `told` gets the bytes that are there after each piece.
    Raises Changed if the source's file changes meanwhile, SourceFault if it cannot be read or its copy is not equal;
    both leave nothing that would be continued, but for a source that cannot be read.
    """
    note = target.with_name("note.json")
    identity = {"url": connection.shown(look.path), "signature": look.signature}
    known = _read_note(note)
    if {key: known.get(key) for key in identity} != identity:
        remove(target)
        write_json(note, identity)
    elif known.get("sha256") and target.exists() and target.stat().st_size == look.size:
        return Copy(target, known["sha256"], known["verified"])
    digest = _fetch(connection, look, target, told)
    if connection.look(look.path).signature != look.signature or target.stat().st_size != look.size:
        _give_up(target, note)
        raise Changed(f"{identity['url']}: was written to while it was copied; it is taken when it is finished")
    found, verified = _verify(connection, look, target)
    if found != digest:
        _give_up(target, note)
        reason = "read back from the dataset's disk it is not what was written" if found else "not equal to the source"
        raise SourceFault(f"{identity['url']}: the copy is damaged ({reason}); check the disks and the network")
    write_json(note, {**identity, "sha256": digest, "verified": verified})
    return Copy(target, digest, verified)


def _fetch(connection: Connection, look: Look, target: Path, told: Callable[[int], None]) -> str:
    """Append what is missing, to the disk itself; the SHA-256 of all that was written."""
    digest = hashlib.sha256()
    there = 0
    with naming(target), open(target, "a+b") as file:
        if file.tell() > look.size:
            file.truncate(0)
        file.seek(0)
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
            there += len(piece)
        told(there)
        if there < look.size:
            for piece in connection.read(look.path, there):
                file.write(piece)
                digest.update(piece)
                there += len(piece)
                told(there)
                if there > look.size:  # it grows, perhaps faster than it is read
                    break
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _verify(connection: Connection, look: Look, target: Path) -> tuple[str, str]:
    """SHA-256 of the copy as its disk has it, empty if that is not the source's, and what it was compared with."""
    forget_cached(target)
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    if re.fullmatch("[0-9a-f]{32}", look.etag):  # S3 calls it ETag; that of an upload in parts looks different
        for piece in _pieces(target):
            sha.update(piece)
            md5.update(piece)
        if md5.hexdigest() == look.etag:
            return sha.hexdigest(), SERVER
        sha = hashlib.sha256()  # an encrypted bucket's ETag looks like an MD5 and is none
    local = connection.local(look.path)
    if local is not None:
        forget_cached(local)
    source = hashlib.sha256()
    for piece in connection.read(look.path):
        source.update(piece)
    for piece in _pieces(target):
        sha.update(piece)
    equal = source.digest() == sha.digest()
    return (sha.hexdigest() if equal else ""), SECOND_READ


def forget_cached(path: Path) -> None:
    """Have the next read of a file come from its disk, where the system does that."""
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _give_up(target: Path, note: Path) -> None:
    remove(target)
    remove(note)


def _read_note(path: Path) -> dict:
    """What a note says; nothing if it is damaged or not there, and then the copy begins anew."""
    try:
        content = read_json(path)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}
