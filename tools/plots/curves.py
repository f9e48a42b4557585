"""Learning curves of several trainings in one picture, as the thesis's figures 7 to 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.plots import style


def plot_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | Path,
    *,
    title: str,
    ylabel: str,
    chance: float | None = None,
    note: str = "",
) -> None:
    """Draw curves, by their legend: iterations and shares (0 … 1), as a PNG in percent.

    `chance` is the share that guessing gives, a dotted line; `note` stands small below the title.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    made, axes = style.figure(7.2, 4.4)
    for index, (name, (iterations, shares)) in enumerate(curves.items()):
        colour = style.OKABE_ITO[index % len(style.OKABE_ITO)]
        percent = [100 * share for share in shares]
        axes.plot(iterations, percent, color=colour, label=name, linewidth=1.8, marker="o", markersize=3.5)
    if chance is not None:
        axes.axhline(100 * chance, color="#808080", linestyle=":", linewidth=1.2, label="chance")
    axes.set_title(title + (f"\n{note}" if note else ""), fontsize=11)
    axes.set_xlabel("iteration")
    axes.set_ylabel(ylabel)
    axes.set_ylim(0, 102)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1.01, 0.5))
    style.save(made, path)
