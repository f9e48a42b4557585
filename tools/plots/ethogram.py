"""Ethograms: which behaviour at which time, a lane per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools.bouts import find_bouts
from tools.plots import style


def plot_ethogram(
    tracks: dict[str, tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    path: str | Path,
    title: str = "",
) -> None:
    """Draw one or several labellings of a video as a PNG, one below the other on the same time axis.

    `tracks` maps a name ("predicted", "annotated") to times in seconds (frames,) and class indices (frames,),
    −1 being not annotated (grey). Each has a lane per class; the share of time is written behind the lane.
    """
    count = len(classes)
    lane = 0.26
    heights = [count * lane for _ in tracks]
    height = sum(heights) + 0.45 * len(tracks) + 0.9
    made, first = style.figure(10.0, height)
    colours = style.class_colours(count)
    end = max((_edges(times)[-1] for times, _ in tracks.values() if len(times)), default=1.0)
    scale, unit = style.time_unit(end)

    top = 1 - 0.4 / height
    axes = first
    for index, (name, (times, labels)) in enumerate(tracks.items()):
        axes = first if index == 0 else made.add_axes([0.1, 0.1, 0.8, 0.8], label=name)
        part = heights[index] / height
        axes.set_position([0.1, top - part, 0.82, part])
        top -= part + 0.45 / height
        _lanes(axes, times, labels, colours, classes, scale)
        axes.set_xlim(0, end / scale)
        axes.set_title(name, fontsize=9.5, loc="left", pad=3)
        axes.tick_params(labelbottom=index == len(tracks) - 1)
    axes.set_xlabel(f"time ({unit})")
    if title:
        made.suptitle(title, fontsize=11, x=0.51, y=1.0)
    style.save(made, path)


def _lanes(axes, times, labels, colours, classes, scale) -> None:
    count = len(classes)
    edges = _edges(times) / scale
    runs = find_bouts(labels)
    for label, start, stop in runs:
        if label < 0:
            axes.axvspan(edges[start], edges[stop], facecolor=style.NOT_ANNOTATED, linewidth=0, zorder=0)
    for index in range(count):
        spans = [(edges[start], edges[stop] - edges[start]) for label, start, stop in runs if label == index]
        axes.broken_barh(spans, (index + 0.1, 0.8), facecolors=[colours[index]], linewidth=0, zorder=2)
        axes.axhline(index, color="#d9d9d9", linewidth=0.6, zorder=1)
        shown = sum(width for _, width in spans) / (edges[-1] - edges[0]) if len(times) else 0
        axes.text(
            1.008,
            1 - (index + 0.5) / count,
            f"{100 * shown:.0f} %" if spans else "–",
            fontsize=8,
            va="center",
            transform=axes.transAxes,
            color="#404040",
        )
    axes.set_ylim(count, 0)
    axes.set_yticks(np.arange(count) + 0.5)
    axes.set_yticklabels(classes, fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _edges(times: np.ndarray) -> np.ndarray:
    """Start of every frame, and the end of the last one (as long as the usual frame)."""
    times = np.asarray(times, float)
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return np.append(times, times[-1] + usual) if len(times) else np.zeros(1)
