"""How fast the data layer is alone, and how much of a training step is spent waiting for it.

python -m benchmarks.waiting DATASET      what `measure` gives, as JSON
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import processes, sides, videos
from benchmarks.way import Found, Way, table
from data_prep.progress import Progress

TITLE = "The data layer"
NETWORK = "shape_motion/cnn"
WORKERS = 2
SIZE = 256


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"rate": frames a second, "moved": MB of a step, "waiting": {with what: shares, steps, waits}}."""
    dataset = videos.simulated(way.scratch / "data", way.quiet)
    with Progress(2, "runs", "data layer", way.quiet) as progress:
        given = [str(dataset), "--size", str(SIZE), "--streams", "shape,motion", "--workers", "1", "--quiet"]
        processes.measured(processes.PREDICT, "prepare", *given)
        progress.update()
        command = [sys.executable, "-m", "benchmarks.waiting", str(dataset)]
        environment = sides.environment(sides.OURS, sides.THREADS)
        out = subprocess.PIPE
        done = subprocess.run(command, cwd=sides.ROOT, env=environment, stdout=out, text=True, check=True)
        progress.update()
    return json.loads(done.stdout.splitlines()[-1])


def runs(dataset: Path) -> dict[str, Any]:
    """The measuring itself, in a process of its own."""
    from benchmarks import data_layer as layer

    layer.read_all(dataset)
    with tempfile.TemporaryDirectory() as place:
        given = (NETWORK, dataset, Path(place), WORKERS)
        rate = layer.frames_per_second(*given)
        waiting = {
            f"a sleep of {1000 * layer.GPU_STEP:.0f} ms, a GPU's step": layer.with_sleep(*given),
            "the net itself": layer.with_net(*given),
        }
    told = {name: {**one._asdict(), "usual_share": one.usual_share} for name, one in waiting.items()}
    return {"rate": rate, "moved": layer.bytes_per_step(NETWORK, dataset), "waiting": told}


def lines(results: dict[str, Any], found: Found) -> list[str]:
    rows = []
    for name, one in results["waiting"].items():
        mean = {key: 1000 * sum(one[key]) / len(one[key]) for key in ("steps", "waits")}
        worker = 1000 * one["worker"]
        shares = (f"{mean['waits'] / mean['steps']:.1%}", f"{one['usual_share']:.1%}")
        rows.append((name, f"{mean['steps']:.1f}", f"{mean['waits']:.2f}", *shares, f"{worker:.1f}"))
    columns = ("with", "ms a step", "ms of it waiting", "share", "of the median step", "ms of the workers' processors")
    moved = results["moved"]
    return [
        f"Alone it gives {results['rate']:.0f} frames a second. In training steps:",
        "",
        *table(columns, rows),
        "",
        f"`{NETWORK}` at full size with {WORKERS} workers, on a simulated minute, prepared and in memory; a step reads "
        f"{moved['stored']:.1f} MB and hands the net {moved['tops']:.1f} MB.",
    ]


if __name__ == "__main__":
    print(json.dumps(runs(Path(sys.argv[1]))))
