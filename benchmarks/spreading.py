"""The same work by one process with two threads, and by two processes with one each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import models, nets, processes, sides, steps, videos
from benchmarks.way import Way, table
from data_prep.progress import Progress
from tools import network

PREDICTED = "mini/shape_motion/cnn"
TRAINED = {"mini/shape_motion/cnn": 40, "shape/cnn": 3}  # networks, and steps between two lines of the log
LOGGED = 3  # lines of the log; the first is not counted
# processes, threads of each
WAYS = ((1, 1), (1, 2), (2, 1))
CAFFE = "import sys; from caffe.cli import main; sys.exit(main())"


def measure(way: Way) -> dict[str, Any]:
    """{"predict": {"1×2": seconds of two videos}, "train": {network: {"1×2": images a second}}}."""
    runs = len(WAYS) * (1 + len(TRAINED))
    with Progress(runs, "runs", "processes", way.quiet) as progress:
        predicted = {}
        for count, threads in WAYS:
            predicted[f"{count}×{threads}"] = two_videos(way, count, threads)
            progress.update()
        trained: dict[str, dict[str, float]] = {name: {} for name in TRAINED}
        for name, steps_logged in TRAINED.items() if way.gpu is None else ():
            for count, threads in WAYS:
                trained[name][f"{count}×{threads}"] = training_rate(name, count, threads, steps_logged)
                progress.update()
    return {"predict": predicted, "train": trained}


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def two_videos(way: Way, count: int, threads: int) -> float:
    """Seconds in which two videos are predicted by so many processes."""
    first = videos.footage(way).file
    second = way.scratch / f"second{first.suffix}"
    if not second.is_file():
        shutil.copy(first, second)
    model = models.make(PREDICTED, way.scratch / "models")
    output = emptied(way.scratch / "spread")
    shares = [[first, second]] if count == 1 else [[first], [second]]
    started = time.monotonic()
    running = [
        processes.command(processes.PREDICT, *processes.predicting(model, share, output, way.gpu), threads=threads)
        for share in shares
    ]
    return max(processes.finished(process, started).seconds for process in running)


def training_rate(name: str, count: int, threads: int, every: int) -> float:
    """Images a second of `caffe train` by so many processes on the CPU, by its own log; a step is BATCH images by all
    of them together."""
    with tempfile.TemporaryDirectory() as place:
        file, images = nets.training(name, steps.BATCH // count, Path(place))
        solver = network.read_solver(Path(place) / file)
        solver.max_iter, solver.display = every * LOGGED + 1, every
        network.write_message(Path(place) / file, solver)
        # Where there is no GPU, a process for each of these numbers computes on the CPU.
        many = ["--gpu", ",".join(map(str, range(count)))] if count > 1 else []
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if count > 1 else {}
        environment = {**sides.environment(sides.OURS, threads), **hidden, "GLOG_minloglevel": "0"}
        command = [sys.executable, "-c", CAFFE, "train", f"--solver={file}", *many, "--logtostderr"]
        done = subprocess.run(command, cwd=place, env=environment, stderr=subprocess.PIPE, text=True, check=True)
    speeds = [float(rate) for rate in re.findall(r"Iteration \d+ \(([\d.e+-]+) iter/s", done.stderr)]
    return count * images * median(speeds[1:])


def lines(results: Mapping[str, Any]) -> list[str]:
    names = [f"{count} process{'es' * (count > 1)}, {threads} thread{'s' * (threads > 1)} each"
             for count, threads in WAYS]  # fmt: skip
    keys = [f"{count}×{threads}" for count, threads in WAYS]
    rows = [[f"two videos through `{PREDICTED}`, seconds", *(f"{results['predict'][key]:.1f}" for key in keys)]]
    for name, rates in results["train"].items():
        if rates:
            rows.append([f"training `{name}`, images a second", *(f"{rates[key]:.1f}" for key in keys)])
    return [
        "**Processes**:",
        "",
        *table(("", *names), rows),
        "",
        f"Training by two processes (`caffe train --gpu 0,1` without GPUs: gradients are summed by gloo) halves the "
        f"batch of {steps.BATCH} between them.",
    ]
