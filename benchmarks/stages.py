"""Where the time of a prediction goes: each of its stages alone, on the same minute of video."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import models, sides, videos, work
from benchmarks.way import Found, Way, table
from data_prep.motion import FRAMES, WIDTH
from data_prep.progress import Progress

TITLE = "Where a prediction's time goes"
NETWORK = "shape_motion/cnn"
START, DECODING, SIZING, MOTION, FEEDING, INPUT, NET, WRITING = (
    "start-up: imports, the model", "decoding", "cropping and squashing", "motion images",
    "these three, as the net is fed", "the net's input: crop, mean, channels", "the net", "writing: tables, picture",
)  # fmt: skip
ALONE = (START, DECODING, SIZING, MOTION, INPUT, NET, WRITING)  # what one after the other makes a prediction
# Multiply-adds a pixel of a motion image: two filters over nine frames; then, along x and y, two kernels on two
# pictures, each along and across.
MOTION_PRODUCTS = 2 * FRAMES + 2 * 2 * 2 * 2 * WIDTH


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"video": …, "frames": n, "seconds": {stage: [of each round]}, "floors": {stage: seconds}}."""
    seen = videos.footage(way)
    trained = models.make(NETWORK, way.scratch / "models")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(sides.THREADS))
    paths = os.pathsep.join([str(sides.ROOT / "engine"), str(sides.ROOT)])
    gpu = [] if way.gpu is None else [str(way.gpu)]
    command = [sys.executable, "-m", "benchmarks.stage_runs", str(trained), str(seen.file), *gpu]
    rounds = []
    with Progress(way.repeats, "rounds", "stages", way.quiet) as progress:
        for _ in range(way.repeats):
            environment = {**os.environ, **threads, "PYTHONPATH": paths}
            done = subprocess.run(
                command, cwd=sides.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            rounds.append(json.loads(done.stdout))
            progress.update()
    seconds = {stage: [one["seconds"][stage] for one in rounds] for stage in rounds[0]["seconds"]}
    shown = {key: rounds[0][key] for key in ("frames", "layers", "batch", "stored", "inputs")}
    return {"video": seen.about, "seconds": seconds, **shown}


def floors(results: Mapping[str, Any], rates: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the stages that a floor is known of: products of the motion filters and of the net, and the bytes of
    the net's input, written once."""
    frames = results["frames"]
    pixels = frames * results["stored"] ** 2
    products = work.totals(results["layers"])["forward"] * frames / results["batch"]
    return {
        MOTION: 2 * MOTION_PRODUCTS * pixels / rates["products"],
        INPUT: work.FLOAT * results["inputs"] * frames / rates["bytes"],
        NET: 2 * products / rates["products"],
    }


def lines(results: dict[str, Any], found: Found) -> list[str]:
    least = floors(results, found["machine"])
    rows = []
    for stage, seconds in results["seconds"].items():
        middle = median(seconds)
        floor = least.get(stage)
        rows.append((
            stage,
            f"{middle:.2f}",
            f"{1000 * middle / results['frames']:.2f}",
            "" if floor is None else f"{1000 * floor / results['frames']:.2f}",
            "" if floor is None else f"{middle / floor:.1f}",
        ))  # fmt: skip
    total = sum(median(results["seconds"][stage]) for stage in ALONE)
    rows.append(("**one after the other**", f"{total:.2f}", f"{1000 * total / results['frames']:.2f}", "", ""))
    return [
        *table(("stage", "seconds", "ms a frame", "floor, ms a frame", "×"), rows),
        "",
        f"`{NETWORK}` at full size on {results['video']}; each stage alone, in one process of {sides.THREADS} "
        "threads. In a prediction, decoding and motion images overlap with the net as far as there are cores for both: "
        "what `predict` takes in all is in the table of systems. Decoding is FFmpeg's; writing has no floor.",
    ]
