"""`ethocaffe simulate`: videos of a simulated home cage, with labels, as a DATASET folder."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.errors import InputError
from data_prep.files import atomic_path, write_json
from data_prep.parallel import run_jobs
from data_prep.progress import Progress
from data_prep.simulate.plan import CLASSES
from data_prep.simulate.production import FPS, Order, bouts_of, facts_of, make_video

VIDEOS, SECONDS, SEED = 8, 300.0, 1
STATEMENT = (
    "Simulated data: computer-drawn videos of a mouse in a home cage, made by `ethocaffe simulate`. "
    "No animal was filmed. What was put in by hand: data_prep/simulate/README.md."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="folder to make; must not exist yet, or be empty")
    parser.add_argument("--videos", type=int, default=VIDEOS, metavar="N", help="how many (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="length of each (default %(default)g)"
    )
    parser.add_argument("--seed", type=int, default=SEED, metavar="K", help="the same seed, the same videos")
    parser.add_argument(
        "--balanced",
        action="store_true",
        help="all nine behaviours alike often, at least two bouts of each a video (for short videos); "
        "without it they are as frequent as in the thesis",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    simulate(args.dataset, args.videos, args.seconds, args.seed, args.balanced, args.workers, args.quiet)
    return 0


def simulate(
    path: str | os.PathLike[str],
    videos: int = VIDEOS,
    seconds: float = SECONDS,
    seed: int = SEED,
    balanced: bool = False,
    workers: int = 1,
    quiet: bool = False,
) -> None:
    """Make the folder `path` with `videos` videos of `seconds` seconds, their labels and simulation.json.

    Video i depends on `seed`, `seconds` and `balanced` alone, not on `videos` or `workers`. The folder
    appears when all is done. Raises InputError if it exists with something in it or if a number is out of range.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: exists already; give another folder or remove this one first")
    for name, value, least in (("--videos", videos, 1), ("--workers", workers, 1), ("--seed", seed, 0)):
        if value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    if not 0 < seconds < 1e6:
        raise InputError(f"--seconds {seconds:g}: must be a length of time")
    frames = round(seconds * FPS)
    bouts_of(Order(0, frames, seed, balanced, target, target))  # too short a video fails before any work
    with atomic_path(target) as folder:
        (folder / "videos").mkdir(parents=True)
        (folder / "labels").mkdir()
        (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
        digits = max(2, len(str(videos)))
        stems = [f"cage_{i + 1:0{digits}d}" for i in range(videos)]
        orders = [
            Order(i, frames, seed, balanced, folder / "videos" / f"{s}.mp4", folder / "labels" / f"{s}.csv")
            for i, s in enumerate(stems)
        ]
        with Progress(videos * frames, "frames", "simulate", quiet) as progress:
            for fault in run_jobs(make_video, orders, workers, progress.update):
                raise InputError(fault)
        facts = [facts_of(order) for order in orders]
        write_json(folder / "simulation.json", _description(seconds, seed, balanced, dict(zip(stems, facts))))


def _description(seconds: float, seed: int, balanced: bool, videos: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What simulation.json says."""
    import av
    import cv2

    counts = {name: sum(facts["frames_per_class"][name] for facts in videos.values()) for name in CLASSES}
    return {
        "simulated": True,
        "statement": STATEMENT,
        "seed": seed,
        "plan": "balanced" if balanced else "natural",
        "seconds": seconds,
        "frames_per_second": FPS,
        "frames_per_class": counts,
        "videos": videos,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "av": av.__version__,
        },
    }
