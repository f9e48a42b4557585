"""A confusion matrix in the style of the thesis's figures 14 to 23."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools import metrics
from tools.plots import style


def plot_confusion(
    confusion: np.ndarray,
    classes: Sequence[str],
    path: str | Path,
    title: str = "",
    sides: tuple[str, str] = ("true", "predicted"),
) -> None:
    """Draw counts (classes, classes), row = true class, as a PNG: rows in percent, classes in order.

    The balanced accuracy stands in the title; rows of classes without a frame are hatched. `sides` says what rows and
    columns are.
    """
    count = len(classes)
    share = metrics.row_normalised(confusion) * 100
    side = max(4.0, 0.55 * count + 2.0)
    made, axes = style.figure(side + 0.6, side)
    image = axes.imshow(np.ma.masked_invalid(share), cmap="Blues", vmin=0, vmax=100)
    bar = made.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("% of the row's frames")

    size = 9 if count <= 12 else 7
    for row, column in np.ndindex(count, count):
        value = float(share[row, column])
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
    _hatch_absent(axes, np.isnan(share[:, 0]))

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
    axes.set_xlabel(sides[1])
    axes.set_ylabel(sides[0])
    score = f"balanced accuracy {100 * metrics.balanced_accuracy(confusion):.1f} %"
    axes.set_title(f"{title}\n{score}" if title else score, fontsize=11)
    style.save(made, path)


def _percent(value: float) -> str:
    """Whole percent; a share that is there but rounds to nothing is not shown as nothing."""
    return "0" if value == 0 else "<1" if value < 1 else f"{value:.0f}"


def _hatch_absent(axes, missing: np.ndarray) -> None:
    for row in np.flatnonzero(missing):
        axes.axhspan(row - 0.5, row + 0.5, facecolor="#f2f2f2", edgecolor="#c0c0c0", hatch="///", linewidth=0)
