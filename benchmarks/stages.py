"""Where the time of a prediction goes: its stages as they worked and waited in it, and alone, on the same video."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import models, processes, sides, videos, work
from benchmarks.way import Found, Way, table
from data_prep.files import read_json
from data_prep.motion import FRAMES, WIDTH
from data_prep.progress import Progress

TITLE = "Where a prediction's time goes"
NETWORK = "shape_motion/cnn"
ROUNDS = 3  # at most
START, DECODING, SIZING, MOTION, NET, WRITING = (
    "start-up: imports, the model", "decoding", "cropping and squashing", "motion images", "the net as it is written",
    "writing: tables, picture",
)  # fmt: skip
TOGETHER = {"net": NET, "features": MOTION}  # what the floors are of in run.json's stages
# Multiply-adds a pixel of a motion image: two filters over nine frames; then, along x and y, two kernels on two
# pictures, each along and across.
MOTION_PRODUCTS = 2 * FRAMES + 2 * 2 * 2 * 2 * WIDTH


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"video": …, "frames": n, "alone": {stage: seconds of each round}, "together": [run.json's `seconds`], "whole":
    [Cost of each prediction]}, and what the floors are computed from."""
    seen = videos.footage(way)
    trained = models.make(NETWORK, way.scratch / "models")
    repeats = min(way.repeats, ROUNDS)
    alone, together, whole = [], [], []
    output = way.scratch / "staged"
    with Progress(2 * repeats, "runs", "stages", way.quiet) as progress:
        for _ in range(repeats):
            alone.append(_alone(way, str(trained), str(seen.file)))
            progress.update()
            shutil.rmtree(output, ignore_errors=True)
            given = processes.predicting(trained, [seen.file], output, way.gpu)
            whole.append(processes.measured(processes.PREDICT, *given)._asdict())
            together.append(read_json(output / seen.file.stem / "run.json").get("seconds", {}))
            progress.update()
    seconds = {stage: [one["seconds"][stage] for one in alone] for stage in alone[0]["seconds"]}
    shown = {key: alone[0][key] for key in ("frames", "layers", "batch", "stored")}
    return {"video": seen.about, "alone": seconds, "together": together, "whole": whole, **shown}


def _alone(way: Way, trained: str, file: str) -> dict[str, Any]:
    """What `stage_runs` prints."""
    command = [sys.executable, "-m", "benchmarks.stage_runs", trained, file]
    environment = sides.environment(sides.OURS, sides.THREADS)
    more = [] if way.gpu is None else [str(way.gpu)]
    out = subprocess.PIPE
    done = subprocess.run([*command, *more], cwd=sides.ROOT, env=environment, stdout=out, text=True, check=True)
    return json.loads(done.stdout)


def floors(results: Mapping[str, Any], rates: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the stages that a floor is known of: the products of the motion filters and of the net."""
    pixels = results["frames"] * results["stored"] ** 2
    products = work.totals(results["layers"])["forward"] * results["frames"] / results["batch"]
    return {MOTION: 2 * MOTION_PRODUCTS * pixels / rates["products"], NET: 2 * products / rates["products"]}


def lines(results: dict[str, Any], found: Found) -> list[str]:
    least = floors(results, found["machine"])
    frames = results["frames"]
    rows = []
    for stage, seconds in results["alone"].items():
        middle, floor = median(seconds), least.get(stage)
        rows.append((
            stage,
            f"{middle:.2f}",
            f"{1000 * middle / frames:.2f}",
            "" if floor is None else f"{1000 * floor / frames:.2f}",
            "" if floor is None else f"{middle / floor:.1f}",
        ))  # fmt: skip
    total = sum(median(seconds) for seconds in results["alone"].values())
    rows.append(("**one after the other**", f"{total:.2f}", f"{1000 * total / frames:.2f}", "", ""))
    whole = median(cost["seconds"] for cost in results["whole"])
    rows.append(("**`ethocaffe predict`**, all at once", f"{whole:.2f}", f"{1000 * whole / frames:.2f}", "", ""))
    return [
        *table(("stage alone", "seconds", "ms a frame", "floor, ms a frame", "×"), rows),
        "",
        f"`{NETWORK}` at full size on {results['video']}; each stage alone, in one process of {sides.THREADS} "
        "threads. Decoding is FFmpeg's; writing has no floor.",
        *_together(results["together"], least),
    ]


def _together(rounds: list[dict[str, dict[str, float]]], least: Mapping[str, float]) -> list[str]:
    """The stages as a prediction itself tells of them; floors are of all cores at once, and here of one."""
    if not rounds[0]:
        return []
    rows = []
    for stage in rounds[0]:
        works, waits = (median(one[stage][kind] for one in rounds if stage in one) for kind in ("works", "waits"))
        floor = sides.THREADS * least.get(TOGETHER.get(stage, ""), 0.0)
        rows.append(
            (stage, f"{works:.2f}", f"{waits:.2f}", *((f"{floor:.2f}", f"{works / floor:.1f}") if floor else ("", "")))
        )
    return [
        "",
        "The same in the prediction, by its own `run.json`: seconds in which a stage works, all its threads added up,",
        "and in which it waits for the others:",
        "",
        *table(("stage", "works, s", "waits, s", "floor of one core, s", "×"), rows),
    ]
