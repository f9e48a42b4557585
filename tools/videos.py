"""The videos that a command is given, and going through them one by one: a bad one does not stop the others."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable

from data_prep import dataset as datasets
from data_prep import video
from data_prep.errors import InputError
from data_prep.files import remove
from data_prep.progress import Progress
from tools import processes, spread

RUN = "run.json"  # written last
OTHER_RATE = 0.05  # relative difference of frame rates from which a line says so


def each_video(
    files: Sequence[Path],
    frame_rate: float,
    output: Path,
    work: Callable[[Path, Path, video.VideoInfo, Progress], int],
    label: str,
    quiet: bool = False,
) -> list[Path]:
    """Call `work(file, folder, info, progress)` for each video, `folder` being output/<stem>; it returns the frames
    that it has computed. Returns the videos that failed, each reported in a line on standard error.

    Raises InputError where the only video is wrong. `frame_rate` is the model's, in frames per second.
    """
    infos, failed = _probe(files, frame_rate)
    with Progress(sum(info.frames or 0 for info in infos.values()), "frames", label, quiet) as progress:
        for file, info in infos.items():
            started, before = time.monotonic(), progress.done
            folder = output / file.stem
            try:
                computed = work(file, folder, info, progress)
            except InputError as error:
                with suppress(OSError):  # not there, or something of an earlier run is in it
                    folder.rmdir()
                if len(files) == 1:
                    raise
                failed.append(_report(file, error))
                progress.skip(max(0, before + (info.frames or 0) - progress.done))
                continue
            if not quiet:
                speed = f"{computed / (time.monotonic() - started):.0f} frames/s" if computed else "done before"
                print(f"{folder}: {speed}")
    return _told(failed, files)


def each_video_elsewhere(
    files: Sequence[Path],
    frame_rate: float,
    output: Path,
    command: Callable[[Path], Sequence[str]],
    where: spread.Where,
    frames_done: Callable[[Path], int],
    label: str,
    quiet: bool = False,
) -> list[Path]:
    """As `each_video`, but each by an `ethocaffe` command of its own, several at once: `command(file)` has its
    arguments, `frames_done(folder)` the frames of which the results lie in a folder that is not finished."""
    infos, failed = _probe(files, frame_rate)
    jobs = {str(file): _job(file, output, command(file)) for file in infos}

    def done(job: processes.Job) -> int:
        frames = infos[Path(job.name)].frames or 0
        return frames if (job.output / RUN).is_file() else min(frames_done(job.output), frames)

    def ended(one: spread.Ended) -> None:
        if one.status:
            failed.append(Path(one.job.name))
            print(f"error: {one.words}", file=sys.stderr)
            return
        remove(one.job.log)
        if not quiet:
            print(f"{one.job.output}: {one.seconds:.0f} s", flush=True)

    with Progress(sum(info.frames or 0 for info in infos.values()), "frames", label, quiet) as progress:
        for job in jobs.values():
            progress.skip(done(job))
        spread.run_jobs(jobs.values(), where, done, progress, ended)
    return _told(failed, files)


def _job(file: Path, output: Path, arguments: Sequence[str]) -> processes.Job:
    return processes.Job(str(file), arguments, output / file.stem, output / f"{file.stem}.log")


def _told(failed: list[Path], files: Sequence[Path]) -> list[Path]:
    if failed:
        print(
            f"{len(failed)} of {len(files)} videos failed: {', '.join(str(file) for file in failed)}", file=sys.stderr
        )
    return failed


def find_videos(given: Sequence[str | Path]) -> list[Path]:
    """The files named, and those in the folders named. Raises InputError where two have the same stem."""
    files: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix.lower() in datasets.VIDEO_SUFFIXES and not file.name.startswith(".")
            )
            if not inside:
                raise InputError(f"{path}: no video in this folder")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    stems: dict[str, Path] = {}
    for file in files:
        if file.stem in stems:
            raise InputError(
                f"{stems[file.stem]} and {file} would both be written to {file.stem}/; rename one, or "
                "give each an --output of its own"
            )
        stems[file.stem] = file
    return files


def _probe(files: Sequence[Path], rate: float) -> tuple[dict[Path, video.VideoInfo], list[Path]]:
    """Each video's properties with its number of frames, and the videos that cannot be read."""
    infos, failed = {}, []
    for file in files:
        try:
            info = video.probe(file)
            infos[file] = info if info.frames else dataclasses.replace(info, frames=video.count_frames(file))
        except InputError as error:
            if len(files) == 1:
                raise
            failed.append(_report(file, error))
            continue
        if abs(info.fps - rate) > OTHER_RATE * rate:
            print(
                f"warning: {file} has {info.fps:.2f} frames per second, the model was trained at {rate:.2f}: "
                "motion spans another time",
                file=sys.stderr,
            )
    return infos, failed


def _report(file: Path, error: InputError) -> Path:
    print(f"error: {error}", file=sys.stderr)
    return file
