"""Giving a checked video its place in the dataset, so that neither a kill nor another transfer leaves half of it.

The register's line comes first and is the promise; the renames follow. A transfer that dies between them has left the
staged files in their work folder, and `complete` renames them later.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from data_prep.dataset import VIDEO_SUFFIXES
from data_prep.errors import InputError
from data_prep.files import remove, sha256
from data_prep.transfer.locks import held
from data_prep.transfer.register import Entry, Register

HIDDEN = ".transfer"  # in the dataset: a folder for each file on its way
STAGED = ("video", "original")  # an entry's fields; staged files are called field-SHA256.ending


def work_folder(dataset: Path, key: str) -> Path:
    """Where the file of that key is on its way."""
    return dataset / HIDDEN / key


def commit(dataset: Path, register: Register, entry: Entry, stem: str, video: Path, original: Path | None) -> Entry:
    """Register `entry`, of the work folder's files `video` and `original` (None where they are one), under `stem`.

    The name is `stem` if no video has it, else stem-xxxxxx of the content's SHA-256, so that the same content always
    gets the same name. Where the content is in the dataset already, the entry becomes a duplicate and nothing is
    placed. Returns the entry as it stands in the register. The file's own lock must be held.
    """
    with held(dataset / HIDDEN / "register.lock", wait=True):
        register.refresh()
        same = present(dataset, register, entry.sha256)
        placed = dataset / "videos" / f"{stem}{video.suffix}"
        if same is not None:
            entry = dataclasses.replace(entry, state="duplicate", video=same.video, original=same.original)
        elif original is None and placed.is_file() and sha256(placed) == entry.sha256:
            entry = dataclasses.replace(entry, state="duplicate", video=f"videos/{placed.name}")
        else:
            name = free_name(dataset, register, stem, entry.sha256)
            os.rename(video, _staged(video.parent, "video", entry, video.suffix))
            if original is not None:
                os.rename(original, _staged(video.parent, "original", entry, original.suffix))
            entry = dataclasses.replace(
                entry,
                state="registered",
                video=f"videos/{name}{video.suffix}",
                original="" if original is None else f"originals/{name}{original.suffix}",
            )
        register.add(entry)
        place(dataset, entry, video.parent)
    return entry


def present(dataset: Path, register: Register, digest: str) -> Entry | None:
    """The entry of that content, if its video has not been removed from the dataset since."""
    entry = register.contents.get(digest)
    return entry if entry is not None and (dataset / entry.video).is_file() else None


def place(dataset: Path, entry: Entry, folder: Path) -> None:
    """Rename what is staged in the work folder to where its entry says, and clear the folder. May be repeated.

    Raises InputError if something has come there since the name was given.
    """
    if entry.state == "registered":
        for field in STAGED:
            name = getattr(entry, field)
            staged = _staged(folder, field, entry, Path(name).suffix)
            if name and staged.exists():
                target = dataset / name
                if target.exists():
                    raise InputError(f"{target}: in the way of {staged}, which was transferred; rename it")
                target.parent.mkdir(exist_ok=True)
                os.rename(staged, target)
                _sync(target.parent)
    clear(folder)


def complete(dataset: Path, register: Register) -> list[Entry]:
    """Finish what a transfer that died had registered and not placed; returns those entries."""
    done = []
    for folder in sorted({file.parent for file in (dataset / HIDDEN).glob("*/video-*.*")}):
        with held(folder / "lock") as mine:
            register.refresh()
            staged = next(folder.glob("video-*.*"), None) if mine else None
            entry = register.contents.get(staged.stem.partition("-")[2]) if staged else None
            if entry is not None:
                place(dataset, entry, folder)
                done.append(entry)
    return done


def clear(folder: Path) -> None:
    """Remove a work folder whose lock is held; the lock goes last."""
    for file in folder.iterdir():
        if file.name != "lock":
            remove(file)
    remove(folder / "lock")
    try:
        folder.rmdir()
    except OSError:  # another transfer has just made its lock there
        return


def free_name(dataset: Path, register: Register, stem: str, digest: str) -> str:
    """`stem`, or with as many digits of the content's hash as make it different from every video's there."""
    (dataset / "videos").mkdir(exist_ok=True)
    there = [file for folder in ("videos", "originals") for file in (dataset / folder).glob("*")]
    there = [file for file in there if file.suffix.lower() in VIDEO_SUFFIXES]
    taken = {path.stem.casefold() for path in [*there, *map(Path, register.videos)]}
    names = [stem, *(f"{stem}-{digest[:digits]}" for digits in (6, 12, 64))]
    return next(name for name in names if name.casefold() not in taken or name == names[-1])


def _staged(folder: Path, field: str, entry: Entry, suffix: str) -> Path:
    return folder / f"{field}-{entry.sha256}{suffix}"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
