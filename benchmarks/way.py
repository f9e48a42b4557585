"""How the measuring is to be done, and what has been found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

Found = Mapping[str, Any]  # by part, its results


class Way(NamedTuple):
    """repeats: rounds of everything that is measured in turn. video: a file, or None for a simulated minute. gpu: its
    number, or None for the CPU. quiet: no progress. scratch: a folder for what is made to be measured."""

    repeats: int
    video: Path | None
    gpu: int | None
    quiet: bool
    scratch: Path


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of Markdown; numbers stand to the right."""
    right = [all(_number(row[place]) for row in rows) for place in range(len(columns))]
    return [
        f"| {' | '.join(columns)} |",
        f"|{'|'.join('---:' if yes else '---' for yes in right)}|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def _number(cell: Any) -> bool:
    return not str(cell) or str(cell)[0] in "0123456789–−-"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`1.93 (1.88 to 2.01)`: the median, the least and the largest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
