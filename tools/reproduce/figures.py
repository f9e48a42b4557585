"""The figures of a reproduction, from its records, its dataset and the networks' prototxt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import dataset as datasets
from data_prep import video
from data_prep.images import crop_grey
from tools import model, network
from tools.plots.confusion import plot_confusion
from tools.plots.curves import plot_curves
from tools.plots.ethogram import plot_ethogram
from tools.plots.examples import plot_examples, representative_frames
from tools.plots.network import plot_network
from tools.reproduce.catalogue import CURRENT, CURVES, DRAWINGS, ETHOGRAM, EXAMPLES, MATRICES, NAMES
from tools.reproduce.findings import curve_of
from tools.reproduce.trainings import Setting

YLABELS = {"balanced_accuracy": "balanced accuracy, held-out video", "train_accuracy": "accuracy in training"}
NOTE = "simulated data"
WIDE = (EXAMPLES, *DRAWINGS, ETHOGRAM)  # too wide for half a page


class Figure(NamedTuple):
    """A figure that was drawn: its name, its file, and the caption."""

    name: str
    file: Path
    caption: str


def draw(setting: Setting, cells: Mapping[str, Any], runs: Mapping[str, Any]) -> list[Figure]:
    """Draw every figure whose records are there into `figures/`; returns them in the thesis's order."""
    note = NOTE if setting.dataset.simulated else ""
    folder = setting.folder / "figures"
    found = {EXAMPLES: _examples(setting, folder, note)}
    found.update({name: _drawing(setting, name, folder) for name in DRAWINGS})
    for name, curves in CURVES.items():
        if all(variant.name in runs for variant in curves.variants):
            found[name] = _curves(name, runs, folder, note)
    for name, matrix in MATRICES.items():
        if matrix.cell.name in cells:
            found[name] = _matrix(name, cells[matrix.cell.name], folder, note)
    if "labelled" in cells.get(CURRENT.name, {}):
        found[ETHOGRAM] = _ethogram(setting, cells[CURRENT.name], folder, note)
    return [found[name] for name in NAMES if name in found]


def heading(name: str) -> str:
    """`Figure 7` for `figure_7`."""
    return name.replace("_", " ").capitalize()


def _examples(setting: Setting, folder: Path, note: str) -> Figure:
    dataset = setting.dataset
    stems = [stem for fold in setting.folds for stem in fold.held_out]
    prepared = {stem: datasets.prepared(dataset, stem) for stem in stems}
    labels = {
        stem: datasets.read_labels(dataset.labels(stem), dataset.classes, prepared[stem].frames) for stem in stems
    }
    chosen = representative_frames(labels, len(dataset.classes))
    shown = {
        (stem, index): picture
        for stem in stems
        for index, picture in _frames(dataset.videos[stem], {at[1] for at in chosen if at and at[0] == stem})
    }
    pictures = [crop_grey(shown[at], prepared[at[0]].meta.get("crop")) if at else None for at in chosen]
    every = np.concatenate(list(labels.values()))
    counts = [int((every == index).sum()) for index in range(len(dataset.classes))]
    file = folder / f"{EXAMPLES}.png"
    title = "Representative frames, and frames per class"
    plot_examples(pictures, counts, dataset.classes, file, title, note)
    caption = (
        f"{title}: the middle of each class's longest bout; {sum(counts)} annotated frames of {len(stems)} videos."
    )
    return Figure(EXAMPLES, file, caption)


def _frames(path: Path, wanted: set[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Those frames of a video, grey uint8, with their numbers; it is decoded once, up to the last of them."""
    left = set(wanted)
    if not left:
        return
    for index, _, picture in video.read_frames(path):
        if index in left:
            left.remove(index)
            yield index, picture
        if not left:
            return


def _drawing(setting: Setting, name: str, folder: Path) -> Figure:
    graph, title = DRAWINGS[name]
    full = setting.network(graph)
    layers = network.read_net(network.find_network(full) / model.DEPLOY).layer
    file = folder / f"{name}.png"
    plot_network(layers, file, f"{title} ({full})")
    return Figure(name, file, f"{title}, drawn from prototxt/{full}/deploy.prototxt.")


def _curves(name: str, runs: Mapping[str, Any], folder: Path, note: str) -> Figure:
    curves = CURVES[name]
    rows = {variant.legend: curve_of(runs[variant.name]) for variant in curves.variants}
    drawn = {
        legend: ([row["iteration"] for row in curve], [row[curves.shows] for row in curve])
        for legend, curve in rows.items()
    }
    record = runs[curves.variants[0].name]
    file = folder / f"{name}.png"
    chance = 1 / len(record["classes"])
    plot_curves(drawn, file, title=curves.title, ylabel=YLABELS[curves.shows], chance=chance, note=note)
    held_out = ", ".join(record["settings"]["folds"][0]["held_out"])
    return Figure(
        name, file, f"{curves.title}. One training each ({record['settings']['network']}), {held_out} held out."
    )


def _ethogram(setting: Setting, record: Mapping[str, Any], folder: Path, note: str) -> Figure:
    """The first held-out video as the current system labelled it, above its annotation."""
    dataset = setting.dataset
    stem, labelled = next(iter(record["labelled"].items()))
    times = datasets.prepared(dataset, stem).times
    annotated = datasets.read_labels(dataset.labels(stem), dataset.classes, len(times))
    predicted = np.full(len(times), datasets.NOT_ANNOTATED)
    for label, start, stop in labelled:
        predicted[start:stop] = label
    file = folder / f"{ETHOGRAM}.png"
    title = f"Current system: {stem}" + (f" ({note})" if note else "")
    tracks = {"predicted": (times, predicted), "annotated": (times, annotated)}
    plot_ethogram(tracks, dataset.classes, file, title)
    return Figure(ETHOGRAM, file, f"Current system: {stem}, held out, as it was labelled and annotated.")


def _matrix(name: str, record: Mapping[str, Any], folder: Path, note: str) -> Figure:
    title = MATRICES[name].title
    file = folder / f"{name}.png"
    pooled = record["pooled"]
    plot_confusion(np.array(pooled["confusion"]), pooled["classes"], file, title + (f" ({note})" if note else ""))
    return Figure(name, file, f"{title} ({record['settings']['network']}), {len(record['folds'])} folds together.")
