"""Formats of annotations behind one registry: what a file is, reading it into `Annotation`s, writing them.

To add one: a module with `sniff(head, path)`, `read(path, known)` and perhaps `write(path, annotations)`, and a row
below. docs/formats.md has the table for people.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from data_prep.annotations import Annotation
from data_prep.errors import InputError
from data_prep.formats import (
    boris_aggregated,
    boris_project,
    boris_tables,
    bout_csv,
    deepethogram,
    feral,
    labels,
    nwb,
    predictions,
    via3,
)
from data_prep.formats.keeps import lost
from data_prep.formats.source import Known

__all__ = ["Format", "Known", "detect", "find", "known_names", "lost", "read", "register", "writable", "write"]

HEAD = 1 << 16  # bytes that a file is recognised by


class Format(NamedTuple):
    """sniff: whether a file is of it, from its beginning as text and its path. read and write: see this module's.

    many: one file may hold several videos. timed: its times are seconds, so writing needs a timeline. exclusive: it
    has no place for two behaviours at once. keeps: what survives writing and reading (`keeps.ASPECTS`).
    """

    name: str
    what: str
    extensions: tuple[str, ...]
    sniff: Callable[[str, Path], bool]
    read: Callable[[Path, Known], list[Annotation]]
    write: Callable[[Path, Sequence[Annotation]], None] | None = None
    many: bool = False
    timed: bool = False
    exclusive: bool = False
    keeps: frozenset[str] = frozenset()


_FORMATS: dict[str, Format] = {}


def register(format: Format) -> Format:
    """Add a format. Raises ValueError if there is one of its name."""
    if format.name in _FORMATS:
        raise ValueError(f"a format {format.name!r} is registered already")
    _FORMATS[format.name] = format
    return format


def known_names() -> list[str]:
    return list(_FORMATS)


def writable() -> list[str]:
    return [name for name, format in _FORMATS.items() if format.write is not None]


def find(name: str) -> Format:
    """The format of a name. Raises InputError that lists those that there are."""
    if name not in _FORMATS:
        raise InputError(f"there is no format {name!r}; there are {', '.join(_FORMATS)}")
    return _FORMATS[name]


def detect(path: str | os.PathLike[str]) -> Format:
    """What a file is, by its content. Raises InputError that lists the formats if it is none of them."""
    file = Path(path)
    try:
        with open(file, "rb") as opened:
            start = opened.read(HEAD)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    head = start.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    for format in _FORMATS.values():
        if format.sniff(head, file):
            return format
    what = ", ".join(f"{format.name} ({format.what})" for format in _FORMATS.values())
    raise InputError(f"{path}: of no format that is known here: {what}; say which one it is with --from")


def read(path: str | os.PathLike[str], known: Known | None = None, format: str | None = None) -> list[Annotation]:
    """The annotations in a file, one per video (and observation) that it holds.

    known: what is known of the videos. format: its name, found by the content if not given. Raises InputError if the
    file is damaged, of no known format, or does not fit the videos.
    """
    known = Known() if known is None else known
    chosen = detect(path) if format is None else find(format)
    try:
        found = chosen.read(Path(path), known)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise InputError(
            f"{path}: damaged, or not {chosen.what} ({reason}); export it again, or say what it is with --from"
        ) from error
    for one in found:
        if one.timeline is not None and one.timeline.frames != one.frames:
            raise InputError(
                f"{path}: {one.frames} frames for {one.stem!r}, but the video has {one.timeline.frames}; "
                "check that it is the same video"
            )
    return found


def write(path: str | os.PathLike[str], annotations: Sequence[Annotation], format: str) -> list[str]:
    """Write annotations to a file, atomically. Returns what of them the format cannot hold, in words.

    Raises InputError for a format that is only read, several videos in one that holds one, overlapping behaviours in
    an exclusive one, or frames whose times are not known in one of seconds.
    """
    chosen = find(format)
    if chosen.write is None:
        raise InputError(f"{format} is only read; write {', '.join(writable())}")
    if len(annotations) != 1 and not chosen.many:
        raise InputError(f"{path}: {format} holds one video per file, not {len(annotations)}")
    for one in annotations:
        if chosen.timed and one.timeline is None:
            raise InputError(
                f"{one.stem}: {format} has times in seconds; give the video with --video, or its frame rate with --fps"
            )
    chosen.write(Path(path), annotations)
    return lost(annotations, chosen.keeps)


for _one in (
    Format("nwb", "NWB with ndx-ethogram", (".nwb",), nwb.sniff, nwb.read, nwb.write, timed=True,
           keeps=frozenset({"behaviours", "unannotated", "idle", "overlaps", "touching", "subjects", "comments",
                            "modifiers", "confidence", "annotator", "frames", "empty"})),
    Format("labels", "labels of a dataset: frame and a column per class", (".csv",), labels.sniff, labels.read,
           labels.write, exclusive=True, keeps=frozenset({"behaviours", "unannotated", "frames", "empty"})),
    Format("predictions", "predictions.csv of `ethocaffe predict`", (".csv",), predictions.sniff, predictions.read),
    Format("deepethogram", "DeepEthogram's label CSV", (".csv",), deepethogram.sniff, deepethogram.read,
           deepethogram.write,
           keeps=frozenset({"behaviours", "unannotated", "idle", "overlaps", "frames", "empty"})),
    Format("boris", "a BORIS project", (".boris",), boris_project.sniff, boris_project.read),
    Format("boris-tabular", "a BORIS table of events", (".tsv", ".csv"), boris_tables.sniff_tabular,
           boris_tables.read_tabular, many=True),
    Format("boris-aggregated", "a BORIS table of aggregated events", (".tsv", ".csv"), boris_tables.sniff_aggregated,
           boris_tables.read_aggregated, boris_aggregated.write, many=True, timed=True,
           keeps=frozenset({"idle", "overlaps", "touching", "subjects", "comments", "modifiers"})),
    Format("via3-csv", "a CSV export of VIA 3", (".csv",), via3.sniff_csv, via3.read_csv, many=True),
    Format("via3", "a VIA 3 project", (".json",), via3.sniff, via3.read, via3.write, many=True, timed=True,
           keeps=frozenset({"behaviours", "unannotated", "idle", "overlaps", "touching", "subjects", "comments",
                            "modifiers", "confidence", "annotator", "marks", "empty"})),
    Format("feral", "FERAL's label JSON", (".json",), feral.sniff, feral.read, feral.write, many=True,
           keeps=frozenset({"behaviours", "idle", "overlaps", "frames", "empty"})),
    Format("bouts", "a table of bouts with start and stop", (".csv", ".tsv"), bout_csv.sniff, bout_csv.read,
           bout_csv.write, many=True,
           keeps=frozenset({"idle", "overlaps", "touching", "subjects", "comments", "modifiers", "confidence",
                            "annotator"})),
):  # fmt: skip
    register(_one)
