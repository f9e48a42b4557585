"""A training step and a forward pass of the thesis's networks, in the engine and in real Caffe, in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Callable

from benchmarks import nets, sides, work
from benchmarks.way import Found, Way, spread, table
from data_prep.progress import Progress

TITLE = "A training step and a forward pass"
NETWORKS = ("shape/cnn", "motion/cnn", "shape_motion/cnn", "shape_motion/lstm_after", "mini/shape_motion/cnn")
BATCH = 32
STEP, FORWARD = "step", "forward"
# What is run: how its net is written, how a side opens it, and what the page calls it.
KINDS: dict[str, tuple[Callable[[str, int, Path], tuple[str, int]], str, str]] = {
    STEP: (nets.training, "solver", "training step"),
    FORWARD: (nets.prediction, "net", "forward"),
}


def measure(way: Way, found: Found) -> list[dict[str, Any]]:
    """A row per network and kind, as `compared` gives it."""
    names = engines(way)
    turns = len(NETWORKS) * len(KINDS) * len(names) * (way.repeats + 1)
    rows = []
    with sides.box() as place, Progress(turns, "turns", "steps", way.quiet) as progress:
        for network in NETWORKS:
            for kind in KINDS:
                rows.append(compared(place, network, kind, BATCH, names, way.repeats, way.gpu, progress.update))
    return rows


def engines(way: Way) -> tuple[str, ...]:
    """The sides that are there; real Caffe computes on the CPU alone."""
    return (sides.OURS, sides.REAL) if way.gpu is None and sides.real_caffe_is_there() else (sides.OURS,)


def compared(
    place: Path,
    network: str,
    kind: str,
    batch: int,
    names: Sequence[str],
    repeats: int,
    gpu: int | None = None,
    tell: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Seconds of each round on each side, the most memory of each in MB, and what the net computes."""
    write, do, _ = KINDS[kind]
    file, images = write(network, batch, place)
    with sides.opened(place, tuple(names), do, file, gpu) as opened:
        first = opened[names[0]]
        seconds = sides.in_turn(opened, kind, repeats, tell)
        described = work.of_layers(first.ask("describe"))
        memory = {name: side.ask("memory") for name, side in opened.items()}
    total = work.totals(described)
    return {"network": network, "kind": kind, "images": images, "seconds": seconds, "memory": memory, "work": total}


def ratios(row: Mapping[str, Any]) -> list[float]:
    """How many times as long as ours real Caffe took, in each round."""
    ours, real = (row["seconds"][name] for name in (sides.OURS, sides.REAL))
    return [theirs / own for own, theirs in zip(ours, real)]


def lines(results: list[dict[str, Any]], found: Found) -> list[str]:
    rows = []
    for row in results:
        each = {name: 1000 * median(seconds) / row["images"] for name, seconds in row["seconds"].items()}
        floor = 1000 * work.floor(row["work"], row["kind"] == STEP, found["machine"]) / row["images"]
        there = sides.REAL in each
        rows.append((
            row["network"],
            KINDS[row["kind"]][2],
            f"{each[sides.OURS]:.2f}",
            f"{each[sides.REAL]:.2f}" if there else "not measured",
            f"**{median(ratios(row)):.2f}**" + f" ({min(ratios(row)):.2f} to {max(ratios(row)):.2f})" if there else "",
            f"{floor:.2f}",
            f"{each[sides.OURS] / floor:.1f}",
            " / ".join(f"{megabytes:.0f}" for megabytes in row["memory"].values()),
        ))  # fmt: skip
    columns = ("network", "", "ours, ms an image", "real Caffe", "real Caffe / ours", "floor", "ours / floor",
               "MB, ours / real")  # fmt: skip
    rounds = len(results[0]["seconds"][sides.OURS])
    return [
        *table(columns, rows),
        "",
        f"Batches of {BATCH}; the net alone, with random numbers for pictures; a step is forward, backward and the "
        f"update of the thesis's solver, RMSProp with clipping (`prototxt/solver.prototxt`). {sides.THREADS} threads "
        f"each (`OMP_NUM_THREADS`; `OPENBLAS_NUM_THREADS` in real Caffe). Both processes stay open and take turns; "
        f"medians of {rounds} round{'s' * (rounds > 1)}, and in brackets the least and the largest "
        "ratio of one. The memory is the most that the process held. Real Caffe: 1.0.0 of Debian 11 with OpenBLAS, in "
        "its chroot (`tests/conformance/real_caffe.sh`), which needs root.",
    ]  # fmt: skip


def described(row: Mapping[str, Any]) -> str:
    """A row in words, with its ratio."""
    return f"{row['network']}, {KINDS[row['kind']][2]}: real Caffe / ours {spread(ratios(row))}"
