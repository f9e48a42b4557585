"""`ethocaffe features`: what a trained model makes of every frame of videos, for other classifiers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.files import locked, read_json, remove
from data_prep.progress import Progress
from data_prep.stages import Stages
from tools import model
from tools.arguments import add_gpu, add_quiet, command_line, positive
from tools.videos import each_video, find_videos

DONE = "features.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model that `ethocaffe train` wrote")
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders of them")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="results go to DIR/<video's name without its ending>/"
    )
    parser.add_argument(
        "--blob",
        metavar="NAME",
        help="a blob of the model's deploy.prototxt with a row per frame; default: the one that the classes' scores "
        "are computed from. Its content is that after the whole forward pass: where a layer works in place, as ReLUs "
        "do, what that layer made of it. Of a current system: `features` (default), those of each template and the "
        "position, or `scores`, by each frame alone",
    )
    parser.add_argument(
        "--format",
        choices=("hdf5", "npy"),
        default="hdf5",
        help="features.h5 (default) with the datasets `features` and `times`, or features.npy and times.npy; "
        "features.json beside them says what they are",
    )
    parser.add_argument("--batch-size", type=positive, metavar="N", help="frames at a time; default: the model's")
    add_gpu(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    from tools import backend

    if args.gpu is None and not model.Model(Path(args.model), {}).recurrent:
        backend.share_cores()
    failed = features(
        args.model,
        args.videos,
        args.output,
        blob=args.blob,
        kind=args.format,
        batch_size=args.batch_size,
        gpu=args.gpu,
        quiet=args.quiet,
    )
    return 1 if failed else 0


def features(
    model_path: str | Path,
    videos: Sequence[str | Path],
    output: str | Path,
    *,
    blob: str | None = None,
    kind: str = "hdf5",
    batch_size: int | None = None,
    gpu: int | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Write a row of features for every frame of videos (thesis, section 4.5.1: "so that features could be extracted
    at this layer to use in other classifiers"). Returns the videos that failed, each reported on standard error.

    Rows are in the order of the frames, also those of a recurrent net, whose state is carried as in prediction. Each
    video is streamed; what an interrupted run has done is kept and gone on with, but for recurrent nets.
    Raises InputError where the model, the blob, the list of videos or the only video is wrong.
    """
    from tools import backend, video_stream

    if kind == "hdf5":
        import h5py  # noqa: F401  (here, so that it is missing before the work and not after it)

    files = find_videos(videos)
    trained = model.load(model_path, lambda: backend.use_device(gpu))  # the engine is loaded meanwhile
    reader = video_stream.reader_of(trained, batch_size, blob, backend.lanes(gpu))
    name = blob or reader.feature_blob
    reader.shape(name)
    options = {"output": output, "blob": name, "format": kind, "batch-size": batch_size, "gpu": gpu}
    settings = {"blob": name, "format": kind}
    command = command_line("features", [model_path, *videos], options)

    def work(file: Path, folder: Path, info: Any, progress: Progress) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            return _of_video(trained, reader, file, folder, info, settings, command, progress)

    return each_video(files, trained.info["frame_rate"], Path(output), work, "extracting features", quiet)


def _of_video(
    trained: model.Model,
    reader: Any,
    file: Path,
    folder: Path,
    info: Any,
    settings: Mapping[str, str],
    command: str,
    progress: Progress,
) -> int:
    from tools import feature_files, provenance, video_stream

    of = {**video_stream.identity(trained, reader, file), **settings}
    name, finish = feature_files.FORMATS[settings["format"]]
    if (folder / DONE).is_file() and (folder / name).is_file() and video_stream.agrees(read_json(folder / DONE), of):
        progress.skip(info.frames)
        return 0
    blob = settings["blob"]
    shape = reader.shape(blob)
    rows = feature_files.growing(folder, shape)
    stages = Stages()
    computed = video_stream.complete(
        rows, reader, file, of, lambda batch, told: reader.rows(batch, blob, told), progress, stages
    )
    remove(folder / DONE)
    about = {
        **of,
        "network": trained.info["network"],
        "classes": trained.classes,
        "frame_rate": info.fps,
        "seconds": stages.table(),
        "command": command,
        **provenance.describe(),
    }
    finish(folder, shape, about)
    return computed
