"""The short form for CI: fails where the engine is not as much faster than real Caffe as it must be, or where a cost
grows faster than its size. Both are ratios of runs in turn on one machine: a slow machine fails nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import nets, sides, steps
from data_prep.progress import Progress

NETWORK = "shape/cnn"
BATCH = 8
ROUNDS = {steps.STEP: 5, steps.FORWARD: 7}
# What must be reached: real Caffe's time by ours, of the fastest rounds. Whatever disturbs only makes them longer.
LIMITS = {steps.STEP: 1.7, steps.FORWARD: 1.5}
TRIES = 3  # of which one must reach it: what disturbs lasts longer than a few rounds
# The larger batch, and what an image of it may cost by one of BATCH: the line t = a + b·n makes it cheaper.
LARGE, GROWTH, GROWTH_ROUNDS = 32, 1.25, 5


def run(quiet: bool) -> int:
    """Exit status: 1 where a ratio is beyond its limit, or real Caffe is not there to compare with."""
    if not sides.real_caffe_is_there():
        print(
            "benchmarks: real Caffe is not there to compare with; as root, run tests/conformance/real_caffe.sh",
            file=sys.stderr,
        )
        return 1
    faults = 0
    turns = 2 * (len(ROUNDS) + sum(ROUNDS.values()) + 1 + GROWTH_ROUNDS)
    with sides.box() as place, Progress(turns, "turns", "quick", quiet) as progress:
        for kind, limit in LIMITS.items():
            faults += not any(faster(place, kind, limit, quiet, progress) for _ in range(TRIES))
        faults += not any(straight(place, quiet, progress) for _ in range(TRIES))
    return int(faults > 0)


def faster(place: Path, kind: str, limit: float, quiet: bool, progress: Progress) -> bool:
    """Whether ours is as much faster than real Caffe as it must be, by the fastest rounds of both."""
    names = (sides.OURS, sides.REAL)
    row = steps.compared(place, NETWORK, kind, BATCH, names, ROUNDS[kind], tell=progress.update)
    ratio = min(row["seconds"][sides.REAL]) / min(row["seconds"][sides.OURS])
    return _told(f"{steps.described(row)}; of the fastest {ratio:.2f}", ratio >= limit, f"at least {limit}", quiet)


def straight(place: Path, quiet: bool, progress: Progress) -> bool:
    """Whether an image costs in a large batch about what it costs in a small one."""
    cost = growth(place, progress)
    text = f"{NETWORK}, forward: an image in a batch of {LARGE} by one of {BATCH}: {cost:.2f}"
    return _told(text, cost <= GROWTH, f"at most {GROWTH}", quiet)


def growth(place: Path, progress: Progress) -> float:
    """What an image costs in a large batch by what it costs in a small one, in turn, of the fastest rounds."""
    sizes = {"small": BATCH, "large": LARGE}
    opened = {}
    try:
        for name, batch in sizes.items():
            opened[name] = sides.Side(sides.OURS, place)
            opened[name].ask("net", file=nets.prediction(NETWORK, batch, place)[0])
        seconds = sides.in_turn(opened, steps.FORWARD, GROWTH_ROUNDS, progress.update)
    finally:
        for side in opened.values():
            side.close()
    return min(seconds["large"]) * BATCH / (min(seconds["small"]) * LARGE)


def _told(text: str, good: bool, limit: str, quiet: bool) -> bool:
    """Say how it is, on standard error where it is not as it must be; returns whether it is."""
    if not good or not quiet:
        print(f"{text}; it must be {limit}", file=sys.stdout if good else sys.stderr)
    return good
