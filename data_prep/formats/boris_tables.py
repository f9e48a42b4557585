"""BORIS's exported tables, CSV or TSV: tabular (a row per event) and aggregated (a row per interval).

Headers vary by version: older tabular ones have a block of metadata above the header, newer ones repeat it in each
row; columns are found by the names that the versions use. Separators are tabs, commas or semicolons, with decimal
points or commas. Neither table knows behaviours without events, nor what was not looked at: the whole video counts as
looked at. Where an observation has several videos, their lengths must be in the table (newer versions) or the videos
given. Intervals are [start, stop) in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data_prep.annotations import Annotation
from data_prep.errors import InputError
from data_prep.formats import boris_observation as boris
from data_prep.formats.source import DELIMITERS, Known, number, number_or_none, read_rows, read_text, stem

NAMES = {
    "observation": ("observation id",),
    "media": ("media file name", "media file path", "media file"),
    "source": ("source",),
    "fps": ("fps (frame/s)", "fps"),
    "durations": ("media duration (s)",),
    "total": ("total length", "total duration"),
    "offset": ("time offset (s)",),
    "subject": ("subject",),
    "behaviour": ("behavior", "behaviour"),
    "kind": ("status", "behavior type", "behaviour type"),
    "time": ("time", "time (s)"),
    "start": ("start (s)", "start"),
    "stop": ("stop (s)", "stop"),
    "comment": ("comment",),
    "comment_start": ("comment start",),
    "comment_stop": ("comment stop",),
}
TABULAR, AGGREGATED = {"behaviour", "time", "kind"}, {"behaviour", "start", "stop", "kind"}
KINDS = {"START": "START", "STOP": "STOP", "POINT": "POINT", "STATE": "STATE"}
DEEPEST = 300  # rows above the header


class Table(NamedTuple):
    """above: rows before the header, by their first cell; rows: line and the known columns' cells."""

    above: dict[str, list[str]]
    rows: list[tuple[int, dict[str, str]]]


def sniff_tabular(head: str, path: Path) -> bool:
    return _header(head.splitlines(), TABULAR) is not None and _header(head.splitlines(), AGGREGATED) is None


def sniff_aggregated(head: str, path: Path) -> bool:
    return _header(head.splitlines(), AGGREGATED) is not None


def _columns(cells: Sequence[str]) -> dict[str, int]:
    lower = [cell.strip().strip('"').lower() for cell in cells]
    return {key: lower.index(name) for key, names in NAMES.items() for name in reversed(names) if name in lower}


def _header(lines: Sequence[str], needed: set[str]) -> str | None:
    """The delimiter with which one of the lines is a header that has all columns needed, or a row without one."""
    if needed == AGGREGATED and lines and _without_header(lines[0].split("\t")):
        return "\t"
    for line in lines[:DEEPEST]:
        for delimiter in DELIMITERS:
            columns = _columns(line.split(delimiter))
            if needed <= set(columns) and ("start" in needed or "start" not in columns):
                return delimiter
    return None


def _read_table(path: Path, needed: set[str], what: str) -> Table:
    delimiter = _header(read_text(path).splitlines(), needed)
    if delimiter is None:
        raise InputError(f"{path}: no header of a BORIS {what} table ({', '.join(sorted(needed))}); export it again")
    above: dict[str, list[str]] = {}
    rows = read_rows(path, delimiter)
    header: list[str] = []
    columns = _without_header(rows[0][1])
    while not columns:
        if not rows:
            raise InputError(f"{path}: the header of the {what} table is damaged; export it again")
        header = rows.pop(0)[1]
        columns = _columns(header) if needed <= set(_columns(header)) else {}
        above.setdefault(header[0].lower(), []).append(next((cell for cell in header[1:] if cell), ""))
    sets = [place for place, name in enumerate(header) if re.match(r"modif(ier)?s?\b", name.lower())]
    out = []
    for line, cells in rows:
        cells = [*cells, *[""] * (max([*columns.values(), *sets]) + 1 - len(cells))]
        row = {key: cells[place] for key, place in columns.items()}
        row["modifiers"] = boris.modifiers(part for place in sets for part in cells[place].split("|"))
        out.append((line, row))
    return Table(above, out)


def _without_header(cells: Sequence[str]) -> dict[str, int]:
    """The columns of a row of old aggregated tables that were exported without a header, or none if it is not one:
    observation, date, video, length, rate, variables, subject, behaviour, category, modifiers, type, start, stop."""
    kind = next((at for at, cell in enumerate(cells) if cell in ("STATE", "POINT")), 0)
    if not 9 <= kind <= len(cells) - 4 or None in map(number_or_none, (*cells[3:5], *cells[kind + 1 : kind + 3])):
        return {}
    left = {"observation": 0, "media": 2, "total": 3, "fps": 4}
    return {**left, "subject": kind - 4, "behaviour": kind - 3, "kind": kind, "start": kind + 1, "stop": kind + 2}


def read_tabular(path: Path, known: Known) -> list[Annotation]:
    table = _read_table(path, TABULAR, "tabular")
    out = []
    for name, rows in _observations(table, path, known):
        events = []
        for line, row in rows:
            place = f"{path}, line {line}, observation {name!r}"
            kind = KINDS.get(row["kind"].upper())
            if kind is None or not row["behaviour"]:
                raise InputError(f"{place}: neither START, STOP nor POINT of a behaviour; export it again")
            time = number(row["time"], place)
            comment = row.get("comment", "")
            events.append(
                boris.Event(time, row["behaviour"], kind, _subject(row), row["modifiers"], comment, place, _media(row))
            )
        shape = _shape(name, table, rows)
        intervals = boris.pair(events, known.unpaired, boris.length(shape))
        out += boris.to_annotations(shape, intervals, known, f"{path}, observation {name!r}")
    return out


def read_aggregated(path: Path, known: Known) -> list[Annotation]:
    table = _read_table(path, AGGREGATED, "aggregated")
    out = []
    for name, rows in _observations(table, path, known):
        intervals = []
        for line, row in rows:
            place = f"{path}, line {line}, observation {name!r}"
            start = number(row["start"], place)
            stop = start if row["kind"].upper() == "POINT" else number(row["stop"], place)
            texts = dict.fromkeys(row.get(key, "") for key in ("comment_start", "comment_stop"))
            comment = "; ".join(filter(None, texts))
            intervals.append(
                boris.Interval(
                    start, stop, row["behaviour"], _subject(row), row["modifiers"], comment, place, _media(row)
                )
            )
        shape = _shape(name, table, rows)
        out += boris.to_annotations(shape, intervals, known, f"{path}, observation {name!r}")
    return out


def _subject(row: dict[str, str]) -> str:
    subject = row.get("subject", "")
    return "" if subject.lower() == boris.NOBODY.lower() else subject


def _observations(table: Table, path: Path, known: Known) -> list[tuple[str, list[tuple[int, dict[str, str]]]]]:
    """The rows of each observation that is wanted; what was made from other videos is another one."""
    given = next(iter(table.above.get("observation id", [])), path.stem)
    found: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    for line, row in table.rows:
        found.setdefault((row.get("observation") or given, row.get("source", "")), []).append((line, row))
    return [
        (name, rows)
        for (name, _), rows in found.items()
        if known.wants(name, *(row.get("media", "") for _, row in rows))
    ]


def _shape(name: str, table: Table, rows: Sequence[tuple[int, dict[str, str]]]) -> boris.Observation:
    """The videos as the metadata name them, or else in the order in which they have events."""
    first = rows[0][1]
    source = _player_1(first.get("source", ""))
    stems = {stem(_media(row)) for _, row in rows if _media(row)}
    files = (
        source
        if source and {stem(file) for file in source} >= stems
        else [file for file in table.above.get("player #1", []) if file]
        or list(dict.fromkeys(_media(row) for row in sorted((row for _, row in rows), key=_when) if _media(row)))
    )
    rates = [number_or_none(text) for text in _player_1(first.get("fps", ""))]
    seconds = [number_or_none(text) for text in _player_1(first.get("durations", ""))]
    total = first.get("total", "")
    if not any(seconds) and len(files) == 1:
        seconds = [number_or_none(total)]
    rates = rates if len(rates) == len(files) else rates[:1] * len(files)
    seconds = seconds if len(seconds) == len(files) else [None] * len(files)
    media = tuple(boris.Media(*parts) for parts in zip(files, rates or [None] * len(files), seconds))
    offset = first.get("offset") or next(iter(table.above.get("time offset (s)", [])), "")
    return boris.Observation(
        name, media, (), number(offset, name) if offset not in ("", "NA") else 0.0, total=number_or_none(total)
    )


def _media(row: dict[str, str]) -> str:
    """The video in which a row's event lies, "" where it does not say."""
    return "" if row.get("media", "") in ("NA", "Not found") else row.get("media", "")


def _when(row: dict[str, str]) -> float:
    return number(row["start"] if "start" in row else row["time"], "")


def _player_1(text: str) -> list[str]:
    """`player #1:a.mp4;b.mp4|player #2:c.mp4` → a.mp4, b.mp4."""
    first = re.sub(r"^player #\d+:\s*", "", text.split("|")[0])
    return [part.strip() for part in first.split(";") if part.strip() not in ("", "NA")]
