"""`ethocaffe predict`: the behaviour in every frame of videos, by a trained model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.progress import Progress
from tools import model, spread
from tools.arguments import add_gpu, add_quiet, positive
from tools.videos import each_video, each_video_elsewhere, find_videos


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
    spread.add_arguments(parser, "videos", "1, in this process")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    from tools import backend

    if args.gpu is None and not model.Model(Path(args.model), {}).recurrent:
        backend.share_cores()
    failed = predict(
        args.model,
        args.videos,
        args.output,
        batch_size=args.batch_size,
        min_bout=args.min_bout,
        annotated_video=args.annotated_video,
        gpu=args.gpu,
        where=where_of(args),
        quiet=args.quiet,
    )
    return 1 if failed else 0


def where_of(args: argparse.Namespace) -> spread.Where | None:
    """Where videos are predicted; None for one after the other in this process."""
    options = spread.options_of(args)
    if not any(options.values()) or (options["jobs"] == 1 and args.gpus is None):
        return None
    if args.gpu is not None:
        raise InputError("--gpu is for one video at a time; give --gpus for several at once")
    return spread.where_of(args, (), ())


def predict(
    model_path: str | Path,
    videos: Sequence[str | Path],
    output: str | Path,
    *,
    batch_size: int | None = None,
    min_bout: int = 1,
    annotated_video: bool = False,
    gpu: int | None = None,
    where: spread.Where | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Label every frame of videos. Returns the videos that failed, each reported in a line on standard error.

    Per video: predictions.csv, bouts.csv, ethogram.png, and run.json when all of them are there. What an
    interrupted run of the same model has done is kept and gone on with. `where`: several videos at once, there.
    Raises InputError where the model, the list of videos or the only video is wrong.
    """
    from tools import backend, video_stream
    from tools.video_prediction import Job, RowCount, predict_video

    files = find_videos(videos)
    if where is not None:
        trained = model.load(model_path)
        options = {"output": output, "batch-size": batch_size, "min-bout": min_bout}
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        given += ["--annotated-video"] if annotated_video else []

        def command(file: Path) -> list[str]:
            return ["predict", str(model_path), str(file), *given, "--quiet"]

        rate = trained.info["frame_rate"]
        return each_video_elsewhere(files, rate, Path(output), command, where, RowCount(), "predicting", quiet)
    trained = model.load(model_path, lambda: backend.use_device(gpu))  # the engine is loaded meanwhile
    reader = video_stream.reader_of(trained, batch_size, lanes=backend.lanes(gpu))

    def work(file: Path, folder: Path, info: Any, progress: Progress) -> int:
        return predict_video(trained, reader, Job(file, folder, info, min_bout, annotated_video), progress)

    return each_video(files, trained.info["frame_rate"], Path(output), work, "predicting", quiet)
