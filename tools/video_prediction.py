"""Predicting one video: streamed, gone on with after an interruption, and complete or absent."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import video
from data_prep.files import atomic_path, locked, read_json, remove, write_json
from data_prep.progress import Progress
from data_prep.stages import Stages
from tools import bouts, feature_files, feed, predictions, video_stream
from tools.classifier import Classifier
from tools.current_video import SCORES, Extractor
from tools.model import Model

DONE, PART, PART_OF = "run.json", "predictions.csv.part", "run.json.part"


class Job(NamedTuple):
    """A video, the folder for its results, its properties, and what is wanted."""

    video: Path
    folder: Path
    info: video.VideoInfo
    min_bout: int
    annotated_video: bool


def predict_video(trained: Model, reader: video_stream.Reader, job: Job, progress: Progress) -> int:
    """Predict a video, or what an earlier run left to do. Returns the number of frames computed now."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with locked(job.folder):
        return _predict(trained, reader, job, progress)


def _predict(trained: Model, reader: video_stream.Reader, job: Job, progress: Progress) -> int:
    identity = video_stream.identity(trained, reader, job.video)
    wanted = {"min_bout": job.min_bout, "annotated_video": job.annotated_video}
    before = read_json(job.folder / DONE) if (job.folder / DONE).is_file() else {}
    complete = job.folder / "predictions.csv"
    stages = Stages()
    started = time.monotonic()
    if video_stream.agrees(before, identity) and complete.is_file():
        progress.skip(job.info.frames or 0)
        if video_stream.agrees(before, wanted):
            return 0
        computed, source = 0, complete
    else:
        if isinstance(reader, Extractor):
            computed = _label_sequence(reader, job, identity, trained.classes, progress, stages)
        else:
            computed = _label_frames(reader, job, identity, trained.classes, progress, stages)
        source = job.folder / PART
    remove(job.folder / DONE)
    with stages.works("results"):
        _write_results(trained, job, source)
    os.replace(source, complete)
    of = {**identity, **wanted, "seconds": stages.table()}
    _write_run(trained, job, of, before, computed, time.monotonic() - started)
    remove(job.folder / PART_OF)
    return computed


def _label_frames(
    reader: Classifier, job: Job, identity: dict[str, Any], classes: list[str], progress: Progress, stages: Stages
) -> int:
    """Predictions in their temporary place, frame by frame; returns the number of frames computed now."""
    rows = _rows(job.folder, classes)
    return video_stream.complete(rows, reader, job.video, identity, reader.probabilities, progress, stages)


def _label_sequence(
    reader: Extractor, job: Job, identity: dict[str, Any], classes: list[str], progress: Progress, stages: Stages
) -> int:
    """The same by the current system: the scores of all frames, streamed, and then their best sequence of labels."""
    shape = reader.shape(SCORES)
    rows = feature_files.growing(job.folder, shape)
    computed = video_stream.complete(
        rows, reader, job.video, identity, lambda batch, told: reader.rows(batch, SCORES, told), progress, stages
    )
    times, scores = feature_files.grown(job.folder, shape)
    predictions.write(job.folder / PART, range(len(times)), times, reader.shares(scores), classes)
    for file in (*rows.files, rows.about):
        remove(file)
    return computed


def _rows(folder: Path, classes: list[str]) -> video_stream.Rows:
    """The file of predictions in its temporary place."""
    part = folder / PART

    def begin() -> None:
        part.write_text(predictions.header(classes), encoding="utf-8")

    def append(batch: feed.Batch, probabilities: np.ndarray) -> None:
        frames = range(batch.first, batch.first + len(batch.times))
        with open(part, "a", encoding="utf-8", newline="") as file:
            file.write(predictions.rows(frames, batch.times, probabilities, classes))

    return video_stream.Rows((part,), folder / PART_OF, begin, lambda whole: _keep(part, whole), append)


def _keep(part: Path, whole: int) -> int:
    """Cut a file of predictions after its last multiple of `whole` rows; returns the number of rows kept."""
    ends = [0]
    with open(part, "rb") as file:
        for line in file:
            ends.append(ends[-1] + len(line) if line.endswith(b"\n") else ends[-1])
    rows = max(0, sum(end > start for start, end in zip(ends, ends[1:])) - 1)
    kept = rows - rows % whole
    if kept:
        os.truncate(part, ends[kept + 1])
    return kept


class RowCount:
    """Counts the frames that another process has predicted in a folder so far, reading what has come since the last
    time."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, int]] = {}  # bytes, lines

    def __call__(self, folder: Path) -> int:
        read, lines = self._seen.get(folder, (0, 0))
        with suppress(FileNotFoundError), open(folder / PART, "rb") as file:
            if os.fstat(file.fileno()).st_size < read:  # it was cut, or begun anew
                read = lines = 0
            file.seek(read)
            for piece in iter(lambda: file.read(1 << 20), b""):
                read, lines = read + len(piece), lines + piece.count(b"\n")
            self._seen[folder] = read, lines
        return max(lines - 1, 0)


def _write_results(trained: Model, job: Job, source: Path) -> None:
    from tools.plots.ethogram import plot_ethogram

    predicted = predictions.read(source)
    labels = bouts.absorb_short(predicted.labels, job.min_bout)
    rows = bouts.table(labels, predicted.times, 1 / job.info.fps, trained.classes, predicted.probabilities)
    with atomic_path(job.folder / "bouts.csv") as temporary:
        bouts.write_table(temporary, rows)
    plot_ethogram(
        {"predicted": (predicted.times, labels)}, trained.classes, job.folder / "ethogram.png", job.video.name
    )
    if job.annotated_video:
        from tools.annotated_video import write_annotated

        write_annotated(
            job.video, job.folder / "annotated.mp4", labels, predicted.probabilities, trained.classes, job.info.fps
        )


def _write_run(
    trained: Model, job: Job, of: dict[str, Any], before: dict[str, Any], computed: int, seconds: float
) -> None:
    from tools import provenance

    speed = computed / seconds if computed else before.get("frames_per_second")
    write_json(
        job.folder / DONE,
        {
            **of,
            "network": trained.info["network"],
            "classes": trained.classes,
            "fps": job.info.fps,
            "width": job.info.width,
            "height": job.info.height,
            "frames_per_second": speed,
            **provenance.describe(),
        },
    )
