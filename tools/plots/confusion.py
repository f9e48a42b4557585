"""A confusion matrix in the style of the thesis's figures 14 to 23."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep import metrics
from tools.plots import matrix, style


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
    made, axes = matrix.figure(len(classes))
    matrix.draw(made, axes, metrics.row_normalised(confusion) * 100, classes, "% of the row's frames")
    axes.set_xlabel(sides[1])
    axes.set_ylabel(sides[0])
    score = f"balanced accuracy {100 * metrics.balanced_accuracy(confusion):.1f} %"
    axes.set_title(f"{title}\n{score}" if title else score, fontsize=11)
    style.save(made, path)
