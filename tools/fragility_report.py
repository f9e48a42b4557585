"""What `tools.fragility` found, as README.md, fragility.csv and a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import atomic_path
from tools.plots import style

if TYPE_CHECKING:
    from tools.fragility import Measured, Shown

PICTURE, TABLE = "fragility.png", "fragility.csv"
WHEN = ("1 s before the change", "0.5 s after it", "at the end")
NAMES = {"current_system": "current system"}
TEXT = f"""\
# What a changed cage does: simulated videos

![Frames before and after each change, with the animal as it was found, and accuracies]({PICTURE})

The thesis calls the current system's background subtraction fragile: it fails where "elements of the cage are slightly
altered such as lighting or cage position" (section 3.2), and its networks without position features need none (section
6). Here the current system and two small networks are trained on **simulated** videos in which nothing changes; then
two videos that were held out are changed from their middle on, or show one still mouse from beginning to end. *At once*
are the first five seconds after the change, *later* the rest; for the still mouse, the same parts of the video.
"""
NOTES = """
*Centre off by*: median distance from where the animal is in the unchanged video, in frame widths, over the frames in
which it was found. Accuracies are balanced, over the classes that the part shows, so a part compares with the same part
of *unchanged*, not with another; of the still mouse it is the share of frames labelled rest, in two videos of one frame
each, so that 50 % is one of them. The networks' weights are of the iteration that was best on these two videos as they
were.

[tracking.md](tracking.md) tells how far off the tracker alone is, by the simulator's own knowledge, and what it does on
real videos.
"""


def write_report(
    folder: Path, measured: Sequence[Measured], shown: Mapping[str, Sequence[Shown]], systems: Sequence[str], seed: int
) -> None:
    """Write all of it into `folder`, README.md last."""
    from tools import provenance

    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / TABLE) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["condition", "part", "animal_found", "centre_off", *systems])
        for one in measured:
            numbers = [one.found, one.off, *(one.scores[system] for system in systems)]
            writer.writerow([one.condition, one.part, *("" if math.isnan(n) else f"{n:.4f}" for n in numbers)])
    _draw(folder / PICTURE, measured, shown, systems)
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(_page(measured, systems, seed, provenance.describe()), encoding="utf-8")


def _page(measured: Sequence[Measured], systems: Sequence[str], seed: int, origin: Mapping[str, Any]) -> str:
    heads = ["condition", "part", "animal found", "centre off by", *(NAMES.get(one, f"`{one}`") for one in systems)]
    rows = [
        [
            one.condition,
            one.part,
            f"{100 * one.found:.0f} %",
            "–" if math.isnan(one.off) else f"{100 * one.off:.1f} %",
            *(f"{100 * one.scores[system]:.1f} %" for system in systems),
        ]
        for one in measured
    ]
    lines = [" | ".join(cells).join(("| ", " |")) for cells in (heads, ["---"] * len(heads), *rows)]
    table = "\n".join(lines)
    about = f"On {origin['machine']}, commit {origin['commit']}, {origin['date']}."
    return f"{TEXT}\n{table}\n{NOTES}\n    python -m tools.fragility --seed {seed}\n\n{about}\n"


def _draw(
    path: Path, measured: Sequence[Measured], shown: Mapping[str, Sequence[Shown]], systems: Sequence[str]
) -> None:
    made, axes = style.grid(len(shown), len(WHEN) + 1, 13.5, 2.6 * len(shown) + 0.6)
    made.subplots_adjust(
        left=0.09, right=0.985, top=1 - 0.75 / (2.6 * len(shown)), bottom=0.05, wspace=0.06, hspace=0.34
    )
    colours = style.class_colours(len(systems))
    for cell, when in zip(axes[0], WHEN):
        cell.set_title(when, fontsize=10)
    for line, (condition, frames) in zip(axes, shown.items()):
        line[0].set_ylabel(condition, fontsize=10.5)
        for cell, one in zip(line, frames):
            _frame(cell, one)
        _bars(line[-1], [one for one in measured if one.condition == condition], systems, colours)
    axes[0][-1].set_title("balanced accuracy", fontsize=10)
    handles = axes[0][-1].get_legend_handles_labels()
    made.legend(*handles, loc="upper right", ncol=len(systems), frameon=False, fontsize=9, bbox_to_anchor=(0.985, 1.0))
    made.text(0.09, 0.992, "simulated data", fontsize=9.5, va="top")
    style.save(made, path)


def _frame(axes: Any, one: Shown) -> None:
    """A frame with the animal's box: solid where it was found, dashed and red where that is the last known one."""
    from matplotlib.patches import Rectangle

    height, width = one.picture.shape
    axes.imshow(one.picture, cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks([])
    x, y, w, h = (float(part) for part in one.row[:4])
    found = one.row[-1] > 0
    corner = ((x - w / 2) * width, (y - h / 2) * height)
    colour, line = ("#009E73", "-") if found else ("#D55E00", "--")
    size = (w * width, h * height)
    axes.add_patch(Rectangle(corner, *size, fill=False, linewidth=2, edgecolor=colour, linestyle=line))
    if not found:
        label = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        axes.text(0.97, 0.95, "not found", transform=axes.transAxes, ha="right", va="top", color="#D55E00", bbox=label)


def _bars(axes: Any, parts: Sequence[Measured], systems: Sequence[str], colours: Sequence[Any]) -> None:
    width = 0.8 / len(systems)
    for at, system in enumerate(systems):
        places = [index - 0.4 + (at + 0.5) * width for index in range(len(parts))]
        heights = [100 * one.scores[system] for one in parts]
        axes.bar(places, heights, width, color=colours[at], label=NAMES.get(system, system))
    axes.set_xticks(range(len(parts)))
    axes.set_xticklabels([f"{one.part}\nfound {100 * one.found:.0f} %" for one in parts], fontsize=8.5)
    axes.set_ylim(0, 100)
    axes.yaxis.tick_right()
    axes.tick_params(axis="y", labelsize=8)
    for side in ("top", "left"):
        axes.spines[side].set_visible(False)
