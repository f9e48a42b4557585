"""A minute of video by each system, from the command to its last file."""

from __future__ import annotations

import shutil
from statistics import median
from typing import Any

from benchmarks import models, processes, videos
from benchmarks.way import Found, Way, table
from data_prep.progress import Progress

TITLE = "What a minute of video costs"
SYSTEMS = (models.CURRENT, "mini/shape_motion/cnn", "shape/cnn", "shape_motion/cnn", "shape_motion/lstm_after")
ROUNDS = 3  # at most
DECODING = "decoding alone"
DECODE = "import sys; from data_prep.video import read_frames; sum(1 for _ in read_frames(sys.argv[1])); status = 0;"


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"video": …, "minutes": …, "costs": {system: [Cost of each round]}}, systems in turn."""
    seen = videos.footage(way)
    made = {name: models.make(name, way.scratch / "models") for name in SYSTEMS}
    costs: dict[str, list[processes.Cost]] = {DECODING: [], **{name: [] for name in SYSTEMS}}
    output = way.scratch / "predicted"
    repeats = min(way.repeats, ROUNDS)
    with Progress(repeats * len(costs), "runs", "predict", way.quiet) as progress:
        for _ in range(repeats):
            for name, rounds in costs.items():
                shutil.rmtree(output, ignore_errors=True)
                if name == DECODING:
                    rounds.append(processes.measured(DECODE, str(seen.file)))
                else:
                    given = processes.predicting(made[name], [seen.file], output, way.gpu)
                    rounds.append(processes.measured(processes.PREDICT, *given))
                progress.update()
    return {"video": seen.about, "minutes": seen.minutes, "frames": seen.frames, "costs": processes.as_json(costs)}


def lines(results: dict[str, Any], found: Found) -> list[str]:
    rows = []
    for name, costs in results["costs"].items():
        seconds = [cost["seconds"] / results["minutes"] for cost in costs]
        rows.append((
            name,
            f"{median(seconds):.1f}",
            f"{min(seconds):.1f} to {max(seconds):.1f}",
            f"{median(cost['computed'] for cost in costs) / results['minutes']:.1f}",
            f"{results['frames'] / results['minutes'] / median(seconds):.0f}",
            f"{max(cost['memory'] for cost in costs):.0f} MB",
        ))  # fmt: skip
    columns = ("system", "seconds per minute of video", "", "processors' seconds", "frames a second", "memory")
    return [
        *table(columns, rows),
        "",
        f"On {results['video']}. `ethocaffe predict` from its start to its last file, each in a process of its own, in",
        "turn; the median of the rounds, and the fastest and the slowest. Weights are drawn at random: what they are",
        "changes no time.",
        "",
        "The thesis's networks, on a GPU, needed an eighth of the time of the current system of then (section 6). Here",
        "the current system's filters see a window around the animal, which is little to compute.",
    ]
