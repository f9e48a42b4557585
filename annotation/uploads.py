"""Videos and projects that come in through the page: received whole, checked, and only then beside the others."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path, PureWindowsPath

from fastapi.concurrency import run_in_threadpool

from annotation import footage, secrets
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path

PARTIAL = ".upload-"  # how the name of a file begins that is coming in, in the dataset's annotation/
PIECE = 1 << 20  # bytes that are written at once
LONGEST = 120  # characters of a name
# FFmpeg's names of what may come in. Others, such as playlists, are lists of files and addresses that it would open.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg,mjpeg,mpegvideo,m4v"


class Exists(Exception):
    """There is a video, or a project, of that name."""


def safe_name(given: str) -> tuple[str, str]:
    """A video's stem and ending from the name that a file had elsewhere. Raises InputError where it is no video's."""
    name = PureWindowsPath(given).name
    ending = Path(name).suffix.lower()
    if ending not in datasets.VIDEO_SUFFIXES:
        raise InputError(f"a video's name ends in one of {' '.join(datasets.VIDEO_SUFFIXES)}")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name[: -len(ending)]).strip("._-")[:LONGEST]
    if not stem:
        raise InputError("a video's name needs letters or digits (of ASCII) before its ending; rename the file")
    return stem, ending


def must_be_new(folder: Path, stem: str) -> None:
    """Raises Exists where the dataset has a video of that name, whatever its ending, in small letters or large
    ones, which some file systems take for the same."""
    there = [file.name for file in (folder / "videos").iterdir() if file.stem.casefold() == stem.casefold()]
    if there:
        raise Exists(f"there is a video {there[0]} in this project; a video is never replaced")


def partial_path(folder: Path, ending: str) -> Path:
    """A name for a file that is coming in."""
    (folder / footage.FOLDER).mkdir(exist_ok=True)
    return folder / footage.FOLDER / f"{PARTIAL}{secrets.new_secret()[:16]}{ending}"


async def receive(pieces: AsyncIterator[bytes], file: Path, size: int) -> None:
    """Write what comes to a new file. Raises InputError where it is not `size` bytes."""
    taken, waiting = 0, bytearray()
    with open(file, "xb") as out:
        async for piece in pieces:
            taken += len(piece)
            if taken > size:
                break
            waiting += piece
            if len(waiting) >= PIECE:
                await run_in_threadpool(out.write, bytes(waiting))
                waiting.clear()
        await run_in_threadpool(out.write, bytes(waiting))
    if taken != size:
        raise InputError(f"{taken} bytes came, and {size} were promised; send it again")


def must_be_video(file: Path, called: str) -> None:
    """Raises InputError where a file is not of a kind that holds a video itself."""
    import av

    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{file}", metadata_errors="replace", options=options) as container:
            if not container.streams.video:
                raise InputError(f"{called}: has no video in it")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{called}: is not a video that can be read ({error.strerror or error})") from None


def move(file: Path, folder: Path, name: str) -> Path:
    """Give a file its place among a dataset's videos. Raises Exists where there is one: nothing is ever overwritten."""
    target = folder / "videos" / name
    try:
        os.link(file, target)
        file.unlink()
    except FileExistsError:
        raise Exists(f"there is a video {name} in this project; a video is never replaced") from None
    except OSError:  # a file system without links
        with open(target, "xb"):
            os.replace(file, target)
    return target


def remove_partial(folders: Sequence[Path]) -> None:
    """Remove what a server that was stopped had not received whole."""
    for folder in folders:
        for file in (folder / footage.FOLDER).glob(f"{PARTIAL}*"):
            file.unlink(missing_ok=True)


def make_dataset(folder: Path, classes: Sequence[str]) -> None:
    """A dataset without videos. Raises Exists where there is such a folder."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise Exists(f"there is a folder {folder.name} already") from None
    (folder / "videos").mkdir()
    with atomic_path(folder / "classes.txt") as temporary:
        temporary.write_text("\n".join(classes) + "\n", encoding="utf-8")
