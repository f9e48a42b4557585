"""Classes against classes, in percent of each row: confusion matrices, and what follows what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.plots import style


def figure(classes: int) -> tuple[Any, Any]:
    """A figure in which a matrix of that many classes can be read, and its axes."""
    side = max(4.0, 0.55 * classes + 2.0)
    return style.figure(side + 0.6, side)


def draw(made: Any, axes: Any, percent: np.ndarray, classes: Sequence[str], unit: str) -> None:
    """Draw percent (classes, classes), 0 … 100 or NaN, with its numbers, and a bar of colours that `unit` stands at.

    Cells of NaN stay empty, and rows of them are hatched.
    """
    count = len(classes)
    image = axes.imshow(np.ma.masked_invalid(percent), cmap="Blues", vmin=0, vmax=100)
    bar = made.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label(unit)

    size = 9 if count <= 12 else 7
    for row, column in np.ndindex(count, count):
        value = float(percent[row, column])
        if not np.isnan(value):
            weight = "bold" if row == column else "normal"
            axes.text(
                column,
                row,
                _percent(value),
                ha="center",
                va="center",
                fontsize=size,
                fontweight=weight,
                color="white" if value > 55 else "#1a1a1a",
            )
    for row in np.flatnonzero(np.isnan(percent).all(axis=1)):
        axes.axhspan(row - 0.5, row + 0.5, facecolor="#f2f2f2", edgecolor="#c0c0c0", hatch="///", linewidth=0)

    axes.set_xticks(range(count))
    axes.set_yticks(range(count))
    axes.set_xticklabels(classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticklabels(classes)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _percent(value: float) -> str:
    """Whole percent; a share that is there but rounds to nothing is not shown as nothing."""
    return "0" if value == 0 else "<1" if value < 1 else f"{value:.0f}"
