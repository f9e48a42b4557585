"""What an animal did over the hours of a day, or since its recording began."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.behaviour import DAY, Bins, shares
from tools.plots import style

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
MOST_TICKS = 9


def plot_profile(seconds: np.ndarray, bins: Bins, classes: Sequence[str], path: str | Path, title: str = "") -> None:
    """Draw the shares of all classes in every bin, stacked, as a PNG; below them, how much was recorded.

    `seconds` are those of `behaviour.profile`, (bins, classes + 1). What was not recorded stays empty. A clock's day is
    drawn as it is where it was recorded whole, else from the end of the longest time without a recording.
    """
    seconds, edges = _from_longest_gap(seconds, bins.edges) if bins.clock else (seconds, bins.edges)
    met = np.flatnonzero(seconds.sum(axis=1) > 0)
    first, last = (met[0], met[-1] + 1) if len(met) else (0, len(seconds))
    seconds, edges = seconds[first:last], edges[first : last + 1]
    made = style.canvas(9.0, 4.2)
    grid = made.add_gridspec(2, 1, height_ratios=[5, 1], hspace=0.12)
    upper = made.add_subplot(grid[0])
    lower = made.add_subplot(grid[1], sharex=upper)
    _stack(upper, 100 * shares(seconds[:, :-1]), edges, style.class_colours(len(classes)), classes)
    upper.set_ylim(0, 100)
    upper.set_ylabel("% of the annotated time")
    upper.tick_params(labelbottom=False)
    upper.set_title(title, fontsize=11)
    handles, names = upper.get_legend_handles_labels()
    place = {"frameon": False, "fontsize": 8.5, "loc": "upper left"}
    # In the order in which they lie on each other.
    upper.legend(handles[::-1], names[::-1], bbox_to_anchor=(1.0, 1.02), ncol=1 + (len(names) - 1) // 14, **place)
    scale, unit = style.time_unit(float(seconds.sum(axis=1).max()))
    both = np.stack([seconds[:, :-1].sum(axis=1), seconds[:, -1]], axis=1) / scale
    _stack(lower, both, edges, ["#8A8A8A", style.NOT_ANNOTATED], ["annotated", "not annotated"])
    if seconds[:, -1].any():
        lower.legend(bbox_to_anchor=(1.0, 1.1), **place)
    lower.set_ylim(bottom=0)
    lower.set_ylabel(f"recorded,\n{unit}", fontsize=8.5)
    _time_axis(lower, edges, bins.clock)
    made.align_ylabels()
    for axes in (upper, lower):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    style.save(made, path)


def _from_longest_gap(seconds: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A day's bins and edges from the first bin after the longest run of bins without a recording, around the clock."""
    count = len(seconds)
    met = np.flatnonzero(seconds.sum(axis=1) > 0)
    if not len(met) or len(met) == count:
        return seconds, edges
    gaps = np.diff(met, append=met[0] + count)
    start = met[(int(np.argmax(gaps)) + 1) % len(met)]
    return np.roll(seconds, -start, axis=0), np.concatenate([edges[start:-1], edges[: start + 1] + DAY])


def _stack(axes: Any, heights: np.ndarray, edges: np.ndarray, colours: Sequence[Any], names: Sequence[str]) -> None:
    """Heights (bins, layers) on each other; a bin of NaN stays empty."""
    tops = np.cumsum(np.column_stack([np.zeros(len(heights)), heights]), axis=1)
    sides = np.repeat(edges, 2)[1:-1]
    for layer, (colour, name) in enumerate(zip(colours, names)):
        low, high = np.repeat(tops[:, layer], 2), np.repeat(tops[:, layer + 1], 2)
        axes.fill_between(sides, low, high, where=~np.isnan(high), color=[colour], linewidth=0, label=name)


def _time_axis(axes: Any, edges: np.ndarray, clock: bool) -> None:
    span = edges[-1] - edges[0]
    step = next((one for one in TICKS if span / one <= MOST_TICKS), DAY * np.ceil(span / DAY / MOST_TICKS))
    ticks = step * np.arange(max(0, np.ceil(edges[0] / step - 1e-9)), edges[-1] / step + 1e-6)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xticks(ticks)
    if clock:
        axes.set_xticklabels([_clock(tick, step, edges[0]) for tick in ticks])
        axes.set_xlabel("time of day")
    else:
        scale, unit = style.time_unit(float(edges[-1]))
        axes.set_xticklabels([f"{tick / scale:g}" for tick in ticks])
        axes.set_xlabel(f"{unit} since the recording began")


def _clock(seconds: float, step: float, begin: float) -> str:
    """A time of day: midnight is 24:00 only where the axis began with the same day."""
    whole = round(seconds) if begin == 0 else round(seconds) % 86400
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    return text if step % 60 == 0 else f"{text}:{whole % 60:02d}"
