"""The numbers that the thesis reports, from results/published/."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).resolve().parents[2] / "results" / "published" / "published_results.csv"


class Row(NamedTuple):
    """A number of the thesis: its table ("5.2.1", "5.3" or "text"), features joined by "+", whether conv1–5 are
    pretrained, the model, percent, which measure that is, and a note on contradictions."""

    table: str
    features: str
    pretrained: bool
    model: str
    percent: float
    measure: str
    note: str


def read_published() -> list[Row]:
    """The rows of the thesis's two tables, in its order, contradictions kept; not those of its text."""
    return [row for row in _rows() if row.table != "text"]


def published_current_system() -> float:
    """What the current system's accuracy (not balanced, over eight classes) was first published as, percent."""
    return next(row.percent for row in _rows() if row.model == "svmhmm")


def _rows() -> list[Row]:
    with open(FILE, newline="", encoding="utf-8") as file:
        return [
            Row(
                line["table"],
                line["features"],
                line["pretrained"] == "yes",
                line["model"],
                float(line["percent"]),
                line["measure"],
                line["note"],
            )
            for line in csv.DictReader(file)
        ]
