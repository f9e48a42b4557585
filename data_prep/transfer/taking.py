"""Taking one finished file: copy, verify, check, normalise, register; and removing it at its source where asked to."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Callable

from data_prep.errors import InputError
from data_prep.files import remove, sha256
from data_prep.transfer import checking
from data_prep.transfer.commit import clear, commit, place, present, work_folder
from data_prep.transfer.copying import copy
from data_prep.transfer.locks import held
from data_prep.transfer.log import Log, size
from data_prep.transfer.register import TAKEN, Entry, Register
from data_prep.transfer.settings import Settings, new_stem
from data_prep.transfer.sources import Connection, Look, SourceFault

SPARE = 50 << 20  # bytes that a disk keeps free
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a disk says that takes no more
Told = Callable[[str, int, "int | None"], None]  # what is done now, how much of it, of how much


def key_of(url: str) -> str:
    """The name of a file's work folder: the same wherever and whenever its URL is met."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def taken(register: Register, url: str, look: Look) -> Entry | None:
    """The entry of a file that was taken as it is now."""
    entry = register.entries.get(url)
    return entry if entry is not None and entry.state in TAKEN and entry.is_of(look) else None


def take(settings: Settings, register: Register, connection: Connection, look: Look, told: Told, log: Log) -> bool:
    """Bring a finished file into the dataset; False where another transfer is at it.

    Raises InputError (SourceFault where the source is to blame) if it cannot be taken now; what has been copied is
    kept for the next try unless it is wrong. OSError where the dataset's disk fails; a full one keeps nothing.
    """
    url = connection.shown(look.path)
    folder = work_folder(settings.dataset, key_of(url))
    with held(folder / "lock") as mine:
        if not mine:
            return False
        register.refresh()
        entry = taken(register, url, look)
        if entry is not None:  # by another transfer, just now
            place(settings.dataset, entry, folder)
            return True
        try:
            _take(settings, register, connection, look, folder, told, log)
        except OSError as error:
            register.refresh()
            if error.errno in FULL and taken(register, url, look) is None:
                clear(folder)  # gives the room back
            raise
    return True


def _take(
    settings: Settings,
    register: Register,
    connection: Connection,
    look: Look,
    folder: Path,
    told: Told,
    log: Log,
) -> None:
    began = time.monotonic()
    url = connection.shown(look.path)
    file = folder / f"copy{os.path.splitext(look.path)[1].lower()}"
    check_room(settings.dataset, look.size - (file.stat().st_size if file.exists() else 0), url)
    before = register.entries.get(url)
    copied = copy(connection, look, file, lambda done: told("copying", done, look.size))
    entry = Entry(
        source=connection.source.name,
        url=url,
        size=look.size,
        mtime=look.mtime,
        etag=look.etag,
        state="registered",
        when=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        sha256=copied.sha256,
        verified=copied.verified,
    )
    notes = []
    if before is not None and before.state in TAKEN:
        notes.append(f"changed at its source since it was taken as {before.video}, which stays as it was")
    original: Path | None = None
    if present(settings.dataset, register, copied.sha256) is None:
        promised = checking.promised_frames(file)
        facts = checking.check(file, url, lambda done: told("checking", done, promised))
        notes += facts.notes
        if settings.normalise == "always" or (settings.normalise == "auto" and not facts.playable):
            from data_prep.transfer.normalise import normalise

            made = folder / "new.mp4"
            check_room(settings.dataset, look.size, url)
            try:
                worst = normalise(file, facts, made, lambda done: told("normalising", done, facts.frames))
            except InputError as error:
                raise InputError(str(error).replace(file.name, url)) from None
            notes.insert(0, f"normalised from {facts.kind}, worst frame {worst:.1f} dB")
            file, original = made, file
        entry = dataclasses.replace(
            entry,
            frames=facts.frames,
            fps=facts.fps,
            seconds=facts.seconds,
            width=facts.width,
            height=facts.height,
        )
    if settings.discard_original and original is not None:
        remove(original)
        original = None
    stem = new_stem(settings.rename, connection.source, look.path, look.mtime)
    entry = dataclasses.replace(entry, note="; ".join(notes))
    entry = commit(settings.dataset, register, entry, stem, file, original)
    told("done", look.size, look.size)
    _tell(log, entry, time.monotonic() - began)


def _tell(log: Log, entry: Entry, seconds: float) -> None:
    facts = {key: value for key, value in dataclasses.asdict(entry).items() if key not in ("url", "when")}
    if entry.state == "duplicate":
        text = f"{entry.url} is, byte for byte, {entry.original or entry.video}; not registered again"
    else:
        rate = "" if entry.fps is None else f", {entry.fps:.2f} frames/s"
        text = (
            f"{entry.url} → {entry.video} ({size(entry.size)}, {entry.frames} frames{rate}; verified by "
            f"{entry.verified}; {seconds:.1f} s)"
        )
    log(entry.state, entry.url, text + (f"; {entry.note}" if entry.note else ""), took=round(seconds, 1), **facts)


def check_room(folder: Path, needed: int, url: str) -> None:
    """Raise OSError (disk full) if a folder's disk has not that many bytes free, and a little to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise OSError(errno.ENOSPC, f"{size(free)} free, {size(needed + SPARE)} needed for {url}", str(folder))


def delete_source(settings: Settings, register: Register, connection: Connection, look: Look, log: Log) -> None:
    """Remove a file that was taken at its source, if the dataset's copy of it is whole on its disk, and the source's
    is still the one that was copied. Raises SourceFault if not."""
    url = connection.shown(look.path)
    entry = taken(register, url, look)
    if entry is None:
        return
    kept = settings.dataset / (entry.original or entry.video)
    if not kept.is_file() or sha256(kept) != entry.sha256:
        raise SourceFault(
            f"{url}: kept at its source, since {kept} is not its exact copy (removed, changed or normalised)"
        )
    if connection.look(look.path).signature != look.signature:
        return
    connection.delete(look.path)
    log("deleted", url, f"{url} at its source, as asked; {entry.original or entry.video} is its exact copy")
    with held(settings.dataset / ".transfer" / "register.lock", wait=True):
        register.add(dataclasses.replace(entry, state="deleted"))
