"""The tables of a reproduction as CSV, Markdown and HTML."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.files import atomic_path
from tools.reproduce.results import BEYOND, TEXT, Result

COLUMNS = (
    "table",
    "features",
    "pretrained",
    "model",
    "published_percent",
    "measured_percent",
    "spread_percent",
    "folds",
)
FOLD_COLUMNS = ("features", "pretrained", "model", "fold", "iteration", "percent", "honest_iteration", "honest_percent")
MODELS = {
    "cnn": "CNN",
    "lstm_before": "LSTM (before)",
    "lstm_after": "LSTM (after)",
    "rnn_after": "RNN (after)",
    "gru_after": "GRU (after)",
    "current_system": "current system",
}
TITLES = {
    "5.2.1": "Table 5.2.1: pretraining",
    "5.3": "Table 5.3: all models",
    TEXT: "The current system (published: accuracy over eight classes, not balanced)",
    BEYOND: "Beyond the thesis's tables",
}
NONE = "–"
COLUMNS_521 = ("random initialization", "pretraining")


def write_csv(found: Iterable[Result], path: Path) -> None:
    """tables.csv: a row per cell, percent; empty where there is no number."""
    rows = [
        (
            one.table,
            one.cell.features,
            "yes" if one.cell.pretrained else "no",
            one.cell.model,
            _number(one.published, 1),
            _number(one.measured, 2),
            _number(one.spread, 2),
            one.folds,
        )
        for one in found
    ]
    _write_rows(path, COLUMNS, rows)


def write_folds(found: Iterable[Result], records: Mapping[str, Any], path: Path) -> None:
    """folds.csv: a row per trained cell and fold, percent, with the iteration chosen on it and on the other folds."""
    cells = dict.fromkeys(one.cell for one in found if one.measured is not None)
    rows = [
        (
            cell.features,
            "yes" if cell.pretrained else "no",
            cell.model,
            fold["fold"],
            fold["iteration"],
            _number(100 * fold["balanced_accuracy"], 2),
            fold["honest_iteration"],
            _number(100 * fold["honest_balanced_accuracy"], 2),
        )
        for cell in cells
        for fold in records[cell.name]["folds"]
    ]
    _write_rows(path, FOLD_COLUMNS, rows)


def markdown(found: Sequence[Result]) -> str:
    """The tables, a row per cell."""
    lines: list[str] = []
    for table, title in TITLES.items():
        rows = [one for one in found if one.table == table]
        if not rows:
            continue
        lines += [
            f"## {title}",
            "",
            "| features | model | published | measured | difference | iteration chosen on the other folds | folds |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {features(one)} | {MODELS.get(one.cell.model, one.cell.model)} | {percent(one.published)} "
            f"| {with_spread(one.measured, one.spread)} | {signed(one.difference)} "
            f"| {with_spread(one.honest, one.honest_spread)} | {one.folds or NONE} |"
            for one in rows
        ]
        lines.append("")
    return "\n".join(lines)


def html_tables(found: Sequence[Result]) -> str:
    """The tables in the thesis's own layout; each cell published, measured and their difference."""
    parts = []
    for table, title in TITLES.items():
        rows = [one for one in found if one.table == table]
        if rows:
            parts += [f"<h2>{html.escape(title)}</h2>", _grid(rows, by_pretraining=table == "5.2.1")]
    return "\n".join(parts)


def _grid(rows: Sequence[Result], by_pretraining: bool) -> str:
    def column(one: Result) -> str:
        return COLUMNS_521[one.cell.pretrained] if by_pretraining else MODELS.get(one.cell.model, one.cell.model)

    def line(one: Result) -> str:
        return one.cell.features.replace("+", ", ") if by_pretraining else features(one)

    names = [*COLUMNS_521] if by_pretraining else [name for name in MODELS.values() if name in set(map(column, rows))]
    places = {(line(one), column(one)): one for one in rows}
    head = "".join(f'<th scope="colgroup" colspan="3">{html.escape(name)}</th>' for name in names)
    kinds = "".join(f'<th scope="col">{kind}</th>' for _ in names for kind in ("published", "measured", "difference"))
    body = []
    for name in dict.fromkeys(map(line, rows)):
        entries = "".join(_entries(places.get((name, column_name))) for column_name in names)
        body.append(f'<tr><th scope="row">{html.escape(name)}</th>{entries}</tr>')
    return (
        '<div class="wide"><table>\n<thead><tr><th rowspan="2" scope="col">features</th>'
        f"{head}</tr>\n<tr>{kinds}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody></table></div>"
    )


def _entries(one: Result | None) -> str:
    if one is None:
        return f'<td class="first none" colspan="3">{NONE}</td>'
    honest = "" if one.honest is None else f"<small>honest {with_spread(one.honest, one.honest_spread)}</small>"
    return (
        f'<td class="first">{percent(one.published)}</td>'
        f'<td class="measured">{with_spread(one.measured, one.spread)}{honest}</td><td>{signed(one.difference)}</td>'
    )


def features(one: Result) -> str:
    """A row's name as in table 5.3: "shape, motion & pretrain"."""
    names = [*one.cell.features.split("+"), *(["pretrain"] if one.cell.pretrained else [])]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " & " + names[-1]


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def signed(value: float | None) -> str:
    return NONE if value is None else f"{value:+.1f}".replace("-", "−")


def with_spread(value: float | None, spread: float | None) -> str:
    return percent(value) + (f" ± {spread:.1f}" if spread is not None else "")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
