"""`ethocaffe predict`: the behaviour in every frame of videos, by a trained model."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep import dataset as datasets
from data_prep import video
from data_prep.errors import InputError
from data_prep.progress import Progress
from tools import model
from tools.arguments import add_gpu, add_quiet, positive

OTHER_RATE = 0.05  # relative difference of frame rates from which a line says so


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model that `ethocaffe train` wrote")
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders of them")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="results go to DIR/<video's name without its ending>/"
    )
    parser.add_argument("--batch-size", type=positive, metavar="N", help="frames at a time; default: the model's")
    parser.add_argument(
        "--min-bout",
        type=positive,
        default=1,
        metavar="FRAMES",
        help="in bouts.csv and the ethogram, "
        "give shorter bouts to their longer neighbour (default 1: none); predictions.csv stays raw",
    )
    parser.add_argument("--annotated-video", action="store_true", help="also write annotated.mp4")
    add_gpu(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    failed = predict(
        args.model,
        args.videos,
        args.output,
        batch_size=args.batch_size,
        min_bout=args.min_bout,
        annotated_video=args.annotated_video,
        gpu=args.gpu,
        quiet=args.quiet,
    )
    return 1 if failed else 0


def predict(
    model_path: str | Path,
    videos: Sequence[str | Path],
    output: str | Path,
    *,
    batch_size: int | None = None,
    min_bout: int = 1,
    annotated_video: bool = False,
    gpu: int | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Label every frame of videos. Returns the videos that failed, each reported in a line on standard error.

    Per video: predictions.csv, bouts.csv, ethogram.png, and run.json when all of them are there. What an
    interrupted run of the same model has done is kept and gone on with.
    Raises InputError where the model, the list of videos or the only video is wrong.
    """
    from tools import backend
    from tools.classifier import Classifier
    from tools.video_prediction import Job, predict_video

    trained = model.load(model_path)
    files = find_videos(videos)
    infos, failed = _probe(files, trained)
    backend.use_device(gpu)
    classifier = Classifier(trained, batch_size)
    with Progress(sum(info.frames for info in infos.values()), "frames", "predicting", quiet) as progress:
        for file, info in infos.items():
            job = Job(file, Path(output) / file.stem, info, min_bout, annotated_video)
            started, before = time.monotonic(), progress.done
            try:
                computed = predict_video(trained, classifier, job, progress)
            except InputError as error:
                if len(files) == 1:
                    raise
                failed.append(_report(file, error))
                progress.skip(max(0, before + info.frames - progress.done))
                continue
            if not quiet:
                speed = f"{computed / (time.monotonic() - started):.0f} frames/s" if computed else "done before"
                print(f"{job.folder}: {speed}")
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
                "predict them into different folders"
            )
        stems[file.stem] = file
    return files


def _probe(files: list[Path], trained: model.Model) -> tuple[dict[Path, Any], list[Path]]:
    """Each video's properties with its number of frames, and the videos that cannot be read."""
    infos, failed = {}, []
    for file in files:
        try:
            info = video.probe(file)
            infos[file] = info if info.frames else _with_frames(info, video.count_frames(file))
        except InputError as error:
            if len(files) == 1:
                raise
            failed.append(_report(file, error))
            continue
        rate = trained.info["frame_rate"]
        if abs(info.fps - rate) > OTHER_RATE * rate:
            print(
                f"warning: {file} has {info.fps:.2f} frames per second, the model was trained at {rate:.2f}: "
                "motion spans another time",
                file=sys.stderr,
            )
    return infos, failed


def _with_frames(info: Any, frames: int) -> Any:
    import dataclasses

    return dataclasses.replace(info, frames=frames)


def _report(file: Path, error: InputError) -> Path:
    print(f"error: {error}", file=sys.stderr)
    return file
