"""`make demo`: from nothing to a report, on simulated videos, with the commands anybody would give.

    python -m tools.demo [--output results/demo]

A demo that was stopped goes on where it was; one that is complete is made anew.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import read_json, remove, write_json
from tools import cli
from tools.arguments import positive

NETWORK, SIZE = "mini/shape_motion/cnn", 64
SOLVER = "prototxt/mini/solver_low_rate.prototxt"
VIDEOS, SECONDS, ITERATIONS, SEED = 6, 60, 800, 1
RESULTS = (
    "confusion_matrix.png",
    "learning_curve.png",
    "ethogram.png",
    "predictions.csv",
    "bouts.csv",
    "frames.png",
    "overview.png",
    "report.html",
    "metrics.json",
)
FOLDERS = ("data", "model", "evaluation", "prediction")
STAGES = "stages.json"


def main(argv: Sequence[str] | None = None) -> int:
    # A mini network gains nothing from a second thread; the second core reads the frames.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--output", default="results/demo", metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--videos", type=positive, default=VIDEOS, metavar="N", help="the last is held out (%(default)s)"
    )
    parser.add_argument("--seconds", type=positive, default=SECONDS, metavar="S", help="of each video (%(default)s)")
    parser.add_argument("--iterations", type=positive, default=ITERATIONS, metavar="N", help="(%(default)s)")
    args = parser.parse_args(argv)
    demo(Path(args.output), args.videos, args.seconds, args.iterations)
    return 0


def demo(folder: Path, videos: int = VIDEOS, seconds: int = SECONDS, iterations: int = ITERATIONS) -> dict[str, Any]:
    """Run the whole demo into `folder`; returns what metrics.json holds."""
    from tools import demo_report

    if videos < 2:
        raise InputError(f"--videos {videos}: one is held out, so give 2 or more")
    _begin(folder)
    data, held_out = folder / "data", f"cage_{videos:02d}"
    video = data / "videos" / f"{held_out}.mp4"
    commands = {
        "simulate": ["simulate", data, "--videos", videos, "--seconds", seconds, "--seed", SEED, "--balanced"],
        "prepare": ["prepare", data, "--size", SIZE],
        "train": [
            "train",
            NETWORK,
            data,
            "--hold-out",
            held_out,
            "--solver",
            SOLVER,
            "--iterations",
            iterations,
            "--validate-every",
            max(1, iterations // 10),
            "--output",
            folder / "model",
        ],
        "evaluate": ["evaluate", folder / "model", data, "--output", folder / "evaluation"],
        "predict": ["predict", folder / "model", video, "--output", folder / "prediction"],
    }
    for stage, command in commands.items():
        _stage(folder, stage, partial(_run, command))
    _stage(folder, "report", lambda: demo_report.write_pictures(folder, held_out))
    result = demo_report.write_report(folder, held_out, commands, read_json(folder / STAGES))
    print(f"\nOpen {folder / 'report.html'}")
    return result


def _begin(folder: Path) -> None:
    """Make room for a new demo where a complete one lies; keep what an interrupted one has done."""
    if folder.is_file():
        raise InputError(f"{folder}: is a file; name a folder with --output")
    own = {*RESULTS, *FOLDERS, STAGES}
    foreign = [file.name for file in folder.iterdir() if file.name not in own] if folder.is_dir() else []
    if foreign and not (folder / STAGES).is_file():
        raise InputError(f"{folder}: holds other things ({', '.join(sorted(foreign)[:3])}); name another folder")
    if (folder / "metrics.json").is_file():
        for name in own:
            remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / STAGES).is_file():
        write_json(folder / STAGES, {})


def _stage(folder: Path, name: str, work: Callable[[], None]) -> None:
    """Do a stage that is not done yet, and note how long it took."""
    done = read_json(folder / STAGES)
    if name in done:
        return
    started = time.monotonic()
    work()
    write_json(folder / STAGES, {**done, name: round(time.monotonic() - started, 2)})


def _run(command: Sequence[Any]) -> None:
    arguments = [str(part) for part in command]
    print(f"\n$ ethocaffe {' '.join(arguments)}", flush=True)
    status = cli.main(arguments)
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"demo: error: {error}")
