"""Where the time of a training step goes, layer by layer, and how far each is from its floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import sides, steps, work
from benchmarks.way import Found, Way, table
from data_prep.progress import Progress

TITLE = "Where a training step's time goes"
NETWORKS = ("shape/cnn", "shape_motion/lstm_after")
BIG = 0.03  # share of a step from which a layer has a row of its own
ROUNDS = 3  # at most
SHOWN = 0.05  # ms: a lower floor is no measure of anything
PASSES = ("forward", "backward")


def measure(way: Way, found: Found) -> list[dict[str, Any]]:
    """Per network: its layers as `work.of_layers` has them, and of each side the median seconds of every pass."""
    if way.gpu is not None:
        return []
    names = steps.engines(way)
    write, do, _ = steps.KINDS[steps.STEP]
    rows = []
    with sides.box() as place, Progress(len(NETWORKS) * len(names), "nets", "layers", way.quiet) as progress:
        for network in NETWORKS:
            file, images = write(network, steps.BATCH, place)
            row: dict[str, Any] = {"network": network, "images": images, "sides": {}}
            for name in names:
                with sides.opened(place, (name,), do, file) as opened:
                    side = opened[name]
                    side.ask("step", count=sides.WARM)
                    row["sides"][name] = medians(side.ask("layers", count=min(way.repeats, ROUNDS)))
                    if name == sides.OURS:
                        row["layers"] = work.of_layers(side.ask("describe"))
                progress.update()
            rows.append(row)
    return rows


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of each number of `side.layers`, its median over the runs; layers by their number, as text."""
    whole = {name: median(run[name] for run in runs) for name in ("seconds", "update")}
    parts = {name: {at: median(run[name][at] for run in runs) for at in runs[0][name]} for name in PASSES}
    return {**whole, **parts}


def lines(results: list[dict[str, Any]], found: Found) -> list[str]:
    if not results:
        return ["Not measured on a GPU, where a layer does not wait for its end."]
    made = []
    for row in results:
        made += [f"**{row['network']}**, ms a step of {row['images']} images:", "", *_table(row, found["machine"]), ""]
    return [
        *made,
        f"Layers of less than {BIG:.0%} of the step stand together by type. A layer's floor is its multiply-adds,",
        "or what it reads and writes once, whichever takes longer; that of a ReLU or a pooling is what its blobs take",
        "where they pass through memory, which the cache may undercut. *Other* is what is between layers: clearing of",
        "gradients, the loss's way to Python.",
    ]


def groups(row: Mapping[str, Any]) -> dict[str, list[int]]:
    """The layers' numbers under their names, or under their types where they are small."""
    ours = row["sides"][sides.OURS]
    found: dict[str, list[int]] = {}
    for at, layer in enumerate(row["layers"]):
        share = sum(ours[name].get(str(at), 0.0) for name in PASSES) / ours["seconds"]
        found.setdefault(layer["name"] if share >= BIG else f"{layer['type']}, small", []).append(at)
    return found


def _table(row: Mapping[str, Any], rates: Mapping[str, float]) -> list[str]:
    found = row["sides"]
    rows = []
    for name, members in groups(row).items():
        cells: list[str] = [name]
        for which in PASSES:
            ours, real = (_milliseconds(found.get(side), which, members) for side in (sides.OURS, sides.REAL))
            floor = 1000 * sum(
                work.layer_floor(row["layers"][at], which == "backward", rates)
                for at in members
                if row["layers"][at]["type"] not in work.SOURCES
            )
            times = f"{ours / floor:.1f}" if ours is not None and floor >= SHOWN else ""
            cells += [_shown(ours), _shown(floor), times, _shown(real)]
        rows.append(cells)
    update = 1000 * work.UPDATE * work.totals(row["layers"])["weights"] / rates["bytes"]
    ours = 1000 * found[sides.OURS]["update"]
    real = 1000 * found[sides.REAL]["update"] if sides.REAL in found else None
    rows.append(["update", *[""] * 4, _shown(ours), _shown(update), f"{ours / update:.1f}", _shown(real)])
    rest = [_shown(1000 * _rest(found[side])) if side in found else "" for side in (sides.OURS, sides.REAL)]
    rows.append(["other", *[""] * 4, rest[0], "", "", rest[1]])
    whole = [_shown(1000 * found[side]["seconds"]) if side in found else "" for side in (sides.OURS, sides.REAL)]
    total = 1000 * work.floor(work.totals(row["layers"]), True, rates)
    times = f"{1000 * found[sides.OURS]['seconds'] / total:.1f}"
    rows.append(["**the step**", *[""] * 4, whole[0], _shown(total), times, whole[1]])
    return table(
        ("", *(f"{which}{column}" for which in PASSES for column in (", ours", " floor", " ×", ", real"))), rows
    )


def _milliseconds(side: Mapping[str, Any] | None, which: str, members: Sequence[int]) -> float | None:
    return None if side is None else 1000 * sum(side[which].get(str(at), 0.0) for at in members)


def _rest(side: Mapping[str, Any]) -> float:
    return side["seconds"] - side["update"] - sum(sum(side[which].values()) for which in PASSES)


def _shown(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:.1f}"
