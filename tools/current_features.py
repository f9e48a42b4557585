"""The current system's features of a dataset's videos as LMDBs, which networks train on (thesis, appendix 8.1).

`DATASET/current_system/<digits of the system's file>/<video's stem>.lmdb` holds a Datum per frame: 310 numbers and a 1,
as `position` streams hold theirs and whether the animal was found. `<stem>.json` beside it, written last, says of
which video it is, and the moments of its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import dataset as datasets
from data_prep import lmdb_store
from data_prep.datum import encode_floats
from data_prep.errors import InputError
from data_prep.files import locked, read_json, remove, replace, sha256, write_json
from data_prep.position import feeder_text, moments
from data_prep.progress import Progress
from tools import model
from tools.current_video import flagged

PIECE = 512  # frames that are written at once


def read_system(path: str | Path, held_out: Sequence[str]) -> model.Model:
    """A trained current system whose templates saw none of the held-out videos. Raises InputError."""
    from tools import current

    trained = model.load(path)
    if trained.info["network"] != current.NAME:
        raise InputError(f"{path}: is a {trained.info['network']}; --features takes what `ethocaffe train "
                         f"{current.NAME}` wrote")  # fmt: skip
    seen = [stem for stem in held_out if stem in trained.info["trained_on"]]
    if seen:
        raise InputError(f"{path}: its templates were chosen on {', '.join(seen)}, which is held out here; train a "
                         f"current system with --hold-out {','.join(held_out)}")  # fmt: skip
    return trained


def prepare(
    dataset: datasets.Dataset, stems: Sequence[str], system_file: Path, way: dict[str, Any], quiet: bool
) -> Path:
    """Compute the features of those videos whose are not there; returns the folder of the LMDBs.

    `system_file` is a current system's, `way` the preprocessing of its model. Raises InputError where a video was
    prepared with another crop or feeder.
    """
    from current_system import system, video_maps

    for stem in stems:
        _check(dataset, stem, way)
    folder = dataset.path / video_maps.FOLDER / sha256(system_file)[:16]
    video_maps.prepare(dataset, stems, 1, quiet)
    with locked(dataset.path / video_maps.FOLDER, wait=True):
        folder.mkdir(exist_ok=True)
        missing = [stem for stem in stems if not _there(folder, stem, dataset)]
        if not missing:
            return folder
        made = system.load(system_file)
        total = sum(datasets.prepared(dataset, stem).frames for stem in missing)
        with Progress(total, "frames", "current system: features", quiet) as progress:
            for stem in missing:
                features = system.features(video_maps.read(dataset, stem), made.templates)
                _write(folder, stem, flagged(features), datasets.prepared(dataset, stem).meta["sha256"])
                progress.update(len(features))
    return folder


def mean_moments(folder: Path, stem: str) -> list[float]:
    """The mean over a video's frames of `data_prep.position.moments`."""
    return read_json(folder / f"{stem}.json")["mean"]


def _check(dataset: datasets.Dataset, stem: str, way: dict[str, Any]) -> None:
    meta = datasets.prepared(dataset, stem).meta
    found, wanted = ((one, feeder_text(where)) for one, where in ((meta.get("crop"), meta), (way.get("region"), way)))
    if found != wanted:
        raise InputError(
            f"{dataset.prepared(stem)}: prepared with crop {found[0]} and feeder {found[1]}, the current system's "
            f"videos with crop {wanted[0]} and feeder {wanted[1]}; run `ethocaffe prepare` with these"
        )


def _there(folder: Path, stem: str, dataset: datasets.Dataset) -> bool:
    about = folder / f"{stem}.json"
    return about.is_file() and read_json(about)["video_sha256"] == datasets.prepared(dataset, stem).meta["sha256"]


def _write(folder: Path, stem: str, rows: np.ndarray, video_sha256: str) -> None:
    partial = folder / f".{stem}.partial"
    for place in (partial, folder / f"{stem}.json"):
        remove(place)
    with lmdb_store.Writer(partial) as writer:
        for start in range(0, len(rows), PIECE):
            writer.write((start + at, encode_floats(row)) for at, row in enumerate(rows[start : start + PIECE]))
    remove(partial / "lock.mdb")
    replace(partial, folder / f"{stem}.lmdb")
    mean = np.mean([moments(row) for row in rows], axis=0)
    write_json(folder / f"{stem}.json", {"video_sha256": video_sha256, "frames": len(rows), "mean": mean.tolist()})
