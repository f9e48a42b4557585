"""`make bench`: what a minute of video costs, from the command to its files, by each system on this machine.

    python -m tools.bench [--video FILE] [--repeats N] [--gpu N] [--output results/bench.md]

Each is `ethocaffe predict` in a process of its own, with decoding, features, labels and pictures. The models are not
trained: weights are drawn at random, and what they are changes no time. Without --video, a simulated minute is made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from data_prep import video
from data_prep.files import atomic_path
from data_prep.progress import Progress
from tools import model, network
from tools.arguments import add_gpu, add_quiet, command_line, positive

NETWORKS = ("mini/shape_motion/cnn", "shape/cnn", "shape_motion/cnn", "shape_motion/lstm_after")
CLASSES = ("drink", "eat", "groom", "hang", "sniff", "rear", "rest", "walk", "eathand")
RATE = 30.0
SEED = 1
ROOT = Path(__file__).resolve().parents[1]
DECODE = "import sys; from data_prep.video import read_frames; sum(1 for _ in read_frames(sys.argv[1])); status = 0;"
PREDICT = "import sys; from tools import cli; status = cli.main(sys.argv[1:]);"
# Not getrusage's, which begins with what the process held that started this one.
PEAK = """
from pathlib import Path
lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
print(next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), "nan"))
sys.exit(status)
"""


class Cost(NamedTuple):
    """Seconds of wall-clock time, and the most memory that the process held, in MB (not a number where Linux's /proc is
    not there)."""

    seconds: float
    memory: float


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--video", metavar="FILE", help="default: a simulated minute of 640×480 pixels")
    parser.add_argument(
        "--repeats", type=positive, default=3, metavar="N", help="rounds, systems in turn (%(default)s)"
    )
    parser.add_argument("--output", default="results/bench.md", metavar="FILE", help="default: %(default)s")
    add_gpu(parser)
    add_quiet(parser)
    args = parser.parse_args(argv)
    text = bench(args.video, args.repeats, args.gpu, args.quiet)
    with atomic_path(Path(args.output)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if not args.quiet:
        print(text)
    return 0


def bench(given: str | None, repeats: int, gpu: int | None, quiet: bool) -> str:
    """Measure every system `repeats` times, in turn; returns the page."""
    from tools import provenance

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = Path(given) if given else _simulated(folder / "data", quiet)
        info = video.probe(file)
        frames = sum(1 for _ in video.read_frames(file))
        systems: dict[str, Callable[[Path], None]] = {"current_system": _make_current_system}
        systems.update({name: partial(_make_network, name) for name in NETWORKS})
        for name, make in systems.items():
            (folder / name).mkdir(parents=True)
            make(folder / name)
        costs: dict[str, list[Cost]] = {"decoding alone": [], **{name: [] for name in systems}}
        with Progress(repeats * len(costs), "runs", "measuring", quiet) as progress:
            for turn in range(repeats):
                for name, found in costs.items():
                    output = folder / "out" / f"{turn}" / name
                    found.append(_decode(file) if name not in systems else _predict(folder / name, file, output, gpu))
                    progress.update()
    source = "a simulated minute" if given is None else file.name
    options = {"video": given, "repeats": repeats, "gpu": gpu}
    command = command_line("bench", [], options).replace("ethocaffe bench", "python -m tools.bench")
    about = f"{source}: {frames} frames of {info.width}×{info.height} pixels, {info.fps:.0f} a second"
    return _page(costs, frames, info.fps, about, command, provenance.describe())


def _simulated(folder: Path, quiet: bool) -> Path:
    from data_prep.simulate import simulate

    simulate(folder, 1, 60, SEED, True, 1, quiet)
    return next((folder / "videos").iterdir())


def _make_network(name: str, folder: Path) -> None:
    """A model of a network of prototxt/ with the weights that its fillers draw."""
    from tools.backend import load_caffe

    caffe = load_caffe()
    place = network.find_network(name)
    deploy = network.read_net(place / model.DEPLOY)
    network.write_message(folder / model.DEPLOY, deploy)
    (folder / model.TRAIN_VAL).write_bytes((place / model.TRAIN_VAL).read_bytes())
    caffe.set_random_seed(SEED)
    caffe.Net(str(folder / model.DEPLOY), caffe.TEST).save(str(folder / model.WEIGHTS))
    data = network.data_settings(network.read_net(place / model.TRAIN_VAL), "TEST", place / model.TRAIN_VAL)
    way = {"region": None, "stored_size": data["size"], "size": data["size"], "crop": data["crop"]}
    frames = data["batch_size"] * data["sequence_length"]
    _save(folder, name, data["streams"], {**way, "mean": data["mean"], "batch_size": frames}, model.SIGNED)


def _make_current_system(folder: Path) -> None:
    """A current system with templates and weights drawn at random."""
    from current_system import sequence_model, system, templates
    from data_prep.position import FEATURES
    from tools import current

    random = np.random.RandomState(SEED)
    halves = [random.rand(templates.KEPT // len(templates.SIZES), 4 * side * side) for side in templates.SIZES]
    patches = tuple((half / np.linalg.norm(half, axis=1, keepdims=True)).astype(np.float32) for half in halves)
    numbers = templates.KEPT + len(FEATURES)
    empty = sequence_model.zeros(len(CLASSES), numbers)
    weights = sequence_model.Weights(*(random.normal(size=part.shape) for part in empty))
    made = system.System(2, templates.Templates(patches), np.zeros(numbers), np.ones(numbers), weights)
    system.save(folder / system.FILE, made)
    _save(folder, current.NAME, [], {"region": None}, (system.FILE,))


def _save(folder: Path, name: str, streams: list[str], way: dict[str, Any], signed: Sequence[str]) -> None:
    info = {"network": name, "classes": list(CLASSES), "streams": streams, "preprocessing": way, "frame_rate": RATE}
    model.save(folder, {**info, "held_out": [], "settings": {}}, signed)


def _decode(file: Path) -> Cost:
    return _measured(["-c", DECODE + PEAK, str(file)])


def _predict(trained: Path, file: Path, output: Path, gpu: int | None) -> Cost:
    more = [] if gpu is None or not (trained / model.DEPLOY).is_file() else ["--gpu", str(gpu)]
    given = ["predict", str(trained), str(file), "--output", str(output), "--quiet", *more]
    return _measured(["-c", PREDICT + PEAK, *given])


def _measured(arguments: Sequence[str]) -> Cost:
    """A Python process's cost; its errors go where ours go. Raises CalledProcessError where it fails."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Cost(time.monotonic() - started, float(done.stdout.split()[-1]))


def _page(
    costs: dict[str, list[Cost]], frames: int, fps: float, about: str, command: str, origin: dict[str, Any]
) -> str:
    minutes = frames / fps / 60
    lines = [
        "# What a minute of video costs",
        "",
        f"On {origin['machine']}: {about}.",
        "`ethocaffe predict` from its start to its last file, each in a process of its own, in turn; the median of the",
        "rounds, and the fastest and the slowest.",
        "",
        "| system | seconds per minute of video | | frames a second | memory |",
        "|---|---|---|---|---|",
    ]
    for name, found in costs.items():
        seconds = [cost.seconds / minutes for cost in found]
        rate = 60 * fps / median(seconds)
        memory = max(cost.memory for cost in found)
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        lines.append(f"| {name} | {median(seconds):.1f} | {spread} | {rate:.0f} | {memory:.0f} MB |")
    lines += [
        "",
        "The thesis's networks, on a GPU, needed an eighth of the time of the current system of then (section 6). Here",
        "the current system's filters see a window around the animal, which is little to compute.",
        "",
        f"    {command}",
        "",
        f"Commit {origin['commit']}, {origin['date']}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
