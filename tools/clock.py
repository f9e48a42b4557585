"""When recordings began, by the clock, as people write it: a time, times by name, or a table of them."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.errors import InputError

TIME = r"(?:\d{4}-\d\d-\d\d[T ])?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?"
# A name may hold commas and equals signs; what ends it is a time.
ITEM = re.compile(rf"(?:(?P<name>.+?)=)?(?P<time>{TIME})\s*(?:,\s*|$)")
HOW = "write 19:00 or 2024-05-01T19:00:30"
COLUMNS = ["recording", "start"]


def starts(given: Sequence[str], names: Mapping[str, str]) -> dict[str, str] | None:
    """The time at which each recording began, as it was given, by its name; None where none was given.

    `given`: `TIME` for the only recording, `NAME=TIME,…`, or a CSV file with the columns recording and start.
    `names` maps what recordings may be called to their names. Raises InputError for what is no time or no recording's,
    is given twice, or is missing.
    """
    if not given:
        return None
    recordings = list(dict.fromkeys(names.values()))
    found: dict[str, str] = {}
    for text in given:
        for name, time in _read(Path(text)) if Path(text).suffix.lower() == ".csv" else _items(text):
            if name is None and len(recordings) > 1:
                raise InputError(
                    f"--start {text}: which of {len(recordings)} recordings began then? Write NAME=TIME,… with each of "
                    f"{_some(recordings)}, or name a CSV file with the columns recording,start"
                )
            known = recordings[0] if name is None else names.get(name)
            if known is None:
                raise InputError(f"--start {text}: there is no recording {name!r}; there are {_some(recordings)}")
            if known in found:
                raise InputError(f"--start: when {known!r} began is given twice; give it once")
            seconds(time)
            found[known] = time
    missing = [name for name in recordings if name not in found]
    if missing:
        raise InputError(f"--start: when {_some(missing)} began is missing; give it for every recording or for none")
    return found


def seconds(time: str) -> float:
    """Seconds since midnight of a time, with or without a date. Raises InputError."""
    try:
        if not re.fullmatch(TIME, time):
            raise ValueError
        day, _, clock = time.replace(" ", "T").rpartition("T")
        if day:
            datetime.date.fromisoformat(day)
        hours, minutes, *rest = clock.split(":")
        parts = (int(hours), int(minutes), float(rest[0]) if rest else 0.0)
        if parts[0] > 23 or parts[1] > 59 or parts[2] >= 60:
            raise ValueError
    except ValueError:
        raise InputError(f"--start: {time!r} is not a time; {HOW}") from None
    return 3600.0 * parts[0] + 60 * parts[1] + parts[2]


def text(seconds_of_day: float) -> str:
    """`19:00:00`, and `24:00:00` for the end of a day; with a fraction where there is one."""
    whole = round(seconds_of_day, 6)
    rest = f"{whole % 60:09.6f}".rstrip("0").rstrip(".")
    return f"{int(whole // 3600):02d}:{int(whole // 60) % 60:02d}:{rest}"


def _items(given: str) -> list[tuple[str | None, str]]:
    out: list[tuple[str | None, str]] = []
    at = 0
    while at < len(given):
        item = ITEM.match(given, at)
        if item is None:
            raise InputError(f"--start: {given[at:]!r} is not a time or NAME=TIME; {HOW}, with NAME= before it")
        out.append((item["name"], item["time"]))
        at = item.end()
    if not out:
        raise InputError(f"--start: no time; {HOW}")
    return out


def _read(path: Path) -> list[tuple[str | None, str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    except OSError as error:
        raise InputError(f"--start: {path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--start: {path}: is not a CSV file ({error})") from None
    if not lines or lines[0] != COLUMNS or any(len(line) != 2 for line in lines[1:] if any(line)):
        raise InputError(f"--start: {path}: needs the header {','.join(COLUMNS)} and two columns in every line")
    return [(line[0], line[1]) for line in lines[1:] if any(line)]


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
