"""A video through a model into files that grow by a row per frame: gone on with after an interruption, whole or absent.

What is being written lies under temporary names in the video's folder, beside a file that says what it is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union

import numpy as np

from data_prep.errors import InputError
from data_prep.files import naming, read_json, remove, sha256, write_json
from data_prep.ordered import ordered
from data_prep.progress import Progress
from data_prep.stages import Stages
from tools import current, feed
from tools.classifier import Classifier
from tools.current_video import Extractor
from tools.model import Model

Reader = Union[Classifier, Extractor]  # both have batches(video, start, stages) and rows(batch, blob, stages)


class Rows(NamedTuple):
    """Files that grow by a row per frame.

    files: where they lie. about: the file that says what they are of. begin: make them empty. keep(n): cut them
    after the last multiple of n rows, and return how many are left. append: add the rows of a batch.
    """

    files: tuple[Path, ...]
    about: Path
    begin: Callable[[], None]
    keep: Callable[[int], int]
    append: Callable[[feed.Batch, np.ndarray], None]


def reader_of(trained: Model, batch_size: int | None = None, blob: str | None = None, lanes: int = 1) -> Reader:
    """What makes rows of a video's frames by a trained model, whether it is a network or the current system: those of
    the classes, and of `blob`; for as many threads at once as `lanes`."""
    if trained.info["network"] == current.NAME:
        return Extractor(trained, batch_size)
    return Classifier(trained, batch_size, blob, lanes)


def identity(trained: Model, reader: Reader, video: Path) -> dict[str, Any]:
    """What rows depend on, so that rows of something else are not gone on with."""
    return {
        "model": trained.hash,
        "video": video.name,
        "video_sha256": sha256(video),
        "batch_size": reader.batch_size,
    }


def agrees(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether `found` says of everything in `wanted` the same."""
    return all(found.get(key) == value for key, value in wanted.items())


def complete(
    rows: Rows,
    reader: Reader,
    video: Path,
    of: Mapping[str, Any],
    compute: Callable[[feed.Batch, Stages], np.ndarray],
    progress: Progress,
    stages: Stages,
) -> int:
    """Append the rows that are missing, batch by batch; returns the number of frames computed now.

    `of` is the rows' `identity` and whatever else they depend on; `compute` gives a row per frame of a batch.
    Decoding, features, the net and writing go on at once, in threads; `stages` is told what each of them takes.
    Raises InputError where the video is damaged, and leaves nothing of the rows then.
    """
    same = rows.about.is_file() and all(file.is_file() for file in rows.files) and agrees(read_json(rows.about), of)
    # A recurrent net's state after the rows that are there is not known, so it starts again.
    start = rows.keep(reader.batch_size) if same and not reader.recurrent else 0
    computed = 0
    with naming(rows.files[0]):
        if not start:
            rows.begin()
            write_json(rows.about, dict(of))
        progress.skip(start)
        reader.start()
        try:
            made = reader.batches(video, start, stages)
            work, lanes = (lambda batch: (batch, compute(batch, stages))), reader.lanes
            done = ordered(made, work, lanes, lanes + 1, stages, "net")
            with closing(done):
                for batch, values in stages.waiting_for(done, "write"):
                    with stages.works("write"):
                        rows.append(batch, values)
                    computed += len(batch.times)
                    progress.update(len(batch.times))
        except InputError:
            for file in (*rows.files, rows.about):
                remove(file)
            raise
    return computed
