"""Predicting one video: streamed, gone on with after an interruption, and complete or absent."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from data_prep import video
from data_prep.files import atomic_path, locked, naming, read_json, remove, sha256, write_json
from data_prep.progress import Progress
from tools import bouts, feed, predictions
from tools.classifier import Classifier
from tools.model import Model

DONE, PART, PART_OF = "run.json", "predictions.csv.part", "run.json.part"


class Job(NamedTuple):
    """A video, the folder for its results, its properties, and what is wanted."""

    video: Path
    folder: Path
    info: video.VideoInfo
    min_bout: int
    annotated_video: bool


def predict_video(trained: Model, classifier: Classifier, job: Job, progress: Progress) -> int:
    """Predict a video, or what an earlier run left to do. Returns the number of frames computed now."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with locked(job.folder):
        return _predict(trained, classifier, job, progress)


def _predict(trained: Model, classifier: Classifier, job: Job, progress: Progress) -> int:
    identity = {
        "model": trained.hash,
        "video": job.video.name,
        "video_sha256": sha256(job.video),
        "batch_size": classifier.batch_size,
    }
    wanted = {"min_bout": job.min_bout, "annotated_video": job.annotated_video}
    before = read_json(job.folder / DONE) if (job.folder / DONE).is_file() else {}
    complete = job.folder / "predictions.csv"
    started = time.monotonic()
    if _agrees(before, identity) and complete.is_file():
        progress.skip(job.info.frames or 0)
        if _agrees(before, wanted):
            return 0
        computed, source = 0, complete
    else:
        computed = _compute(trained, classifier, job, identity, progress)
        source = job.folder / PART
    remove(job.folder / DONE)
    _write_results(trained, job, source)
    os.replace(source, complete)
    _write_run(trained, job, {**identity, **wanted}, before, computed, time.monotonic() - started)
    remove(job.folder / PART_OF)
    return computed


def _agrees(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


def _compute(trained: Model, classifier: Classifier, job: Job, identity: dict[str, Any], progress: Progress) -> int:
    """Complete the file of predictions in its temporary place, batch by batch."""
    part, part_of = job.folder / PART, job.folder / PART_OF
    same = part_of.is_file() and part.is_file() and _agrees(read_json(part_of), identity)
    start = _keep_whole_batches(part, classifier) if same else 0
    if not start:
        with naming(part):
            part.write_text(predictions.header(trained.classes), encoding="utf-8")
        write_json(part_of, identity)
    progress.skip(start)
    classifier.start()
    computed = 0
    made = feed.batches(job.video, trained.preprocessing, trained.streams, classifier.batch_size, start)
    with naming(part), open(part, "a", encoding="utf-8", newline="") as file, closing(made):
        for batch in made:
            frames = range(batch.first, batch.first + len(batch.times))
            file.write(predictions.rows(frames, batch.times, classifier.probabilities(batch), trained.classes))
            file.flush()
            computed += len(frames)
            progress.update(len(frames))
    return computed


def _keep_whole_batches(part: Path, classifier: Classifier) -> int:
    """Cut a file of predictions after its last whole batch; returns the number of frames kept."""
    if classifier.recurrent:  # its state after those batches is not known
        return 0
    ends = [0]
    with open(part, "rb") as file:
        for line in file:
            ends.append(ends[-1] + len(line) if line.endswith(b"\n") else ends[-1])
    rows = max(0, sum(end > start for start, end in zip(ends, ends[1:])) - 1)
    kept = rows - rows % classifier.batch_size
    if kept:
        os.truncate(part, ends[kept + 1])
    return kept


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
    trained: Model, job: Job, identity: dict[str, Any], before: dict[str, Any], computed: int, seconds: float
) -> None:
    from tools import provenance

    speed = computed / seconds if computed else before.get("frames_per_second")
    write_json(
        job.folder / DONE,
        {
            **identity,
            "network": trained.info["network"],
            "classes": trained.classes,
            "fps": job.info.fps,
            "width": job.info.width,
            "height": job.info.height,
            "frames_per_second": speed,
            **provenance.describe(),
        },
    )
