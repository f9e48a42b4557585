"""What many cameras cost: storage, network, hours of computing and money, worked out from what was measured.

    python -m benchmarks.scale [--cameras N] [--hours H] [--size WxH] [--rate R] [--bench FILE] [--seconds SYSTEM=S …]
                               [--gpu-seconds SYSTEM=S …] [--core-price P] [--watts W] … [--into FILE] [VIDEO …]

Prints Markdown. VIDEOs are compressed recordings, whose bytes per pixel and frame the storage is taken from. Seconds of
one core per minute of video come from the file that `make bench` writes (results/bench.json), or from --seconds. All
that is not measured is an argument and is said. --into puts the text between the marks in that file.
"""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json
from tools import predictions
from tools.arguments import positive

DAY = 24 * 60  # minutes
BENCHED = Path("results") / "bench.json"
NO_SYSTEM = "decoding alone"
BEGIN, END = "<!-- made by `{}` -->", "<!-- made so far -->"
CLASSES = 9  # of the thesis


class Lab(NamedTuple):
    """cameras: their number; hours: of footage of each a day; width, height: pixels; rate: frames a second."""

    cameras: int
    hours: float
    width: int
    height: int
    rate: float

    @property
    def minutes(self) -> float:
        """Minutes of video a day, of all cameras."""
        return self.cameras * self.hours * 60


class Unit(NamedTuple):
    """What computes: a core or a GPU. watts: at work, with its share of its machine's power; hour: the price of renting
    one, kilowatt_hour: of electricity, in one currency."""

    name: str
    watts: float
    hour: float
    kilowatt_hour: float


class Video(NamedTuple):
    """A recording: its codec, size in pixels, frames a second, frames, and the bytes of its pictures."""

    name: str
    codec: str
    width: int
    height: int
    rate: float
    frames: int
    size: int

    @property
    def per_pixel(self) -> float:
        """Bytes for a pixel of a frame."""
        return self.size / (self.frames * self.width * self.height)

    @property
    def per_minute(self) -> float:
        return self.size / self.frames * self.rate * 60


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = _parser().parse_args(arguments)
    try:
        lab = Lab(args.cameras, args.hours, *_size(args.size), args.rate)
        cores = Unit("core", args.watts, args.core_price, args.electricity)
        gpus = Unit("GPU", args.gpu_watts, args.gpu_price, args.electricity)
        seconds = dict(map(_seconds, args.seconds)) or benched(args.bench)
        videos = [read_video(Path(file)) for file in args.videos]
        text = "\n".join(page(lab, videos, cores, seconds, gpus, dict(map(_seconds, args.gpu_seconds))))
        if args.into:
            shown = _without(arguments, "--into", args.into)
            put_into(args.into, text, "python -m benchmarks.scale " + shlex.join(shown))
        else:
            print(text)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="What many cameras cost.")
    parser.add_argument("videos", metavar="VIDEO", nargs="*", help="compressed recordings to measure")
    parser.add_argument("--cameras", type=positive, default=100, metavar="N", help="(%(default)s)")
    parser.add_argument("--hours", type=float, default=24, metavar="H", help="of footage of each a day (%(default)s)")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="pixels (%(default)s)")
    parser.add_argument("--rate", type=float, default=30, metavar="R", help="frames a second (%(default)s)")
    parser.add_argument("--bench", type=Path, default=BENCHED, metavar="FILE", help="of `make bench` (%(default)s)")
    parser.add_argument(
        "--seconds", action="append", default=[], metavar="SYSTEM=S", help="seconds of a core per minute of video"
    )
    parser.add_argument(
        "--gpu-seconds", action="append", default=[], metavar="SYSTEM=S", help="seconds of a GPU per minute of video"
    )
    parser.add_argument("--core-price", type=float, default=0.04, metavar="P", help="of a core-hour (%(default)s)")
    parser.add_argument("--watts", type=float, default=8, metavar="W", help="of a core at work (%(default)s)")
    parser.add_argument("--gpu-price", type=float, default=1, metavar="P", help="of a GPU-hour (%(default)s)")
    parser.add_argument("--gpu-watts", type=float, default=350, metavar="W", help="of a GPU at work (%(default)s)")
    parser.add_argument("--electricity", type=float, default=0.3, metavar="P", help="of a kilowatt-hour (%(default)s)")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the text between the marks in this file")
    return parser


def page(
    lab: Lab,
    videos: Sequence[Video],
    cores: Unit,
    seconds: Mapping[str, float],
    gpus: Unit,
    gpu_seconds: Mapping[str, float],
) -> list[str]:
    """Lines of Markdown. `seconds`: of one core per minute of video, by system; `gpu_seconds`: of one GPU."""
    return [
        f"{lab.cameras} cameras, {lab.hours:g} h a day, {lab.width}×{lab.height} pixels, {lab.rate:g} frames a second: "
        f"{lab.minutes / 60:,.0f} hours of video and {lab.minutes * 60 * lab.rate / 1e6:,.0f} million frames a day.",
        "",
        *storage(lab, videos),
        "",
        *computing(lab, cores, seconds, gpus, gpu_seconds),
    ]


def storage(lab: Lab, videos: Sequence[Video]) -> list[str]:
    """What footage and results take, raw and as the videos are compressed."""
    pixels = lab.width * lab.height
    frames = lab.minutes * 60 * lab.rate  # a day
    kept: list[tuple[str, str, float]] = [("raw, 3 bytes a pixel", "", 3 * pixels), ("raw, grey", "", pixels)]
    for video in videos:
        about = f"{video.width}×{video.height}, {video.rate:.0f} frames/s: {video.per_minute / 1e6:.2f} MB a minute"
        kept.append((f"{video.codec}, as {video.name}", about, video.per_pixel * pixels))
    kept.append((f"predictions.csv, {CLASSES} classes", "", bytes_of_row(lab)))
    rows = [
        "| footage | measured | MB a minute | a camera's day | all, a day | all, a year | network, all |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, about, per_frame in kept:
        minute, day = per_frame * lab.rate * 60, per_frame * frames
        rows.append(
            f"| {name} | {about} | {_number(minute / 1e6)} | {_bytes(day / lab.cameras)} | {_bytes(day)} | "
            f"{_bytes(365 * day)} | {_number(8 * day / 86400 / 1e6)} Mbit/s |"
        )
    return rows


def computing(
    lab: Lab, cores: Unit, seconds: Mapping[str, float], gpus: Unit, gpu_seconds: Mapping[str, float]
) -> list[str]:
    """What labelling every frame takes, on cores and on GPUs."""
    columns = "system | {0}-seconds a minute of video | {0}-hours a day | {0}s that keep up | kWh a day | "
    columns += "electricity a day | rented, a day"
    lines: list[str] = []
    for unit, costs in ((cores, seconds), (gpus, gpu_seconds)):
        if costs:
            lines += [f"| {columns.format(unit.name)} |", "|---|---:|---:|---:|---:|---:|---:|"]
            lines += [_row(lab, unit, system, one) for system, one in costs.items()]
            lines += [
                "",
                f"Assumed, each an argument: {unit.watts:g} W for a {unit.name} at work with its share of its machine, "
                f"{unit.kilowatt_hour:g} for a kilowatt-hour, {unit.hour:g} for a rented {unit.name}-hour, in one "
                "currency.",
                "",
            ]
    return lines[:-1]


def _row(lab: Lab, unit: Unit, system: str, seconds: float) -> str:
    hours = lab.minutes * seconds / 3600
    energy = hours * unit.watts / 1000
    return (
        f"| {system} | {seconds:.1f} | {hours:,.0f} | {math.ceil(hours / 24):,} | {energy:,.0f} | "
        f"{energy * unit.kilowatt_hour:,.0f} | {hours * unit.hour:,.0f} |"
    )


def benched(file: Path) -> dict[str, float]:
    """Seconds of one core per minute of video, by system, that `make bench` measured: medians of its rounds. Raises
    InputError where the file has none."""
    try:
        part = read_json(file)["parts"]["predict"]["results"]
        minutes = part["minutes"]
        costs = {name: [cost["computed"] / minutes for cost in rounds] for name, rounds in part["costs"].items()}
    except (KeyError, TypeError):
        raise InputError(f"{file}: has no part `predict`; run `make bench`, or give --seconds SYSTEM=S") from None
    return {name: median(found) for name, found in costs.items() if name != NO_SYSTEM}


def read_video(file: Path) -> Video:
    """A recording's sizes, from its packets. Raises InputError where it is none."""
    import av

    try:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            sizes = [packet.size for packet in container.demux(stream) if packet.dts is not None]
            codec, rate = stream.codec_context.name, float(stream.average_rate or 0)
            width, height = stream.width, stream.height
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise InputError(f"{file}: cannot be read as a video ({error})") from None
    if not sizes or not rate:
        raise InputError(f"{file}: has no frames, or no frame rate")
    return Video(file.name, codec, width, height, rate, len(sizes), sum(sizes))


def bytes_of_row(lab: Lab) -> float:
    """Bytes of a row of predictions.csv, at the middle of a camera's day."""
    classes = [f"behaviour{number}"[-9:] for number in range(CLASSES)]
    frame = int(lab.hours * 1800 * lab.rate)
    row = predictions.rows([frame], [frame / lab.rate], np.full((1, CLASSES), 1 / CLASSES), classes)
    return len(row.encode())


def put_into(file: Path, text: str, command: str) -> None:
    """Replace what stands between the marks of a file. Raises InputError where they are not there."""
    whole = file.read_text(encoding="utf-8")
    begin = re.escape(BEGIN).replace(re.escape("{}"), ".*")
    marked = re.compile(f"{begin}\n.*?{re.escape(END)}", re.DOTALL)
    if not marked.search(whole):
        raise InputError(f"{file}: lacks the marks {BEGIN.format('…')} and {END}")
    changed = marked.sub(lambda _: f"{BEGIN.format(command)}\n{text}\n{END}", whole, count=1)
    with atomic_path(file) as temporary:
        temporary.write_text(changed, encoding="utf-8")


def _without(arguments: Sequence[str], name: str, value: Path) -> list[str]:
    return [one for one in arguments if one not in (name, f"{name}={value}", str(value))]


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if not found or "0" in found.groups():
        raise InputError(f"--size {text}: give width and height in pixels, such as 640x480")
    return int(found.group(1)), int(found.group(2))


def _seconds(text: str) -> tuple[str, float]:
    system, _, number = text.rpartition("=")
    try:
        return system, float(number)
    except ValueError:
        raise InputError(f"--seconds {text}: give SYSTEM=SECONDS, such as shape/cnn=40") from None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bytes(number: float) -> str:
    """`1.6 TB`, in powers of a thousand."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1e6:.3g} MB"


if __name__ == "__main__":
    sys.exit(main())
