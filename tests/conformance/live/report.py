"""The table: sections of rows, whose measures know their limits, as Markdown."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np

from tools import provenance

FORWARD, BACKWARD = 1e-4, 1e-3  # max |a − b| / max |b| of layers' tops and gradients


class Measure(NamedTuple):
    """An error, the largest that is allowed (0: equal to the bit), and where it is worst."""

    value: float
    limit: float
    where: str = ""

    @property
    def bad(self) -> bool:
        return not self.value <= self.limit  # NaN is bad

    def __str__(self) -> str:
        text = "equal" if self.value == 0 else f"{self.value:.1e}"
        return f"**{text}, over {self.limit:.0e}**" if self.bad else text


Cell = Union[str, int, Measure]


class Section(NamedTuple):
    """A heading, what is to be known to read the rows, the columns' names, the rows; what failed altogether."""

    title: str
    text: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    faults: list[str]


def error(ours: np.ndarray, theirs: np.ndarray, least: float = 0.0) -> float:
    """max |a − b| / max(max |b|, least); where real Caffe gives only zeros, max |a|. Infinite for another shape."""
    if ours.shape != theirs.shape:
        return float("inf")
    if not theirs.size or np.array_equal(ours, theirs):
        return 0.0
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        off = np.abs(np.where(same, 0, ours - theirs)).max()
    return float(off / (np.abs(theirs[np.isfinite(theirs)]).max(initial=least) or 1.0))


def pairs(found: dict, faults: list[str], side: str = "engine", against: str = "real") -> dict:
    """{name: (arrays here, arrays of real Caffe)} of what both could do; the rest goes to `faults`."""
    both = {}
    for name, ours in found[side].items():
        theirs = found[against][name]
        for who, result in ((side, ours), (against, theirs)):
            if isinstance(result, str):
                faults.append(f"`{name}` in {who}: {result[:300]}")
        if isinstance(ours, str) or isinstance(theirs, str):
            continue
        if set(ours) != set(theirs):
            faults.append(f"`{name}`: arrays {sorted(set(ours) ^ set(theirs))} on one side only")
        both[name] = (ours, theirs)
    return both


def worst(both: dict, limit: float, wanted=lambda array: True, rounding: float = 0.0) -> Measure:
    """The worst error over the arrays whose names are wanted; of arrays of tiny numbers, `rounding` may be off."""
    found, least = Measure(0.0, limit), rounding / limit if limit else 0.0
    for name, (ours, theirs) in both.items():
        for array in set(ours) & set(theirs):
            if wanted(array) and not (value := error(ours[array], theirs[array], least)) <= found.value:
                found = Measure(value, limit, f"{name}, {array}")
    return found


def failures(section: Section) -> list[str]:
    """One line for each thing that is not as it must be."""
    lines = [f"{section.title}: {row[0]}: {cell}{' at ' + cell.where if cell.where else ''}"
             for row in section.rows for cell in row if isinstance(cell, Measure) and cell.bad]
    return lines + [f"{section.title}: {fault}" for fault in section.faults]


def markdown(section: Section) -> str:
    lines = [f"## {section.title}", "", section.text.strip(), ""]
    if section.rows:
        lines += ["| " + " | ".join(section.columns) + " |", "|" + "---|" * len(section.columns)]
        lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in section.rows]
        lines.append("")
    if section.faults:
        lines += ["**Not as it must be:**", "", *(f"- {fault}" for fault in section.faults), ""]
    return "\n".join(lines)


def machine() -> str:
    """The processor, its cores and the versions, in a line."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "numpy", "protobuf"))
    return f"{provenance.machine()}; Python {platform.python_version()}, {versions}"


def commit(repository: Path) -> str:
    """The commit that was measured, and whether files differ from it."""
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + (" with changes" if changed else "")


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
