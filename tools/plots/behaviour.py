"""What an animal did, in pictures: time budget, bouts and transitions; plots/profile.py has the profile over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.progress import duration
from tools.behaviour import shares
from tools.plots import matrix, style

LANE = 0.34  # inches of height per class
GREY = "#404040"
MOST_DOTS = 300  # bouts of a class; of more, dots hide each other
BOX = (5, 25, 50, 75, 95)  # percentiles: a line from the first to the last, a box, the median


def plot_time_budget(
    seconds: np.ndarray, each: np.ndarray, classes: Sequence[str], path: str | Path, title: str = ""
) -> None:
    """Draw the share of the annotated time of every class, seconds (classes,), as a PNG.

    Where there are several recordings, seconds `each` (recordings, classes), a dot is one of them.
    """
    made, (axes,) = _lanes(classes, 1, 7.0)
    percent = 100 * np.nan_to_num(shares(seconds))
    axes.barh(np.arange(len(classes)), percent, 0.74, color=style.class_colours(len(classes)))
    if len(each) > 1:
        axes.scatter(
            100 * shares(each),
            np.arange(len(classes)) + np.linspace(-0.3, 0.3, len(each))[:, None],
            s=9,
            facecolor="white",
            edgecolor=GREY,
            linewidth=0.6,
            zorder=3,
        )
    for row, (share, length) in enumerate(zip(percent, seconds)):
        _beside(axes, row, f"{share:.1f} %   {_length(length)}" if length else "–")
    axes.set_xlim(left=0)
    axes.set_xlabel("% of the annotated time" + (", a dot per recording" if len(each) > 1 else ""))
    axes.set_title(title, fontsize=11)
    style.save(made, path)


def plot_bouts(
    per_hour: np.ndarray, lengths: Sequence[np.ndarray], classes: Sequence[str], path: str | Path, title: str = ""
) -> None:
    """Draw the bouts of every class as a PNG: their number per hour (classes,), and all their lengths in seconds."""
    from matplotlib.ticker import FuncFormatter

    made, (left, right) = _lanes(classes, 2, 10.0)
    colours = style.class_colours(len(classes))
    left.barh(np.arange(len(classes)), np.nan_to_num(per_hour), 0.74, color=colours)
    left.set_xlim(left=0)
    left.set_xlabel("bouts per annotated hour")
    for row, values in enumerate(lengths):
        _beside(right, row, f"{len(values)}" if len(values) else "–")
        if (values > 0).any():
            _box(right, row, values[values > 0], colours[row])
    shown = np.concatenate([values[values > 0] for values in lengths] or [np.ones(1)])
    ends = (shown.min(), shown.max()) if len(shown) else (1.0, 10.0)
    right.set_xscale("log")
    # Whole decades, so that there are always two labels to read.
    right.set_xlim(10 ** np.floor(np.log10(ends[0]) - 0.02), 10 ** np.ceil(np.log10(ends[1]) + 0.02))
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    right.grid(axis="x", alpha=0.3)
    right.set_xlabel("length of a bout, seconds")
    right.text(1.015, 1.0, " bouts", fontsize=8, color=GREY, va="bottom", transform=right.transAxes)
    made.suptitle(title, fontsize=11, y=1 - 0.15 / made.get_figheight())
    style.save(made, path)


def plot_transitions(counts: np.ndarray, classes: Sequence[str], path: str | Path, title: str = "") -> None:
    """Draw how often each class (row) was followed by each other, counts (classes, classes), as a PNG in percent."""
    percent = 100 * shares(counts)
    np.fill_diagonal(percent, np.nan)
    made, axes = matrix.figure(len(classes))
    matrix.draw(made, axes, percent, classes, "% of the row's transitions")
    for row in np.flatnonzero(counts.sum(axis=1)):
        axes.axvspan(row - 0.5, row + 0.5, 1 - (row + 1) / len(classes), 1 - row / len(classes), color="#ececec", lw=0)
    axes.set_yticklabels([f"{name} ({count})" for name, count in zip(classes, counts.sum(axis=1))])
    axes.set_ylabel("from (number of transitions)")
    axes.set_xlabel("to")
    axes.set_title(title, fontsize=11)
    style.save(made, path)


def _lanes(classes: Sequence[str], panels: int, width: float) -> tuple[Any, list[Any]]:
    """A figure with a lane per class, the first one on top, in each of `panels` beside each other."""
    count = len(classes)
    height = LANE * count + 1.2
    made, grid = style.grid(1, panels, width, height)
    for at, axes in enumerate(grid[0]):
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_yticks(range(count))
        axes.set_yticklabels(classes if at == 0 else [""] * count, fontsize=9)
        axes.tick_params(axis="y", length=0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    made.subplots_adjust(wspace=0.1, bottom=0.6 / height, top=1 - 0.5 / height)
    return made, list(grid[0])


def _length(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)


def _beside(axes: Any, row: int, text: str) -> None:
    axes.text(1.015, row, text, fontsize=8, va="center", color=GREY, transform=axes.get_yaxis_transform())


def _box(axes: Any, row: int, values: np.ndarray, colour: Any) -> None:
    low, lower, middle, upper, high = np.percentile(values, BOX)
    if len(values) <= MOST_DOTS:
        # Where a dot lies in its lane says nothing: one after another, so that few hide each other.
        height = row + 0.3 * np.sin(2.4 * np.arange(len(values)))
        axes.scatter(values, height, s=7, color=[colour], alpha=0.45, linewidth=0, zorder=2)
    axes.plot([low, high], [row, row], color=GREY, linewidth=0.9, zorder=3)
    axes.barh(row, upper - lower, 0.5, left=lower, color=[colour], alpha=0.75, edgecolor=GREY, linewidth=0.7, zorder=3)
    axes.plot([middle, middle], [row - 0.25, row + 0.25], color="black", linewidth=1.6, zorder=4)
