"""Cost against size: images in a batch, minutes of video, processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import figure, models, processes, sides, spreading, steps, videos
from benchmarks.way import Found, Way, table
from data_prep.files import atomic_path
from data_prep.progress import Progress

TITLE = "Cost against size"
NETWORK = "shape/cnn"
BATCHES = {sides.OURS: (1, 2, 4, 8, 16, 32, 64, 128), sides.REAL: (1, 32)}
ROUNDS = 2  # at most, of each batch
WIDTH, HEIGHT = 320, 240
MINUTES = {"mini/shape_motion/cnn": (1, 5, 20, 60), models.CURRENT: (1, 5, 20)}
PICTURE = "bench_sizes.png"


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"batches": …, "minutes": …, "processes": …}; series are {"label", "n", "values", "memory"}."""
    return {"batches": batches(way), "minutes": minutes(way), "processes": spreading.measure(way)}


def batches(way: Way) -> list[dict[str, Any]]:
    """Seconds of a forward pass and of a step, for batches of n images."""
    names = steps.engines(way)
    turns = sum(len(steps.KINDS) * len(BATCHES[name]) for name in names)
    made = []
    with sides.box() as place, Progress(turns, "batches", "sizes", way.quiet) as progress:
        for kind, (_, _, title) in steps.KINDS.items():
            for name in names:
                values, memory = [], []
                for batch in BATCHES[name]:
                    row = steps.compared(place, NETWORK, kind, batch, (name,), min(way.repeats, ROUNDS), way.gpu)
                    values.append(median(row["seconds"][name]))
                    memory.append(row["memory"][name])
                    progress.update()
                label = title if name == sides.OURS else f"{title}, real Caffe"
                made.append({"label": label, "n": list(BATCHES[name]), "values": values, "memory": memory})
    return made


def minutes(way: Way) -> list[dict[str, Any]]:
    """Seconds of `ethocaffe predict` on videos of n minutes, once each."""
    minute = videos.simulated(way.scratch / "data", way.quiet) / "videos" / "cage_01.mp4"
    small = videos.smaller(minute, way.scratch / "small.mp4", WIDTH, HEIGHT)
    made = []
    with Progress(sum(map(sum, MINUTES.values())), "minutes of video", "sizes", way.quiet) as progress:
        for system, lengths in MINUTES.items():
            model = models.make(system, way.scratch / "models")
            costs = []
            for length in lengths:
                file = videos.repeated(small, length, way.scratch / f"small_{length}.mp4")
                output = way.scratch / "long" / system / str(length)
                given = processes.predicting(model, [file], spreading.emptied(output), way.gpu)
                costs.append(processes.measured(processes.PREDICT, *given))
                progress.update(length)
            values, memory = [cost.seconds for cost in costs], [cost.memory for cost in costs]
            made.append({"label": system, "n": list(lengths), "values": values, "memory": memory})
    return made


def fitted(series: Mapping[str, Any]) -> dict[str, float]:
    """The line a + b·n with the least relative squares, a at least 0, and its largest relative deviation: every size
    counts the same, whatever its cost."""
    n, values = np.array(series["n"], float), np.array(series["values"], float)
    (a, b), *_ = np.linalg.lstsq(np.stack([1 / values, n / values], axis=1), np.ones(len(n)), rcond=None)
    if a < 0:
        a, b = 0.0, float((n / values).sum() / ((n / values) ** 2).sum())
    return {"a": float(a), "b": float(b), "off": float(np.abs((a + b * n) / values - 1).max())}


def lines(results: dict[str, Any], found: Found) -> list[str]:
    return [
        f"**Batches** of `{NETWORK}`, ms an image:",
        "",
        *_batches(results["batches"]),
        "",
        f"**Videos** of {WIDTH}×{HEIGHT} pixels, a simulated minute on end, through `ethocaffe predict`, once each:",
        "",
        *_minutes(results["minutes"]),
        "",
        f"![Seconds by images in a batch and by minutes of video, on logarithmic axes]({PICTURE})",
        "",
        "**Lines** t = a + b·n, by which every point counts by its share; a is what a run costs before its first image",
        "or minute:",
        "",
        *_lines(results["batches"], 1000, "ms", "image"),
        "",
        *_lines(results["minutes"], 1, "s", "minute"),
        "",
        *spreading.lines(results["processes"]),
    ]


def _batches(series: Sequence[Mapping[str, Any]]) -> list[str]:
    sizes = sorted({n for one in series for n in one["n"]})
    rows = []
    for one in series:
        at = dict(zip(one["n"], zip(one["values"], one["memory"])))
        rows.append([one["label"], *(f"{1000 * at[n][0] / n:.1f}" if n in at else "" for n in sizes)])
        rows.append(["its memory, MB", *(f"{at[n][1]:.0f}" if n in at else "" for n in sizes)])
    return table(["images in a batch", *map(str, sizes)], rows)


def _minutes(series: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (one["label"], n, f"{seconds:.1f}", f"{seconds / n:.2f}", f"{memory:.0f}")
        for one in series
        for n, seconds, memory in zip(one["n"], one["values"], one["memory"])
    ]
    return table(("system", "minutes", "seconds", "seconds a minute", "memory, MB"), rows)


def _lines(series: Sequence[Mapping[str, Any]], scale: float, unit: str, of: str) -> list[str]:
    rows = []
    for one in series:
        if len(one["n"]) < 3:  # two points are always on a line
            continue
        line = fitted(one)
        rows.append((one["label"], f"{scale * line['a']:.2f}", f"{scale * line['b']:.2f}", f"{line['off']:.0%}"))
    return table(("", f"a, {unit}", f"b, {unit} per {of}", "largest deviation"), rows)


def picture(results: dict[str, Any], folder: Path) -> None:
    """Draw PICTURE into a folder."""
    both = ((results["batches"], "images in a batch", 1.0), (results["minutes"], "minutes of video", 1.0))
    panels = [
        (title, across, "seconds", [{**one, **fitted(one)} for one in series if len(one["n"]) > 1])
        for title, (series, across, _) in zip((f"{NETWORK}: a batch", "predict: a video"), both)
    ]
    with atomic_path(folder / PICTURE) as temporary:
        figure.draw(panels, temporary)
