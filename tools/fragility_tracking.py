"""How well the animal is followed when the cage changes, against where it truly is (thesis, 3.2).

    python -m tools.fragility_tracking [--output results/fragility] [--real DATA] [--seed K]

The changes of `tools.fragility`, on the same simulated videos, whose true centres the simulator knows, and on one in
which the mouse only rests. `--real` names a folder of real videos: an open field with another tracker's x and y, and a
home cage of which one frame is repeated with a camera's noise. Only numbers of those are written, no picture.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.files import atomic_path
from data_prep.images import crop_grey
from data_prep.patches import working
from data_prep.position import Tracker
from data_prep.progress import Progress
from data_prep.simulate import simulate
from data_prep.simulate.movie import write_movie
from data_prep.simulate.plan import Bout
from data_prep.simulate.production import Order, pictures, places
from data_prep.streams import start_pictures
from data_prep.video import probe, read_frames
from tools import fragility
from tools.arguments import add_quiet

SIMULATED, OPEN_FIELD, HOME_CAGE = "simulated", "real open field", "real home cage, one frame repeated"
CAPTION = 208  # the real home cage's rows from here on hold letters
FRAMES = fragility.SECONDS * fragility.FPS
FILE = "tracking"


class Row(NamedTuple):
    """Of one video, condition and part: frames, the share of them in which the animal was found, and the distance of
    its centre from the true one there, in frame widths: median and 95th percentile (nan where no truth is known)."""

    video: str
    condition: str
    part: str
    frames: int
    found: float
    median: float
    most: float


def main(argv: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m tools.fragility_tracking", description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("results/fragility"), metavar="DIR")
    parser.add_argument("--real", type=Path, metavar="DATA", help="folder with open_field_10000.mp4 and home_cage.mp4")
    parser.add_argument("--seed", type=int, default=fragility.SEED, metavar="K", help="default %(default)s")
    add_quiet(parser)
    args = parser.parse_args(argv)
    rows = simulated(args.output / "work", args.seed, args.quiet)
    if args.real:
        rows += real(args.real, args.seed, args.quiet)
    write(args.output, rows, args.seed, bool(args.real))
    return 0


def simulated(work: Path, seed: int, quiet: bool) -> list[Row]:
    """The held-out simulated videos under each change, and one that is rest only."""
    home = work / "home_cage"
    if not (home / "simulation.json").is_file():
        work.mkdir(parents=True, exist_ok=True)
        simulate(home, fragility.VIDEOS, fragility.SECONDS, seed, True, os.cpu_count() or 1, quiet)
    rows: list[Row] = []
    for number in range(fragility.VIDEOS - fragility.HELD_OUT, fragility.VIDEOS):
        file = home / "videos" / f"cage_{number + 1:02d}.mp4"
        order = Order(number, FRAMES, seed, True, file, file)
        rows += changed(f"{SIMULATED} {file.stem}", file, places(order), quiet)
        resting, rest = work / "rest_only" / file.name, [Bout("rest", 0, FRAMES)]
        if not resting.is_file():
            with atomic_path(resting) as temporary:
                write_movie(temporary, pictures(order, rest), fragility.FPS)
        tracked = track(resting, {"rest only": None}, quiet)["rest only"]
        rows += measured(f"{SIMULATED} {file.stem}", "rest only", tracked, places(order, rest), (640, 480))
    return rows


def real(folder: Path, seed: int, quiet: bool) -> list[Row]:
    """The real open field under each change, and a still mouse in the real home cage."""
    rows = changed(OPEN_FIELD, folder / "open_field_10000.mp4", _other_track(folder), quiet)
    _, _, picture = next(iter(read_frames(folder / "home_cage.mp4")))
    random = np.random.RandomState(seed)
    still = crop_grey(picture, (0, 0, CAPTION, picture.shape[1]))
    noisy = (
        np.clip(still + random.normal(0, fragility.NOISE, still.shape), 0, 255).astype(np.uint8) for _ in range(FRAMES)
    )
    start = [next(noisy) for _ in range(60)]
    tracker = Tracker([working(one) for one in start])
    tracked = np.array([tracker.row(one, index / fragility.FPS) for index, one in enumerate([*start, *noisy])])
    return rows + measured(HOME_CAGE, "still mouse", tracked, None, still.shape[::-1])


def _other_track(folder: Path) -> np.ndarray:
    """The other program's places, (frames, 2), in frame widths and heights; nan where it has none."""
    with open(folder / "open_field_10000_track.csv", newline="", encoding="utf-8") as file:
        rows = [(int(float(row["frame"])) - 1, row["pos_x"], row["pos_y"]) for row in csv.DictReader(file)]
    where = np.full((max(row[0] for row in rows) + 1, 2), np.nan)
    for frame, x, y in rows:
        where[frame] = float(x or "nan"), float(y or "nan")
    return where / fragility.FRAME


def changed(name: str, file: Path, truth: np.ndarray, quiet: bool) -> list[Row]:
    """The rows of one video under each of the changes. truth: (frames, 2), in frame widths and heights."""
    size = probe(file)
    frame = (size.width, size.height)
    tracks = track(file, dict(fragility.CHANGES), quiet, len(truth))
    rows: list[Row] = []
    for condition, tracked in tracks.items():
        wanted = truth[: len(tracked)].copy()
        if condition == "camera moved":
            later = np.arange(len(wanted)) >= len(wanted) // 2
            homogeneous = np.column_stack([wanted[later] * frame, np.ones(later.sum())])
            wanted[later] = homogeneous @ fragility.camera_move(*frame).T / frame
        rows += measured(name, condition, tracked, wanted, frame)
    return rows


def track(
    file: Path, changes: dict[str, Callable[[np.ndarray], np.ndarray] | None], quiet: bool, frames: int = FRAMES
) -> dict[str, np.ndarray]:
    """`data_prep.position` rows, (frames, 11), of a video under each change from its middle on: read once.

    The background starts from the first START seconds, which must lie before the middle; they are of all changes.
    """
    start = start_pictures(file)
    trackers = {name: Tracker(start) for name in changes}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in changes}
    with Progress(frames, "frames", f"tracking {file.stem}", quiet) as progress:
        for index, seconds, grey in read_frames(file):
            for name, change in changes.items():
                seen = change(grey) if change and index >= frames // 2 else grey
                rows[name].append(trackers[name].row(seen, seconds))
            progress.update()
    return {name: np.array(own) for name, own in rows.items()}


def measured(
    video: str, condition: str, tracked: np.ndarray, truth: np.ndarray | None, frame: tuple[int, int]
) -> list[Row]:
    """A row per part of the video."""
    rows = []
    for part in fragility.PARTS:
        there = fragility.part_of(len(tracked), part)
        found = there & (tracked[:, -1] > 0)
        off = np.array([np.nan])
        if truth is not None and (known := found & ~np.isnan(truth).any(axis=1)).any():
            off = fragility.distance_of(tracked[known, :2], truth[known], frame)
        share = float(tracked[there, -1].mean())
        median, most = np.percentile(off, [50, 95])
        rows.append(Row(video, condition, part, int(there.sum()), share, float(median), float(most)))
    return rows


def write(folder: Path, rows: Iterable[Row], seed: int, with_real: bool) -> None:
    """tracking.csv and tracking.md."""
    from tools import provenance

    rows, origin = list(rows), provenance.describe()
    with atomic_path(folder / f"{FILE}.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows([*row[:4], *("" if np.isnan(n) else f"{n:.4f}" for n in row[4:])] for row in rows)
    heads = ("video", "condition", "part", "frames", "animal found", "centre off by, median", "95th percentile")
    lines = [[*map(str, row[:4]), *("–" if np.isnan(n) else f"{100 * n:.1f} %" for n in row[4:])] for row in rows]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *lines))
    command = f"python -m tools.fragility_tracking --seed {seed}" + (" --real DATA" if with_real else "")
    about = f"On {origin['machine']}, commit {origin['commit']}, {origin['date']}."
    with atomic_path(folder / f"{FILE}.md") as temporary:
        temporary.write_text(f"{TEXT}\n{table}\n{NOTES}\n    {command}\n\n{about}\n", encoding="utf-8")


TEXT = """\
# Where the animal is, when the cage changes

The tracker alone (`data_prep.position`), under the changes of [README.md](README.md), from the middle of each video on;
*at once* are the five seconds after it. Videos are **simulated** where it says so, and the true centre is then the
simulator's, of trunk and head. Of the real open field it is another program's track, which is no ground truth either.
*Rest only* is a simulated mouse that breathes and shifts a little in its sleep for a minute; in the real home cage one
frame is repeated with a camera's noise, so that nothing moves.
"""
NOTES = """
*Centre off by*: distance from there, in frame widths, over the frames in which the animal was found. A camera that has
moved shows the animal elsewhere: the distance is from where it is in the moved picture.
"""

if __name__ == "__main__":
    sys.exit(main())
