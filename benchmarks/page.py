"""The page of what was measured."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_prep.progress import duration

NOTES = Path(__file__).with_name("notes.md")
WIDTH = 120
BUSY = 0.1  # share of the cores from which the page says that others were at work


def page(measured: Mapping[str, Any], modules: Mapping[str, Any]) -> str:
    """The parts in their order, and the notes at the end. `measured`: a part's origin, its seconds, and its results."""
    found = {name: part["results"] for name, part in measured.items()}
    last = max(measured.values(), key=lambda part: part["date"])
    lines = [
        "# How fast it is",
        "",
        f"`make bench` on {last['machine']}; {duration(sum(part['seconds'] for part in measured.values()))} in all.",
        "",
    ]
    for name, module in modules.items():
        lines += [f"## {module.TITLE}", "", *module.lines(found[name], found), "", *_origin(measured[name]), ""]
    return "\n".join(wrapped(lines)) + "\n" + NOTES.read_text(encoding="utf-8")


def wrapped(lines: Iterable[str]) -> list[str]:
    """Lines that follow each other as paragraphs of even width; tables, headings and code stay as they are."""
    made: list[str] = []
    paragraph: list[str] = []
    for line in (*lines, ""):
        if line and not line.startswith(("|", "#", "    ")):
            paragraph.append(line)
            continue
        if paragraph:
            made += textwrap.wrap(" ".join(paragraph), WIDTH, break_long_words=False, break_on_hyphens=False)
            paragraph = []
        made.append(line)
    return made[:-1]


def _origin(part: Mapping[str, Any]) -> list[str]:
    busy = part["busy"] or 0.0
    disturbed = f", while {busy:.0%} of the cores were busy with something else" if busy > BUSY else ""
    return [
        f"    {part['command']}",
        "",
        f"Commit {part['commit']}, {part['date']}, on {part['machine']}, {duration(part['seconds'])}{disturbed}.",
    ]
