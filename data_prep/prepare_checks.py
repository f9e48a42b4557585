"""What `ethocaffe prepare` checks before its long work: streams, videos, labels, room on the disk."""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np

from data_prep import dataset, files
from data_prep.dataset import Dataset
from data_prep.errors import InputError
from data_prep.prepare_video import Job, finished_frames
from data_prep.streams import STREAMS, stored_frames, whole
from data_prep.video import count_frames, probe, read_times

PAGE = 4096  # bytes; an LMDB stores a large value in whole pages


def check_streams(streams: Sequence[str]) -> tuple[str, ...]:
    """The streams in their usual order. Raises InputError for one that is not known."""
    if not streams:
        raise InputError(f"--streams: no stream is named; there are {', '.join(STREAMS)}")
    for stream in streams:
        if stream not in STREAMS:
            raise InputError(f"--streams: {stream!r} is not a stream; there are {', '.join(STREAMS)}")
    return tuple(stream for stream in STREAMS if stream in streams)


def check_stray_labels(data: Dataset) -> None:
    """Raise InputError if a labels file belongs to no video: most likely one of them is misnamed."""
    for path in sorted((data.path / "labels").glob("*.csv")):
        if not path.name.startswith(".") and path.stem not in data.videos:
            raise InputError(f"{path}: there is no video {path.stem!r} in {data.path / 'videos'}; "
                             "name both alike, or take the file out")


def find_job(
    data: Dataset, stem: str, streams: tuple[str, ...], size: int, crop: tuple[int, int, int, int] | None,
    feeder: tuple[float, float] | None,
) -> Job | None:
    """What is to be done for a video; None if all is there. Raises InputError if the video or its labels are bad.

    `feeder` is that of the position, if this is one of `streams`: else a position that is there keeps its own.
    """
    video, folder = data.videos[stem], data.prepared(stem)
    info = probe(video)
    if crop is not None and (crop[2] > info.height or crop[3] > info.width):
        raise InputError(f"{video}: the region to keep, {','.join(map(str, crop))} (top, left, bottom, right), "
                         f"is not inside its {info.width}×{info.height} pixels; correct --crop")
    old = _read_meta(folder)
    recipe = {
        "version": dataset.VERSION,
        **_identity(video, old),
        "width": info.width,
        "height": info.height,
        "crop": None if crop is None else list(crop),
        "size": size,
    }
    place = list(feeder) if feeder is not None else None
    if "position" not in streams:
        place = old.get("feeder")
    kept = _kept_streams(folder, old, recipe, place)
    frames = old["frames"] if kept else count_frames(video)
    labelled = _check_labels(data, stem, frames)
    missing = tuple(stream for stream in streams if stream not in kept["streams"]) if kept else streams
    if not missing:
        return None
    if place is not None and "position" in (*missing, *(kept["streams"] if kept else ())):
        recipe["feeder"] = place
    job = Job(video, folder, missing, kept, recipe, frames, labelled)
    return replace(job, frame_bytes=_bytes_per_frame(job))


def _read_meta(folder: Path) -> dict[str, Any]:
    """The meta.json of an earlier run, {} if there is none of use."""
    try:
        meta = files.read_json(folder / "meta.json")
    except InputError:
        return {}
    return meta if isinstance(meta, dict) and meta.get("version") == dataset.VERSION else {}


def _identity(video: Path, old: dict[str, Any]) -> dict[str, Any]:
    """What tells a video from another of the same name."""
    facts = video.stat()
    identity = {"video": video.name, "bytes": facts.st_size, "modified": facts.st_mtime_ns}
    same = all(old.get(name) == value for name, value in identity.items())
    return {**identity, "sha256": old["sha256"] if same else files.sha256(video)}


def _kept_streams(
    folder: Path, old: dict[str, Any], recipe: dict[str, Any], feeder: list[float] | None
) -> dict[str, Any] | None:
    """The part of meta.json that still holds: None if the video, the size or the region is another. A position holds
    only for its feeder."""
    if any(old.get(name) != value for name, value in recipe.items() if name != "modified"):
        return None
    moved = old.get("feeder") != feeder
    whole = [
        stream for stream in old["streams"] if _is_whole(folder, stream, old) and not (stream == "position" and moved)
    ]
    return {"streams": whole, **{name: {s: old[name][s] for s in whole} for name in ("mean", "digest")}}


def _is_whole(folder: Path, stream: str, meta: dict[str, Any]) -> bool:
    try:
        dataset.check_stream(folder, stream, meta)
    except InputError:
        return False
    return True


def _check_labels(data: Dataset, stem: str, frames: int) -> int | None:
    """The number of labelled frames, None without a labels file. Raises InputError if they do not fit the video."""
    path = data.labels(stem)
    if not path.exists():
        return None
    rows = len(dataset.read_labels(path, data.classes))
    if rows != frames:
        # Counted without decoding, `frames` may be a little too many: the truth is worth the time now.
        dataset.read_labels(path, data.classes, sum(1 for _ in read_times(data.videos[stem])))
    return rows


def check_disk(folder: Path, jobs: Sequence[Job], free_bytes: Callable[[Path], int]) -> str:
    """Raise InputError if the jobs need more room than the folder's disk has; else say in a line what they need."""
    need = sum(job.frame_bytes * (job.frames - finished_frames(job)) for job in jobs)
    free = free_bytes(folder)
    frames = sum(job.frames for job in jobs)
    text = f"{_gigabytes(need)} for {frames} frames of {len(jobs)} videos"
    if need > free:
        raise InputError(f"{folder}: needs {text}, and its disk has {_gigabytes(free)} free; "
                         "make room, or choose a smaller --size or fewer --streams")
    return f"{folder}: needs {text}; its disk has {_gigabytes(free)} free"


def _bytes_per_frame(job: Job) -> float:
    """How much room a frame takes in the LMDBs of a job; the first stands for all, which take the same."""
    first = list(itertools.islice(stored_frames(job.video, job.recipe["crop"], job.recipe["size"]), 1))
    sizes = [len(STREAMS[stream].encode(image)) for stream in job.streams for image in whole(stream, first)]
    return sum(float(np.ceil(size / PAGE + 0.01)) * PAGE for size in sizes)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e9:.3f} GB"
