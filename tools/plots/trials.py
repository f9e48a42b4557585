"""The trials of a search: how the best one came about, and which values did well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.plots import style

NOT_PARAMETERS = ("trial", "state", "balanced_accuracy", "iterations")
COLUMNS = 3


def plot_trials(rows: Sequence[Mapping[str, Any]], path: str | Path, title: str = "") -> None:
    """Draw the balanced accuracy of each trial (rows of trials.csv) over its number and over each parameter.

    Trials that were stopped early are grey crosses, with the best accuracy that they had reached.
    """
    names = list(dict.fromkeys(name for row in rows for name in row if name not in NOT_PARAMETERS))
    lines = -(-(1 + len(names)) // COLUMNS)
    made, axes = style.grid(lines, COLUMNS, 4.0 * COLUMNS, 2.7 * lines)
    flat = [one for line in axes for one in line]
    for one, name in zip(flat, ["trial", *names]):
        _panel(one, [row for row in rows if row.get(name) is not None], name)
    best, highest = [], 0.0
    for row in rows:
        highest = max(highest, 100 * row["balanced_accuracy"]) if row["state"] == "complete" else highest
        best.append(highest)
    flat[0].step([row["trial"] for row in rows], best, where="post", color=style.OKABE_ITO[1], label="best so far")
    flat[0].legend(frameon=False, fontsize=8)
    for one in flat[1 + len(names) :]:
        one.set_visible(False)
    made.suptitle(title or "trials", fontsize=11)
    made.tight_layout()
    style.save(made, path)


def _panel(axes: Any, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    for state, colour, marker in (("complete", style.OKABE_ITO[0], "o"), ("pruned", "#9a9a9a", "x")):
        shown = [row for row in rows if row["state"] == state]
        values = [row[name] for row in shown]
        axes.scatter(values, [100 * row["balanced_accuracy"] for row in shown], s=22, color=colour, marker=marker)
    numbers = [row[name] for row in rows if isinstance(row[name], float)]
    if numbers and max(numbers) > 20 * min(numbers) > 0:
        axes.set_xscale("log")
    axes.set_ylim(0, 103)
    axes.set_xlabel(name)
    axes.set_ylabel("balanced accuracy, %", fontsize=8)
    axes.grid(alpha=0.3)
