"""Preparing one video: its frame table, and an LMDB per stream, in one pass that can be taken up again."""
from __future__ import annotations

import errno
import itertools
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple, TextIO

import lmdb
import numpy as np

from data_prep import files, lmdb_store
from data_prep.errors import InputError
from data_prep.ordered import ahead, ordered
from data_prep.stages import Stages
from data_prep.streams import LEAD, STREAMS, Frame, of_piece, pieces, stored_frames

BATCH_BYTES = 32 << 20  # what is written, and so safe from a crash, at once
BATCH_FRAMES = 512
PIECE = 32  # frames that a thread computes at a time

Report = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """One video to prepare. `recipe` is what the result depends on; it goes into meta.json."""

    video: Path
    folder: Path
    streams: tuple[str, ...]
    kept: dict[str, Any] | None  # meta.json of the streams that are there already and stay
    recipe: dict[str, Any]
    frames: int  # as counted without decoding, for the progress
    labelled: int | None  # rows of its labels file
    frame_bytes: float = 0.0  # room that a frame takes on the disk, about
    threads: int = 1  # that compute the streams

    @property
    def partial(self) -> Path:
        """Where the work lies until it is whole."""
        return self.folder.with_name(f".{self.folder.name}.partial")


class State(NamedTuple):
    """How far the work is: whole frames on the disk, and per stream the sums of `Stream.totals`."""

    frames: int
    sums: dict[str, list[float]]


def build(job: Job, report: Report) -> None:
    """Prepare a video; `report` is told the number of frames done as they are, without those of an earlier run.

    Killed at any point, the next call goes on after the last batch that was written: it decodes the video from
    its start, since frames depend on those before, but computes and writes only what is missing.
    Raises InputError, leaving nothing behind, if the video is damaged or the disk is full.
    """
    job.partial.mkdir(parents=True, exist_ok=True)
    with files.locked(job.partial, wait=True):
        try:
            _write(job, report)
        except InputError:
            files.remove(job.partial)
            raise
        except (lmdb.Error, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise  # nobody listens any more: the command was killed
            files.remove(job.partial)
            raise InputError(f"{job.folder}: cannot be written ({_fault(error)}), and what was written of it is "
                             "removed; make room and run the same command again") from None


def finished_frames(job: Job) -> int:
    """How many frames an interrupted run left on the disk."""
    return _read_state(job).frames


def _write(job: Job, report: Report) -> None:
    state = _read_state(job)
    if state.frames == 0:
        for stream in job.streams:
            files.remove(job.partial / f"{stream}.lmdb")
    with open(job.partial / "frames.csv", "w", encoding="utf-8") as table:
        times = _Times(table)
        state = _write_streams(job, state, times, report)
    if job.labelled is not None and job.labelled != state.frames:
        raise InputError(f"{job.video}: has {state.frames} frames, but its labels have {job.labelled} rows; "
                         "write a row per frame")
    _finish(job, state, times.rate)


def _write_streams(job: Job, state: State, times: _Times, report: Report) -> State:
    writers = {stream: lmdb_store.Writer(job.partial / f"{stream}.lmdb") for stream in job.streams}
    batch: dict[str, list[tuple[int, bytes]]] = {stream: [] for stream in job.streams}
    done, sums = state.frames, {stream: np.array(state.sums[stream], np.float64) for stream in job.streams}
    size = 0
    try:
        with closing(_values(job, state.frames, times)) as values:
            for made in itertools.chain.from_iterable(values):
                for stream, (value, totals) in zip(job.streams, made):
                    batch[stream].append((done, value))
                    sums[stream] += totals
                    size += len(value)
                done += 1
                if size >= BATCH_BYTES or done % BATCH_FRAMES == 0:
                    state = _commit(job, writers, batch, done, sums)
                    size = 0
                report(1)
        return _commit(job, writers, batch, done, sums)
    finally:
        for writer in writers.values():
            writer.close()


def _values(job: Job, first: int, times: _Times) -> Generator[list[tuple[tuple[bytes, np.ndarray], ...]], None, None]:
    """From frame `first` on, of each frame and each stream what is stored and what is added up; some frames at a time,
    by `job.threads` threads beside the one that decodes."""
    before = min(first, LEAD)
    frames = stored_frames(
        job.video, job.recipe["crop"], job.recipe["size"], first - before, times.add, track="position" in job.streams,
        feeder=job.recipe.get("feeder"),
    )

    def compute(piece: list[Frame]) -> list[tuple[tuple[bytes, np.ndarray], ...]]:
        return list(zip(*(_encoded(stream, piece) for stream in job.streams)))

    stages = Stages()
    read = ahead(pieces(frames, before, PIECE), 2, stages, "decode")
    return ordered(read, compute, job.threads, job.threads + 1, stages, "streams")


def _encoded(stream: str, piece: list[Frame]) -> Iterator[tuple[bytes, np.ndarray]]:
    kind = STREAMS[stream]
    return ((kind.encode(image), kind.totals(image)) for image in of_piece(stream, piece))


def _commit(job: Job, writers: dict[str, lmdb_store.Writer], batch: dict[str, list[tuple[int, bytes]]],
            frames: int, sums: dict[str, np.ndarray]) -> State:
    for stream, writer in writers.items():
        writer.write(batch[stream])
        batch[stream].clear()
    state = State(frames, {stream: total.tolist() for stream, total in sums.items()})
    # Written after the LMDBs, so it never promises more than they hold; they may hold more, which is written again.
    files.write_json(job.partial / "state.json", {"recipe": _work(job), **state._asdict()})
    return state


def _read_state(job: Job) -> State:
    """Where an interrupted run of the same work stopped; zero if there is none."""
    start = State(0, {stream: [0.0] * STREAMS[stream].sums for stream in job.streams})
    try:
        content = files.read_json(job.partial / "state.json")
        found = State(content["frames"], content["sums"]) if content["recipe"] == _work(job) else start
    except (InputError, KeyError, TypeError):
        return start
    return found


def _work(job: Job) -> dict[str, Any]:
    return {**job.recipe, "streams": list(job.streams)}


def _finish(job: Job, state: State, rate: float | None) -> None:
    """Put the finished parts in their place, and meta.json, which says that the video is prepared, last."""
    kept = job.kept or {"streams": [], "mean": {}, "digest": {}}
    meta = {
        **job.recipe,
        "frames": state.frames,
        "fps": rate,
        "streams": [stream for stream in STREAMS if stream in job.streams or stream in kept["streams"]],
        "mean": {**kept["mean"], **{s: _means(job, state, s) for s in job.streams}},
        "digest": {**kept["digest"], **{s: _digest(job.partial / f"{s}.lmdb") for s in job.streams}},
    }
    # Killed from here on, the next run starts anew.
    files.remove(job.partial / "state.json")
    if job.kept is None:
        files.remove(job.folder / "meta.json")
    job.folder.mkdir(exist_ok=True)
    for name in STREAMS:
        if name in job.streams:
            files.remove(job.partial / f"{name}.lmdb" / "lock.mdb")
            files.replace(job.partial / f"{name}.lmdb", job.folder / f"{name}.lmdb")
        elif name not in kept["streams"]:
            files.remove(job.folder / f"{name}.lmdb")
    files.replace(job.partial / "frames.csv", job.folder / "frames.csv")
    files.write_json(job.folder / "meta.json", meta)
    files.remove(job.partial)


def _means(job: Job, state: State, stream: str) -> list[float]:
    parts = state.frames * (job.recipe["size"] ** 2 if STREAMS[stream].pictures else 1)
    return [total / parts for total in state.sums[stream]]


def _digest(path: Path) -> str:
    return lmdb_store.digest(lmdb_store.open_reader(path))


class _Times:
    """Writes frames.csv row by row, and knows the average rate in the end."""

    def __init__(self, table: TextIO):
        self._table = table
        self._last = (0, 0.0)
        table.write("frame,time\n")

    def add(self, frame: int, seconds: float) -> None:
        self._last = (frame, seconds)
        self._table.write(f"{frame},{seconds:.9f}\n")

    @property
    def rate(self) -> float | None:
        frame, seconds = self._last
        return frame / seconds if seconds > 0 else None


def _fault(error: Exception) -> str:
    if isinstance(error, lmdb.DiskError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return str(error)
