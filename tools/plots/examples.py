"""Representative frames of each class, and how frequent the classes are: the thesis's section 4.3 and figure 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.plots import style

COLUMNS = 5


def longest_bout(labels: np.ndarray, label: int) -> tuple[int, int] | None:
    """Start and stop (half-open) of the longest run of `label` in a video; None where it never occurs."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], labels == label, [False]]).astype(int)))
    if not len(edges):
        return None
    starts, stops = edges[::2], edges[1::2]
    at = int(np.argmax(stops - starts))
    return int(starts[at]), int(stops[at])


def representative_frames(labels: Mapping[str, np.ndarray], classes: int) -> list[tuple[str, int] | None]:
    """For each class the video and frame in the middle of its longest bout of all; None where it never occurs."""
    chosen: list[tuple[str, int] | None] = []
    for label in range(classes):
        bouts = [(stem, bout) for stem, own in labels.items() if (bout := longest_bout(own, label))]
        if not bouts:
            chosen.append(None)
            continue
        stem, (start, stop) = max(bouts, key=lambda found: found[1][1] - found[1][0])
        chosen.append((stem, (start + stop) // 2))
    return chosen


def plot_examples(
    pictures: Sequence[np.ndarray | None],
    counts: Sequence[int],
    classes: Sequence[str],
    path: str | Path,
    title: str = "",
    note: str = "",
) -> None:
    """Draw a frame per class (grey, any size; None where it never occurs) and below them the frames per class."""
    lines = -(-len(classes) // COLUMNS)
    made = style.canvas(11, 1.85 * lines + 2.6)
    grid = made.add_gridspec(lines + 1, COLUMNS, height_ratios=[2.0] * lines + [2.2], hspace=0.22, wspace=0.05)
    for index, (picture, name) in enumerate(zip(pictures, classes)):
        axes = made.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        axes.set_title(name, fontsize=10)
        axes.axis("off")
        if picture is None:
            axes.text(0.5, 0.5, "no frame", ha="center", va="center", color="#606060")
        else:
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    _shares(made.add_subplot(grid[lines, :]), counts, classes)
    made.suptitle(title + (f"\n{note}" if note else ""), fontsize=11, y=0.99)
    style.save(made, path)


def _shares(axes: Any, counts: Sequence[int], classes: Sequence[str]) -> None:
    total = max(sum(counts), 1)
    percent = [100 * count / total for count in counts]
    places = range(len(classes))
    axes.bar(places, percent, color=style.class_colours(len(classes)))
    for place, share, count in zip(places, percent, counts):
        axes.text(place, share, f"{share:.1f} %\n{count}", ha="center", va="bottom", fontsize=8)
    axes.set_xticks(list(places))
    axes.set_xticklabels(classes)
    axes.set_ylabel("% of the annotated frames")
    axes.set_ylim(0, max(percent) * 1.3 + 1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
