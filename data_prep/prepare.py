"""`ethocaffe prepare`: check a dataset, then turn its videos into frames, motion and positions for the networks."""
from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable

from data_prep import files
from data_prep.dataset import Dataset, choose_videos, open_dataset
from data_prep.errors import InputError
from data_prep.parallel import run_jobs
from data_prep.position import FEEDER
from data_prep.prepare_checks import check_disk, check_stray_labels, check_streams, find_job
from data_prep.prepare_video import Job, build, finished_frames
from data_prep.progress import Progress

DEFAULT_SIZE = 256
SIZES = range(16, 4097)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("dataset", type=Path, help="folder with videos/, labels/ and classes.txt")
    parser.add_argument("--streams", default="shape,motion", metavar="LIST",
                        help="what to make: shape, motion, position (default: shape,motion)")
    parser.add_argument("--size", type=int, default=DEFAULT_SIZE, metavar="PIXELS",
                        help="frames are squashed to PIXELS×PIXELS (default: %(default)s)")
    parser.add_argument("--crop", metavar="TOP,LEFT,BOTTOM,RIGHT",
                        help="keep only this region of each frame: pixels, bottom and right not included")
    parser.add_argument("--feeder", metavar="X,Y",
                        help="where the feeder is, for the position stream: in widths and heights of the frame (of the "
                             "region that --crop keeps) from its top left corner, 0 to 1 (default: 0.5,0, the middle "
                             "of the upper edge)")
    parser.add_argument("--videos", metavar="LIST", help="only these, separated by commas (default: all)")
    parser.add_argument("--workers", type=int, metavar="N",
                        help="processes, each for a video at a time, or threads of theirs where there are fewer videos "
                             "(default: one per core)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    prepare(args.dataset, args.streams.split(","), args.size, parse_region(args.crop), args.workers, args.videos,
            args.quiet, feeder=parse_feeder(args.feeder))
    return 0


def parse_region(text: str | None) -> tuple[int, int, int, int] | None:
    """The region of `TOP,LEFT,BOTTOM,RIGHT`. Raises InputError if it is not one."""
    if text is None:
        return None
    try:
        top, left, bottom, right = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--crop {text}: not a region; write four whole numbers, TOP,LEFT,BOTTOM,RIGHT") from None
    if not (0 <= top < bottom and 0 <= left < right):
        raise InputError(f"--crop {text}: an empty region; TOP must be less than BOTTOM and LEFT than RIGHT")
    return top, left, bottom, right


def parse_feeder(text: str | None) -> tuple[float, float] | None:
    """The place of `X,Y`. Raises InputError if it is not one, or lies outside the frame."""
    if text is None:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--feeder {text}: not a place; write two numbers, X,Y") from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise InputError(f"--feeder {text}: outside the frame; write X and Y from 0 to 1, in widths and heights of the "
                         "frame from its top left corner")
    return x, y


def prepare(
    dataset_path: str | os.PathLike[str],
    streams: Sequence[str] = ("shape", "motion"),
    size: int = DEFAULT_SIZE,
    crop: tuple[int, int, int, int] | None = None,
    workers: int | None = None,
    videos: str | Sequence[str] | None = None,
    quiet: bool = False,
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    feeder: tuple[float, float] | None = None,
) -> None:
    """Prepare a dataset's videos: `prepared/<stem>/` with frames.csv, an LMDB per stream and meta.json.

    `streams`: of "shape" (the frames, grey, squashed to size×size), "motion" and "position" (see `data_prep.motion`
    and `data_prep.position`); `crop`: (top, left, bottom, right) in pixels, half-open, kept of each frame first;
    `videos`: names, None for all; `free_bytes` says how much room a folder's disk has; `feeder`: its x and y in widths
    and heights of the region, 0 to 1, for the positions (None: `data_prep.position.FEEDER`).
    Everything is checked before the long work starts. What is prepared already, in the same way, is left alone.
    Raises InputError; a video that fails later does not stop the others, and leaves nothing half-written.
    """
    data = open_dataset(dataset_path)
    stems = choose_videos(data, videos)
    ordered = check_streams(streams)
    if size not in SIZES:
        raise InputError(f"--size {size}: choose {SIZES[0]} to {SIZES[-1]} pixels")
    feeder = None if feeder is None or tuple(feeder) == FEEDER else feeder
    if feeder is not None and "position" not in ordered:
        raise InputError("--feeder: only the position stream knows of a feeder; add "
                         f"--streams {','.join(ordered)},position")
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: choose at least 1")
    check_stray_labels(data)
    folder = data.path / "prepared"
    folder.mkdir(exist_ok=True)
    with files.locked(folder):
        jobs = _find_jobs(data, stems, ordered, size, crop, feeder, quiet)
        if jobs:
            need = check_disk(folder, jobs, free_bytes)
            if not quiet:
                print(need, flush=True)
            _build_all(jobs, workers or _cores(), quiet)
    if not quiet:
        print(f"{folder}: {len(jobs)} videos prepared now, {len(stems) - len(jobs)} were before")


def _find_jobs(
    data: Dataset, stems: list[str], streams: tuple[str, ...], size: int,
    crop: tuple[int, int, int, int] | None, feeder: tuple[float, float] | None, quiet: bool,
) -> list[Job]:
    jobs, faults = [], []
    with Progress(len(stems), "videos", "check", quiet) as progress:
        for stem in stems:
            try:
                job = find_job(data, stem, streams, size, crop, feeder)
            except InputError as error:
                faults.append(str(error))
            else:
                jobs += [job] if job else []
            progress.update()
    _raise_faults(faults)
    return jobs


def _build_all(jobs: list[Job], workers: int, quiet: bool) -> None:
    """Prepare the videos by so many workers: each a process for a video, or threads of one where there are fewer."""
    jobs = [replace(job, threads=max(workers // len(jobs), 1)) for job in jobs]
    with Progress(sum(job.frames for job in jobs), "frames", "prepare", quiet) as progress:
        progress.skip(sum(finished_frames(job) for job in jobs))
        faults = run_jobs(build, jobs, workers, progress.update)
    _raise_faults(faults)


def _cores() -> int:
    """The cores that this process may use; all of the machine's where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _raise_faults(faults: list[str]) -> None:
    if len(faults) > 1:
        raise InputError(f"{len(faults)} videos have faults: " + " | ".join(faults))
    if faults:
        raise InputError(faults[0])
