"""What the readers of all formats need: what the caller knows of the videos, and files read into text, rows, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, NamedTuple

from data_prep.annotations import file_name
from data_prep.errors import InputError
from data_prep.timeline import MOST_FRAMES, Timeline, exact_rate, steady

UNPAIRED = ("error", "drop", "end")
DELIMITERS = ("\t", ",", ";")
LARGEST = 1 << 30  # bytes of an annotation file: more is something else
csv.field_size_limit(1 << 24)


class Known(NamedTuple):
    """What is known beside the file that is read.

    timelines: of videos, by stem. fps: of videos that have no timeline; it goes before what the file says. only: names
    of observations, videos or stems to read, all if empty. unpaired: what becomes of a state that never stops:
    `error`, `drop` leaves it out, `end` lets it last to the end of the video.
    """

    timelines: Mapping[str, Timeline] = MappingProxyType({})
    fps: float | None = None
    only: tuple[str, ...] = ()
    unpaired: str = "error"

    def timeline(
        self, video: str, name: str = "", fps: float | None = None, seconds: float | None = None
    ) -> Timeline | None:
        """The timeline of a video: the caller's; or a steady one of `fps` (the file's) over `seconds`; or None."""
        found = self.timelines.get(stem(video) or name)
        rate = self.fps or fps
        if found is not None or not rate or seconds is None:
            return found
        frames = seconds * exact_rate(rate)
        return steady(rate, max(round(frames), 1) if math.isfinite(frames) else MOST_FRAMES + 1)

    def wants(self, *names: str) -> bool:
        """Whether an observation or video of these names is to be read."""
        return not self.only or any(name in self.only or stem(name) in self.only for name in names if name)


def stem(video: str) -> str:
    """A video's file name without folders and ending."""
    return PurePath(file_name(video)).stem if video else ""


def read_text(path: Path) -> str:
    """A text file in UTF-8 or UTF-16 with a byte-order mark, UTF-8 without, or else Windows-1252 (Excel's)."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: over a gigabyte, which no annotation file is; name another file")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig"] if b"\0" in data else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{path}: not a text file; save it as UTF-8")


def read_json(path: Path) -> Any:
    """A JSON file. Raises InputError naming the line where it is damaged."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: damaged JSON ({error.msg}); export it again") from None
    except RecursionError:
        raise InputError(f"{path}: JSON within JSON without end; export it again") from None


def read_rows(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """(line, cells without spaces around them) of a table; empty rows are left out."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: damaged ({error}); export it again") from None
    return [(line, row) for line, row in rows if any(row)]


def number(text: str, place: str) -> float:
    """Seconds or a count: 3.3, 3,3 (decimal comma) or 00:00:03.3. Raises InputError for anything else."""
    parts = text.strip().replace(",", ".").split(":")
    try:
        value = 0.0
        for part in parts:
            value = 60 * value + float(part)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or len(parts) > 3:
        raise InputError(f"{place}: {text.strip()[:40]!r} is not a number; correct it")
    return value


def number_or_none(text: str) -> float | None:
    """A number, or None where there is none (empty, NA)."""
    match = re.fullmatch(r"\s*\d+(?:[.,]\d*)?\s*", text or "")
    return number(text, "") if match else None
