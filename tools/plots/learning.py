"""Learning curves of one or several models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.plots import style


def plot_learning(curves: Mapping[str, Mapping[str, Any]], path: str | Path, title: str = "") -> None:
    """Draw learning curves as a PNG: loss above, balanced accuracy on the held-out videos below.

    `curves` maps a model's name to the columns of its learning_curve.csv. With one model its training and
    validation loss are told apart by colour; with several, each has its colour and training is dashed.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    made, upper = style.figure(7.5, 6.0)
    upper.set_position([0.1, 0.56, 0.86, 0.36])
    lower = made.add_axes([0.1, 0.1, 0.86, 0.36], sharex=upper)
    alone = len(curves) == 1
    colours = style.class_colours(max(2, len(curves)))
    for index, (name, curve) in enumerate(curves.items()):
        own = colours[index]
        iterations = np.asarray(curve["iteration"], float)
        balanced = 100 * np.asarray(curve["balanced_accuracy"], float)
        marker = "o" if len(iterations) <= 30 else None
        common = {"marker": marker, "markersize": 3.5, "linewidth": 1.6}
        upper.plot(
            iterations,
            curve["train_loss"],
            color=colours[1] if alone else own,
            linestyle="-" if alone else "--",
            label="training" if alone else None,
            **common,
        )
        upper.plot(
            iterations,
            curve["validation_loss"],
            color=own,
            label="held-out videos" if alone else name,
            **common,
        )
        best = int(np.nanargmax(balanced)) if not np.isnan(balanced).all() else None
        score = "" if best is None else f", best {balanced[best]:.1f} %"
        lower.plot(iterations, balanced, color=own, label=("balanced accuracy" if alone else name) + score, **common)
        if alone:
            lower.plot(
                iterations,
                100 * np.asarray(curve["accuracy"], float),
                color=colours[1],
                linestyle=":",
                label="accuracy",
                linewidth=1.4,
            )
        if best is not None:
            lower.plot(
                iterations[best],
                balanced[best],
                marker="*",
                markersize=13,
                color=own,
                markeredgecolor="white",
                zorder=5,
            )
    upper.set_ylabel("loss")
    upper.set_ylim(bottom=0)
    upper.tick_params(labelbottom=False)
    upper.set_title(title or ("learning curve" if alone else "learning curves (training loss dashed)"), fontsize=11)
    lower.set_ylabel("on the held-out videos")
    lower.set_xlabel("iteration")
    lower.set_ylim(0, 105)
    lower.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.spines["top"].set_visible(False)
        axes.spines["right"].set_visible(False)
        axes.legend(frameon=False, fontsize=8.5, loc="best")
    style.save(made, path)
