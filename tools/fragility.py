"""What becomes of background subtraction, and of what is built on it, when the cage changes (thesis, 3.2 and 6).

    python -m tools.fragility [--output results/fragility] [--seed K]

The current system and two networks are trained on simulated videos in which nothing changes. Then each of CHANGES is
done to the two videos held out, from their middle on, and all are measured again, before and after the middle; so is
how well the animal is followed. Everything is simulated. What is there already is not done again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from data_prep import dataset as datasets
from data_prep import metrics
from data_prep.errors import InputError
from data_prep.files import read_json
from data_prep.position import Tracker
from data_prep.prepare import prepare
from data_prep.progress import Progress
from data_prep.simulate import simulate
from data_prep.simulate.movie import write_movie
from data_prep.simulate.render import BLACK, WHITE
from data_prep.streams import start_pictures
from data_prep.video import read_frames
from tools import current, model, network, predictions
from tools.arguments import add_quiet
from tools.evaluate import evaluate
from tools.train import train

VIDEOS, SECONDS, HELD_OUT = 8, 60, 2
SIZE, FPS, FRAME = 64, 30, (640, 480)
STREAMS = ("shape", "motion", "position")
SEED = 1
NETWORKS = ("mini/shape_motion/cnn", "mini/shape_motion_position/cnn")
SOLVER = network.NETWORKS / "mini" / "solver_low_rate.prototxt"
ITERATIONS, VALIDATE_EVERY = 250, 25
SETTLED = 5  # seconds after the change in which all may still go wrong; measured by themselves
NOISE = 2.0  # grey levels: of the camera, on an animal that is still


def camera_move(width: int, height: int) -> np.ndarray:
    """The affine map, (2, 3), of pixels when someone brushes against the camera: 5 % to the right, 3 % down, and two
    degrees."""
    way = cv2.getRotationMatrix2D((width / 2, height / 2), 2.0, 1.0)
    way[:, 2] += np.array([0.05 * width, 0.03 * height])
    return way


def _moved(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape
    return cv2.warpAffine(frame, camera_move(width, height), (width, height), borderMode=cv2.BORDER_REPLICATE)


def _dimmed(frame: np.ndarray) -> np.ndarray:
    """All light falls to 60 %."""
    return cv2.convertScaleAbs(frame, alpha=0.6)


def _lit_from_a_side(frame: np.ndarray) -> np.ndarray:
    """One lamp instead of even light: 50 % at the left edge, 140 % at the right one."""
    ramp = np.linspace(0.5, 1.4, frame.shape[1], dtype=np.float32)
    return np.clip(frame * ramp, 0, 255).astype(np.uint8)


# From the middle of the video on.
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "unchanged": lambda frame: frame,
    "camera moved": _moved,
    "light dimmed": _dimmed,
    "light from a side": _lit_from_a_side,
}
STILL = "still mouse"


class Measured(NamedTuple):
    """Of one condition and part of the videos ("before" the middle, "at once" after it, "later"): the share of frames
    in which the animal was found, how far its centre is from that in the unchanged video (median, in frame widths),
    and the balanced accuracy of each system."""

    condition: str
    part: str
    found: float
    off: float
    scores: dict[str, float]


class Shown(NamedTuple):
    """A frame, and the row of `data_prep.position` in it."""

    picture: np.ndarray
    row: np.ndarray


def main(argv: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m tools.fragility", description=__doc__.split("\n")[0])
    parser.add_argument("--output", default="results/fragility", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=SEED, metavar="K", help="of the videos (default %(default)s)")
    add_quiet(parser)
    args = parser.parse_args(argv)
    fragility(Path(args.output), args.seed, args.quiet)
    return 0


def fragility(folder: Path, seed: int = SEED, quiet: bool = False) -> list[Measured]:
    """Do everything that is not there yet below `folder`/work, and write README.md, fragility.csv and the picture."""
    from tools.fragility_report import write_report

    work = folder / "work"
    home = _home_cage(work / "home_cage", seed, quiet)
    held_out = list(home.videos)[-HELD_OUT:]
    trained = _train(work, home, held_out, quiet)
    measured: list[Measured] = []
    shown: dict[str, list[Shown]] = {}
    truth: dict[str, np.ndarray] = {}
    for name in (*CHANGES, STILL):
        changed = _change(work / name.replace(" ", "_"), home, held_out, name, seed, quiet)
        tracks = {stem: _track(file) for stem, file in changed.videos.items()}
        truth = truth or tracks
        predicted = {system: _labels(place, changed, work, quiet) for system, place in trained.items()}
        for part in PARTS:
            measured.append(_measure(name, part, changed, tracks, truth, predicted))
        first = held_out[0]
        shown[name] = list(_frames(changed.videos[first], tracks[first]))
    write_report(folder, measured, shown, list(trained), seed)
    return measured


def _home_cage(place: Path, seed: int, quiet: bool) -> datasets.Dataset:
    if not (place / "simulation.json").is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        simulate(place, VIDEOS, SECONDS, seed, True, os.cpu_count() or 1, quiet)
    made_with = read_json(place / "simulation.json")["seed"]
    if made_with != seed:
        raise InputError(f"{place}: was made with --seed {made_with}; give another --output for --seed {seed}")
    prepare(place, STREAMS, SIZE, quiet=quiet)
    return datasets.open_dataset(place)


def _train(work: Path, home: datasets.Dataset, held_out: list[str], quiet: bool) -> dict[str, Path]:
    """The systems and their models."""
    made = {current.NAME: current.train(home.path, held_out, work / current.NAME, None, quiet).path}
    for name in NETWORKS:
        place = work / "models" / name.replace("/", "_")
        made[name] = train(
            name,
            home.path,
            held_out,
            place,
            solver=SOLVER,
            iterations=ITERATIONS,
            validate_every=VALIDATE_EVERY,
            workers=1,
            quiet=quiet,
        ).path
    return made


def _change(
    place: Path, home: datasets.Dataset, held_out: list[str], name: str, seed: int, quiet: bool
) -> datasets.Dataset:
    """The held-out videos with a change, as a prepared dataset with the same labels (a still animal rests)."""
    if not (place / "simulation.json").is_file():
        for part in ("videos", "labels"):
            (place / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(home.path / "classes.txt", place)
        with Progress(len(held_out), "videos", name, quiet) as progress:
            for stem in held_out:
                labels = datasets.read_labels(home.labels(stem), home.classes)
                source = home.videos[stem]
                if name == STILL:
                    labels = np.full(len(labels), home.classes.index("rest"))
                    frames = _still(source, home, stem, seed)
                else:
                    frames = _changed(source, len(labels), CHANGES[name])
                write_movie(place / "videos" / f"{stem}.mp4", map(luma, frames), FPS)
                datasets.write_labels(place / "labels" / f"{stem}.csv", home.classes, labels.tolist())
                progress.update()
        shutil.copy(home.path / "simulation.json", place)
    prepare(place, STREAMS, SIZE, quiet=quiet)
    return datasets.open_dataset(place)


def luma(grey: np.ndarray) -> np.ndarray:
    """What a video holds of grey levels that were read from one, so that they are read again as they are: reading
    widens luma to 0–255 (`data_prep.video`)."""
    return cv2.convertScaleAbs(grey, alpha=(WHITE - BLACK) / 255, beta=BLACK)


def _changed(source: Path, frames: int, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    for index, _, picture in read_frames(source):
        yield change(picture) if index >= frames // 2 else picture


def _still(source: Path, home: datasets.Dataset, stem: str, seed: int) -> Iterator[np.ndarray]:
    """The first frame of the longest rest, again and again, with a camera's noise."""
    from tools.plots.examples import longest_bout

    labels = datasets.read_labels(home.labels(stem), home.classes)
    start, _ = longest_bout(labels, home.classes.index("rest")) or (0, 0)
    still = next(picture for index, _, picture in read_frames(source) if index == start)
    random = np.random.RandomState(seed)
    for _ in labels:
        yield np.clip(still + random.normal(0, NOISE, still.shape), 0, 255).astype(np.uint8)


def _track(file: Path) -> np.ndarray:
    tracker = Tracker(start_pictures(file))
    return np.array([tracker.row(grey, seconds) for _, seconds, grey in read_frames(file)])


def _labels(place: Path, data: datasets.Dataset, work: Path, quiet: bool) -> dict[str, np.ndarray]:
    """The class of every frame of each video, by a model."""
    output = work / "reports" / data.path.name / place.name
    if not (output / "metrics.json").is_file() or read_json(output / "metrics.json")["model"] != model.load(place).hash:
        evaluate(place, data.path, output, videos=list(data.videos), workers=1, quiet=quiet)
    return {stem: predictions.read(output / stem / "predictions.csv").labels for stem in data.videos}


# Seconds since the middle of the video.
PARTS = {"before": (-np.inf, 0.0), "at once": (0.0, float(SETTLED)), "later": (float(SETTLED), np.inf)}


def part_of(frames: int, part: str) -> np.ndarray:
    """Which of a video's frames are in one of PARTS, bool (frames,)."""
    seconds = (np.arange(frames) - frames // 2) / FPS
    low, high = PARTS[part]
    return (seconds >= low) & (seconds < high)


def _measure(
    name: str,
    part: str,
    data: datasets.Dataset,
    tracks: dict[str, np.ndarray],
    unchanged: dict[str, np.ndarray],
    predicted: dict[str, dict[str, np.ndarray]],
) -> Measured:
    found, off = [], []
    truths: list[np.ndarray] = []
    labels: dict[str, list[np.ndarray]] = {system: [] for system in predicted}
    for stem, rows in tracks.items():
        there = part_of(len(rows), part)
        found.append(rows[there, -1])
        wanted = np.array([_where(row, name, part) for row in unchanged[stem]])
        both = there & (rows[:, -1] > 0) & (unchanged[stem][:, -1] > 0)
        off.append(distance_of(rows[both, :2], wanted[both], FRAME))
        truths.append(datasets.read_labels(data.labels(stem), data.classes)[there])
        for system, of_videos in predicted.items():
            labels[system].append(of_videos[stem][there])
    truth = np.concatenate(truths)
    scores = {
        system: metrics.balanced_accuracy(metrics.confusion_matrix(truth, np.concatenate(own), len(data.classes)))
        for system, own in labels.items()
    }
    distance = np.concatenate(off)
    known = name != STILL and len(distance) > 0
    off_by = float(np.median(distance)) if known else np.nan
    return Measured(name, part, float(np.concatenate(found).mean()), off_by, scores)


def distance_of(one: np.ndarray, other: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """Distances (n,) in frame widths of places (n, 2) in frame widths and heights; `frame`: width, height, pixels."""
    return np.hypot(*((one - other) * (1.0, frame[1] / frame[0])).T)


def _where(row: np.ndarray, name: str, part: str) -> np.ndarray:
    """Where the animal of an unchanged video is once the camera has moved."""
    if name != "camera moved" or part == "before":
        return row[:2]
    width, height = FRAME
    return (camera_move(width, height) @ np.array([row[0] * width, row[1] * height, 1.0])) / (width, height)


def _frames(file: Path, rows: np.ndarray) -> Iterator[Shown]:
    """A second before the middle, half a second after it, and the last frame."""
    middle = len(rows) // 2
    wanted = (middle - FPS, middle + FPS // 2, len(rows) - 1)
    for index, _, picture in read_frames(file):
        if index in wanted:
            yield Shown(picture, rows[index])


if __name__ == "__main__":
    sys.exit(main())
