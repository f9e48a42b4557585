"""What comes before training: preparing videos, motion images, position features."""

from __future__ import annotations

import shutil
from statistics import median
from typing import Any

from benchmarks import processes, videos
from benchmarks.way import Found, Way, spread, table
from data_prep.progress import Progress

TITLE = "Preparing data"
STREAMS = "shape,motion,position"
SIZE = 256
ROUNDS = 3  # at most
KEPT = 300  # frames that motion images and positions are made of, in memory
PREPARE = f"prepare, one process: {STREAMS}"
MOTION, POSITION = f"motion images of {SIZE}×{SIZE} pixels", "position features of whole frames"


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{"video": …, "frames": {what: frames a second of each round}, "prepare": [Cost of each round]}."""
    seen = videos.footage(way)
    dataset = videos.simulated(way.scratch / "data", way.quiet)
    frames = videos.SECONDS * videos.RATE
    rounds: dict[str, list[float]] = {PREPARE: [], MOTION: [], POSITION: []}
    costs = []
    repeats = min(way.repeats, ROUNDS)
    with Progress(repeats * len(rounds), "runs", "data", way.quiet) as progress:
        for _ in range(repeats):
            shutil.rmtree(dataset / "prepared", ignore_errors=True)
            given = [str(dataset), "--size", str(SIZE), "--streams", STREAMS, "--workers", "1", "--quiet"]
            costs.append(processes.measured(processes.PREDICT, "prepare", *given))
            rounds[PREPARE].append(frames / costs[-1].seconds)
            progress.update()
            rounds[MOTION].append(motion_rate(seen))
            progress.update()
            rounds[POSITION].append(position_rate(seen))
            progress.update()
    return {"video": seen.about, "frames": rounds, "prepare": [cost._asdict() for cost in costs]}


def motion_rate(seen: videos.Footage) -> float:
    """Motion images a second, of frames in memory, in one thread of Python with what OpenCV's threads add."""
    import itertools
    import time

    from data_prep import motion, streams

    kept = [frame.grey for frame in itertools.islice(streams.stored_frames(seen.file, None, SIZE), KEPT)]
    started = time.perf_counter()
    for _ in motion.motion_images(kept):
        pass
    return len(kept) / (time.perf_counter() - started)


def position_rate(seen: videos.Footage) -> float:
    """Rows of position features a second, of whole frames in memory."""
    import itertools
    import time

    from data_prep import position, streams, video

    tracker = position.Tracker(streams.start_pictures(seen.file))
    kept = list(itertools.islice(video.read_frames(seen.file), KEPT))
    started = time.perf_counter()
    for _, seconds, grey in kept:
        tracker.row(grey, seconds)
    return len(kept) / (time.perf_counter() - started)


def lines(results: dict[str, Any], found: Found) -> list[str]:
    rows = [(what, spread(rates, 0), f"{1000 / median(rates):.2f}") for what, rates in results["frames"].items()]
    memory = max(cost["memory"] for cost in results["prepare"])
    computed = median(cost["computed"] for cost in results["prepare"])
    return [
        *table(("", "frames a second", "ms a frame"), rows),
        "",
        f"On {results['video']}; `prepare` on a simulated minute of that size, from the command to its last file: "
        f"{computed:.1f} s of processors' time, {memory:.0f} MB at most.",
    ]
