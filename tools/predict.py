"""`ethocaffe predict`: the behaviour in every frame of videos, by a trained model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.progress import Progress
from tools import model
from tools.arguments import add_gpu, add_quiet, positive
from tools.videos import each_video, find_videos


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
    from tools import backend, video_stream
    from tools.video_prediction import Job, predict_video

    files = find_videos(videos)
    trained = model.load(model_path, lambda: backend.use_device(gpu))  # the engine is loaded meanwhile
    reader = video_stream.reader_of(trained, batch_size, lanes=backend.lanes(gpu))

    def work(file: Path, folder: Path, info: Any, progress: Progress) -> int:
        return predict_video(trained, reader, Job(file, folder, info, min_bout, annotated_video), progress)

    return each_video(files, trained.info["frame_rate"], Path(output), work, "predicting", quiet)
