"""What the records of a reproduction say, in percent, beside the thesis's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.files import read_json
from tools.reproduce.catalogue import CURRENT, EXTRAS, Cell
from tools.reproduce.published import Row, published_current_system

TEXT = "text"  # what the thesis tells outside its tables
BEYOND = "beyond"  # the thesis's tables

Record = Mapping[str, Any]


class Result(NamedTuple):
    """A cell of a table ("5.2.1", "5.3" or BEYOND). Percent; measured, spread (over folds) and honest, the accuracy at
    iterations chosen on the other folds, are None where nothing was trained, published where the thesis has nothing."""

    table: str
    cell: Cell
    published: float | None
    measured: float | None
    spread: float | None
    honest: float | None
    honest_spread: float | None
    folds: int

    @property
    def difference(self) -> float | None:
        """Measured less published."""
        return None if self.measured is None or self.published is None else self.measured - self.published


def read_records(folder: Path) -> dict[str, Record]:
    """The records of a folder, `cells/` or `runs/` of a reproduction, by name."""
    return {file.stem: read_json(file) for file in sorted(folder.glob("*.json"))}


def results(published: Iterable[Row], cells: Mapping[str, Record]) -> list[Result]:
    """A result for each published number, in the thesis's order, and for each trained cell beyond its tables."""
    rows = [(row.table, Cell(row.features, row.pretrained, row.model), row.percent) for row in published]
    extras = [(BEYOND, cell, None) for cell in EXTRAS if cell.name in cells]
    current = [(TEXT, CURRENT, published_current_system())] if CURRENT.name in cells else []
    every = [*rows, *current, *extras]
    return [_result(table, cell, percent, cells.get(cell.name)) for table, cell, percent in every]


def _result(table: str, cell: Cell, published: float | None, record: Record | None) -> Result:
    if record is None:
        return Result(table, cell, published, None, None, None, None, 0)
    names = ("balanced_accuracy", "spread", "honest_balanced_accuracy", "honest_spread")
    measured, spread, honest, honest_spread = (100 * record[name] for name in names)
    return Result(table, cell, published, measured, spread, honest, honest_spread, len(record["folds"]))
