"""The figure of cost against size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Colours that are told apart without seeing red and green (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw(panels: Sequence[tuple[str, str, str, Sequence[dict[str, Any]]]], path: Path) -> None:
    """A panel for each (title, label of x, label of y, series), a series being {"label", "n", "values", "a", "b"}: its
    points, and the line a + b·n through them. Both axes are logarithmic, on which a cost without a fixed part is a
    straight line, and one with it bends to the level on the left."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 4), squeeze=False)
    for axis, (title, across, up, series) in zip(axes[0], panels):
        for colour, one in zip(COLOURS, series):
            reach = np.geomspace(min(one["n"]), max(one["n"]), 100)
            axis.loglog(reach, one["a"] + one["b"] * reach, color=colour, linewidth=1)
            axis.loglog(one["n"], one["values"], "o", color=colour, markersize=5, label=one["label"])
        ticks = sorted({n for one in series for n in one["n"]})
        axis.set_xticks(ticks, [f"{n:g}" for n in ticks])
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.yaxis.set_major_locator(ticker.LogLocator(10, (1, 2, 5)))
        axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.yaxis.set_minor_formatter(ticker.NullFormatter())
        axis.set_title(title, fontsize=11)
        axis.set_xlabel(across)
        axis.set_ylabel(up)
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
