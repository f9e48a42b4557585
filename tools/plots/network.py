"""A network drawn from its prototxt, after the thesis's figures 4 to 6: a box per layer with weights and its followers.

What only passes on what one layer made (ReLU, pooling, normalisation, dropout, reshaping) is told in that layer's box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.plots import style

COLOURS = {
    "input": "#e8e8e8",
    "convolution": "#cfe3f5",
    "fully connected": "#d5eddd",
    "recurrent": "#ffdca8",
    "joining": "#ffffff",
    "other": "#eadcf2",
}
KINDS = {
    "Input": "input",
    "Convolution": "convolution",
    "Deconvolution": "convolution",
    "InnerProduct": "fully connected",
    "LSTM": "recurrent",
    "RNN": "recurrent",
    "Concat": "joining",
    "Eltwise": "joining",
}
FOLLOWERS = ("ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "Pooling", "BatchNorm", "Scale", "LRN", "Dropout", "Softmax")
SILENT = ("Flatten", "Reshape", "Split", "Silence")
WIDTH, LINE, GAP, HEAD = 1.34, 0.17, 0.34, 0.3  # inches


class Box(NamedTuple):
    """A box: its layers' names (the first gives its title), lines of text, kind, the last blob, column and row."""

    layers: tuple[str, ...]
    lines: tuple[str, ...]
    kind: str
    blob: str
    column: int
    row: float


def layout(layers: Iterable[Any]) -> tuple[list[Box], list[tuple[int, int]]]:
    """Boxes of the layers of one phase (LayerParameters in the file's order), and arrows as pairs of their indices.

    A box's column is the longest way to it from an input; boxes of one column have rows at least 1 apart.
    """
    steps = list(layers)
    groups: list[list[Any]] = []
    made_by: dict[str, int] = {}  # blob → its group
    readers = _readers(steps)
    arrows: list[tuple[int, int]] = []
    blobs: list[str] = []
    for layer in steps:
        sources = list(dict.fromkeys(made_by[blob] for blob in layer.bottom if blob in made_by))
        if len(sources) == 1 and _follows(layer, groups[sources[0]], readers):
            at = sources[0]
            groups[at].append(layer)
            blobs[at] = layer.top[0] if layer.top else blobs[at]
        else:
            at = len(groups)
            groups.append([layer])
            blobs.append(layer.top[0] if layer.top else "")
            arrows += [(source, at) for source in sources]
        made_by.update((blob, at) for blob in layer.top)
    columns = _columns(len(groups), arrows)
    rows = _rows(columns, arrows)
    boxes = [
        Box(
            tuple(layer.name for layer in group),
            tuple(text for text in map(_text, group) if text),
            KINDS.get(group[0].type, "other"),
            blobs[at],
            columns[at],
            rows[at],
        )
        for at, group in enumerate(groups)
    ]
    return boxes, arrows


def _readers(steps: Sequence[Any]) -> dict[str, int]:
    """How many layers read each blob as their bottom, those aside that write it in place."""
    counts: dict[str, int] = {}
    for layer in steps:
        for blob in layer.bottom:
            counts[blob] = counts.get(blob, 0) + (blob not in layer.top)
    return counts


def _follows(layer: Any, group: Sequence[Any], readers: Mapping[str, int]) -> bool:
    """Whether a layer goes into the box of the one that it reads: nobody else reads that."""
    in_place = set(layer.bottom) == set(layer.top)
    alone = all(readers[blob] <= 1 for blob in layer.bottom)
    an_input = KINDS.get(group[0].type) == "input" and layer.type not in SILENT
    return layer.type in (*FOLLOWERS, *SILENT) and (in_place or alone) and not an_input


def _columns(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    columns = [0] * count
    for source, target in sorted(arrows, key=lambda arrow: arrow[1]):  # groups stand in an order that flows forward
        columns[target] = max(columns[target], columns[source] + 1)
    # An input stands just before what reads it.
    for at in range(count):
        targets = [columns[target] for source, target in arrows if source == at]
        if targets and all(target != at for _, target in arrows):
            columns[at] = min(targets) - 1
    return columns


def _rows(columns: Sequence[int], arrows: Sequence[tuple[int, int]]) -> list[float]:
    """Rows near the mean of what each box reads, and in one column at least 1 apart."""
    rows = [0.0] * len(columns)
    first = sorted(at for at in range(len(columns)) if all(target != at for _, target in arrows))
    wanted = {at: float(number) for number, at in enumerate(first)}
    for column in range(max(columns, default=0) + 1):
        members = [at for at, own in enumerate(columns) if own == column]
        for at in members:
            sources = [rows[source] for source, target in arrows if target == at]
            wanted[at] = sum(sources) / len(sources) if sources else wanted[at]
        members.sort(key=lambda at: (wanted[at], at))
        for number, at in enumerate(members):
            rows[at] = wanted[at] if not number else max(wanted[at], rows[members[number - 1]] + 1)
    return rows


def _text(layer: Any) -> str:
    """A layer's line in its box; empty for what is not worth one."""
    if layer.type in ("Convolution", "Deconvolution"):
        given = layer.convolution_param
        kernel = given.kernel_size[0] if given.kernel_size else given.kernel_h
        stride = given.stride[0] if given.stride else given.stride_h or 1
        groups = f", {given.group} groups" if given.group > 1 else ""
        return f"{given.num_output} · {kernel}×{kernel}" + (f" / {stride}" if stride > 1 else "") + groups
    if layer.type == "InnerProduct":
        return f"{layer.inner_product_param.num_output} outputs"
    if layer.type in ("LSTM", "RNN"):
        return f"{layer.type}, {layer.recurrent_param.num_output} units"
    if layer.type == "Pooling":
        given = layer.pooling_param
        how = given.PoolMethod.Name(given.pool).lower()
        return f"{how} pool {given.kernel_size} / {given.stride}" if given.kernel_size else f"{how} pool"
    return "" if layer.type in (*SILENT, "Input") else layer.type


def plot_network(
    layers: Iterable[Any], path: str | Path, title: str = "", shapes: Mapping[str, Sequence[int]] | None = None
) -> None:
    """Draw the layers of one phase as a PNG, data on the left; `shapes` of blobs are told below the boxes."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    boxes, arrows = layout(layers)
    height = HEAD + LINE * max(len(box.lines) for box in boxes) + 0.06
    across, down = WIDTH + GAP, height + 0.5
    lowest = max(box.row for box in boxes)
    size = (across * (max(box.column for box in boxes) + 1) + 0.2, down * (lowest + 1) + 0.45)
    made = style.canvas(*size)
    axes = made.add_axes([0, 0, 1, 1])
    axes.set_xlim(0, size[0])
    axes.set_ylim(size[1], 0)
    axes.axis("off")
    axes.text(size[0] / 2, 0.2, title, ha="center", va="center", fontsize=12, fontweight="bold")
    places = [(0.1 + across * box.column, 0.45 + down * box.row) for box in boxes]
    for box, (x, y) in zip(boxes, places):
        patch = FancyBboxPatch(
            (x, y), WIDTH, height, boxstyle="round,pad=0,rounding_size=0.06", fc=COLOURS[box.kind], ec="#404040", lw=0.9
        )
        axes.add_patch(patch)
        axes.text(x + WIDTH / 2, y + 0.16, box.layers[0], ha="center", va="center", fontsize=9, fontweight="bold")
        for number, line in enumerate(box.lines):
            axes.text(x + WIDTH / 2, y + HEAD + 0.06 + LINE * number, line, ha="center", va="center", fontsize=7.5)
        if shapes and box.blob in shapes:
            told = "×".join(map(str, list(shapes[box.blob])[1:]))
            axes.text(x + WIDTH / 2, y + height + 0.11, told, ha="center", va="center", fontsize=7, color="#606060")
    for source, target in arrows:
        begin = (places[source][0] + WIDTH, places[source][1] + height / 2)
        end = (places[target][0], places[target][1] + height / 2)
        arrow = FancyArrowPatch(
            begin, end, arrowstyle="-|>", mutation_scale=9, color="#404040", lw=0.9, shrinkA=0, shrinkB=0
        )
        axes.add_patch(arrow)
    style.save(made, path)
