"""The status page: one HTML file without scripts, written whole, which asks to be read again every few seconds."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import time
from collections.abc import Iterable
from html import escape
from pathlib import Path

from data_prep.files import atomic_path
from data_prep.progress import duration
from data_prep.transfer.log import size
from data_prep.transfer.register import Entry, Register
from data_prep.transfer.rounds import Board
from data_prep.transfer.settings import Settings

WRITE_EVERY = 2.0  # seconds
MOST = 200  # rows of a table; a line says how many more there are
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70em; margin: 1.5em auto;
       padding: 0 1em; }
h1 { font-size: 1.4em; margin: 0 0 .2em; } h2 { font-size: 1.1em; margin: 1.6em 0 .3em; }
p { margin: .2em 0; } .small { color: #555; font-size: .9em; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3em .8em .3em 0;
       border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; color: #444; white-space: nowrap; } td.s { white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; padding-right: 1.2em; }
progress { width: 100%; height: 1.1em; } .bad { color: #a40000; font-weight: 600; }
"""

# How a column is set: n amounts, to the right; s short, in one line.
KINDS = {"Size": "n", "Frames": "n", "Frames/s": "n", "Videos there": "n", "Time": "s", "Tries": "s", "Name": "s"}
GOOD = ("reached", "not looked at yet")  # states of sources


class Page:
    """Writes the page, at most every two seconds unless told to do it now.

    The first time, a place where it cannot be written is an OSError; later, on a full disk, it just stays behind.
    """

    def __init__(self, path: Path | None, settings: Settings, register: Register) -> None:
        self._path = path
        self._settings = settings
        self._register = register
        self._written = 0.0

    def __call__(self, board: Board, now: bool = False) -> None:
        if self._path is None or not (now or time.monotonic() - self._written >= WRITE_EVERY):
            return
        first = self._written == 0
        self._written = time.monotonic()
        try:
            with atomic_path(self._path) as temporary:
                temporary.write_text(render(self._settings, self._register, board), encoding="utf-8")
        except OSError:
            if first:
                raise


def render(settings: Settings, register: Register, board: Board) -> str:
    """The page as HTML."""
    now = datetime.datetime.now().astimezone()
    free = shutil.disk_usage(settings.dataset)
    today = sorted((e for e in register.entries.values() if _is_today(e, now)), key=lambda e: e.when, reverse=True)
    title = f"Footage transfer to {settings.dataset.resolve().name}"
    low = ' class="bad"' if free.free < 0.05 * free.total else ""
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="small">Written {now:%Y-%m-%d %H:%M:%S} on {escape(platform.node())} (process {os.getpid()}). '
        "It renews itself; if that time stays behind by more than a few minutes, no transfer runs.</p>",
        f"<p>Now: {escape(board.idle)}. <span{low}>Disk: {size(free.free)} of {size(free.total)} free.</span></p>",
        _current(board),
        _section("Failed", ("File", "Why", "Tries"), _failures(board), "Nothing."),
        _section("Sources", ("Name", "Where", "State", "Videos there"), _sources(settings, board), "None."),
        _section(
            "Waiting",
            ("File", "Size", "Why"),
            ([url, size(file.size), file.reason] for url, file in board.waiting.items()),
            "Nothing.",
        ),
        _section(
            "Done today",
            ("Time", "File", "Became", "Size", "Frames", "Frames/s", "Notes"),
            (_done(entry) for entry in today),
            "Nothing yet.",
        ),
        f'<p class="small">{len(register.videos)} videos in all; every file is told of in transfer.jsonl.</p>',
    ]
    head = f'<meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>{escape(title)}</title>'
    head += f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _current(board: Board) -> str:
    if board.current is None:
        return ""
    url, what, done, of, speed = board.current
    if what in ("copying", "done"):
        text = f"{size(done)} of {size(of or 0)}, {size(speed)}/s"
    else:
        text = f"{done}{f' of {of}' if of else ''} frames, {speed:.0f} frames/s"
    left = (of - done) / speed if of and speed > 0 else None
    text += f", {duration(left)} left" if left is not None and done < (of or 0) else ""
    bar = f'<progress max="{of}" value="{done}">{100 * done // of} %</progress>' if of else ""
    return f"<h2>{escape(what.capitalize())}</h2><p>{escape(url)}</p>{bar}<p>{escape(text)}</p>"


def _failures(board: Board) -> Iterable[list[str]]:
    for url, failure in board.failures.items():
        wait = failure.next_try - time.monotonic()
        again = f"; next in {duration(wait)}" if wait > 0 else ""
        yield [url, failure.reason.replace(f"{url}: ", ""), f"{failure.times}{again}"]


def _sources(settings: Settings, board: Board) -> Iterable[list[str]]:
    for source in settings.sources:
        state = board.sources.get(source.name, GOOD[1])
        state = state.replace(f"{source.shown}: ", "")
        yield [source.name, source.shown, state, str(board.found.get(source.name, "–"))]


def _done(entry: Entry) -> list[str]:
    clock = _when(entry).astimezone().strftime("%H:%M")
    became = f"the same as {entry.video}" if entry.state == "duplicate" else entry.video
    rate = "" if entry.fps is None else f"{entry.fps:.2f}"
    return [clock, entry.url, became, size(entry.size), str(entry.frames or ""), rate, entry.note]


def _section(title: str, columns: tuple[str, ...], rows: Iterable[list[str]], none: str) -> str:
    """A heading and a table, or `none` where it has no row."""
    lines = list(rows)
    bad = ' class="bad"' if title == "Failed" and lines else ""
    count = f" ({len(lines)})" if lines and title != "Sources" else ""
    text = f"<h2{bad}>{escape(title)}{count}</h2>"
    if not lines:
        return text + f"<p>{escape(none)}</p>"
    head = "".join(f"<th{_kind(column)}>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{_kind(column, cell)}>{escape(cell)}</td>" for column, cell in zip(columns, line))
        + "</tr>"
        for line in lines[:MOST]
    )
    more = f"<p>… and {len(lines) - MOST} more.</p>" if len(lines) > MOST else ""
    return text + f"<table><tr>{head}</tr>{body}</table>{more}"


def _kind(column: str, cell: str = "") -> str:
    kind = "bad" if column == "State" and cell not in ("", *GOOD) else KINDS.get(column, "")
    return f' class="{kind}"' if kind else ""


def _when(entry: Entry) -> datetime.datetime:
    return datetime.datetime.strptime(entry.when, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def _is_today(entry: Entry, now: datetime.datetime) -> bool:
    return _when(entry).astimezone().date() == now.date()
