"""A dataset's folder: `videos/`, `labels/`, `classes.txt`, and `prepared/` from `ethocaffe prepare`."""
from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import lmdb_store
from data_prep.errors import InputError, warn
from data_prep.files import atomic_path, read_json, sha256

VERSION = 1  # of meta.json, what lies beside it, and how it is computed
VIDEO_SUFFIXES = (".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4",
                  ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv")
NOT_ANNOTATED = -1
CELLS = {"0": 0, "1": 1, "-1": -1, "0.0": 0, "1.0": 1, "-1.0": -1}


@dataclass(frozen=True)
class Dataset:
    """A dataset's folder, its classes in order, and its videos by stem (file name without its extension)."""

    path: Path
    classes: tuple[str, ...]
    videos: dict[str, Path]

    @property
    def simulated(self) -> bool:
        """Whether `ethocaffe simulate` drew it, as every result of it must say."""
        return (self.path / "simulation.json").is_file()

    def labels(self, stem: str) -> Path:
        """Where the labels of a video are, or would be."""
        return self.path / "labels" / f"{stem}.csv"

    def prepared(self, stem: str) -> Path:
        """The folder in which `ethocaffe prepare` leaves a video."""
        return self.path / "prepared" / stem


@dataclass(frozen=True)
class Prepared:
    """A prepared video: its meta.json, its folder, and the LMDB of each stream."""

    stem: str
    meta: dict[str, Any]
    path: Path
    streams: dict[str, Path]

    @property
    def frames(self) -> int:
        return self.meta["frames"]

    @property
    def times(self) -> np.ndarray:
        """Seconds of every frame from the first one, float64 (frames,), from the video's own timestamps."""
        return read_times(self.path / "frames.csv")


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read a dataset's classes and find its videos.

    Raises InputError if the folder, its classes.txt or its videos are missing, or two videos have one stem.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a dataset has videos/, labels/ and classes.txt in it")
    return Dataset(folder, read_classes(folder / "classes.txt"), _find_videos(folder / "videos"))


def _find_videos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; put the dataset's videos there")
    videos: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in VIDEO_SUFFIXES or file.name.startswith("."):
            continue
        if not file.is_file():
            raise InputError(f"{file}: not a file (perhaps a link to nothing); remove it or mend the link")
        if file.stem in videos:
            raise InputError(f"{file}: {videos[file.stem].name} has the same name but for its ending, "
                             "and a video's name is its identity; rename one of them")
        videos[file.stem] = file
    if not videos:
        endings = ", ".join(sorted(VIDEO_SUFFIXES))
        raise InputError(f"{folder}: no video there; put some in (file names ending in {endings})")
    return videos


def choose_videos(dataset: Dataset, names: str | Sequence[str] | None) -> list[str]:
    """The stems that `names` says: None for all, a comma-separated string, or a list; in the order given.

    A name is a stem or a file name. Raises InputError for a name that is not there, or given twice.
    """
    if names is None:
        return list(dataset.videos)
    if isinstance(names, str):
        names = [names] if names in dataset.videos else [name.strip() for name in names.split(",")]
    by_file_name = {file.name: stem for stem, file in dataset.videos.items()}
    stems = []
    for name in names:
        stem = name if name in dataset.videos else by_file_name.get(name)
        if stem is None:
            raise InputError(f"{dataset.path / 'videos'}: no video {name!r}; "
                             f"there are {', '.join(dataset.videos)}")
        if stem in stems:
            raise InputError(f"video {name!r} is named twice; name it once")
        stems.append(stem)
    return stems


def read_classes(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The class names of a classes.txt, one per line. Raises InputError if there is none, or one twice."""
    lines = [line.strip() for line in _read_text(Path(path)).split("\n")]
    classes = tuple(line for line in lines if line)
    if not classes:
        raise InputError(f"{path}: no class in it; write the names of the classes, one per line")
    for index, name in enumerate(classes):
        if name in classes[:index]:
            raise InputError(f"{path}: class {name!r} is there twice; remove one")
        if name == "frame":
            raise InputError(f"{path}: a class cannot be called 'frame', the labels' first column; rename it")
    return classes


def read_label_classes(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The classes that the header of a labels file names, in the order of its columns; `read_labels` checks them."""
    header = next(csv.reader(io.StringIO(_read_text(Path(path)))), [])
    return tuple(cell.strip() for cell in header[1:])


def read_labels(
    path: str | os.PathLike[str], classes: Sequence[str], frames: int | None = None
) -> np.ndarray:
    """Read the class of every frame: int64 (frames,), an index into `classes`, or −1 where not annotated.

    The file has a row per frame, in order from 0: `frame`, then a column per class with 0, 1 or −1. A row
    without a 1 is not annotated; neither is one with several (a warning says how many there are).
    With `frames`, the number of the video's frames, the file must have that many rows.
    Raises InputError naming the file, the line and what to do.
    """
    rows = csv.reader(io.StringIO(_read_text(Path(path))))
    header = [cell.strip() for cell in next(rows, [])]
    columns = _label_columns(path, header, classes)
    labels: list[int] = []
    several = 0
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        place = f"{path}, line {rows.line_num}"
        if len(row) != len(header):
            raise InputError(f"{place}: {len(row)} columns where the header has {len(header)}; mend the line")
        _check_frame(place, row[0].strip(), len(labels), frames)
        ones = [columns[i] for i, cell in enumerate(row[1:]) if _cell(place, header[i + 1], cell) == 1]
        several += len(ones) > 1
        labels.append(ones[0] if len(ones) == 1 else NOT_ANNOTATED)
    if not labels:
        raise InputError(f"{path}: no row below the header; write a row per frame, or remove the file")
    if frames is not None and len(labels) != frames:
        raise InputError(f"{path}: {len(labels)} rows, but the video has {frames} frames; "
                         "write a row per frame (−1 where it is not annotated)")
    if several:
        warn(f"{path}: {several} frames have several classes at once and are taken as not annotated")
    return np.array(labels, np.int64)


def _label_columns(path: str | os.PathLike[str], header: list[str], classes: Sequence[str]) -> list[int]:
    """The class index of each column after the first."""
    if not header or header == [""]:
        raise InputError(f"{path}: empty; write the header frame,{','.join(classes)} and a row per frame, "
                         "or remove the file if the video is not annotated")
    if header[0] != "frame":
        advice = "separate the columns by commas" if len(header) == 1 else "rename it"
        raise InputError(f"{path}, line 1: the first column is {header[0][:60]!r}, not 'frame'; {advice}")
    for index, name in enumerate(header[1:]):
        if name not in classes:
            raise InputError(f"{path}, line 1: class {name!r} is not in classes.txt ({', '.join(classes)}); "
                             "correct the name or add the class")
        if name in header[1:index + 1]:
            raise InputError(f"{path}, line 1: class {name!r} has two columns; remove one")
    for name in classes:
        if name not in header:
            raise InputError(f"{path}, line 1: no column for class {name!r} of classes.txt; add it "
                             "(0 where it is absent, −1 where that is not known)")
    return [classes.index(name) for name in header[1:]]


def _check_frame(place: str, cell: str, expected: int, frames: int | None) -> None:
    try:
        frame = int(cell)
    except ValueError:
        raise InputError(f"{place}: {cell!r} is not a frame's number; write {expected}") from None
    if frames is not None and not 0 <= frame < frames:
        raise InputError(f"{place}: a label for frame {frame}, which is not there: the video has frames 0 to "
                         f"{frames - 1}; remove the line, or check that the labels are this video's")
    if frame != expected:
        hint = "frames are counted from 0" if expected == 0 else "write a row per frame, in order"
        raise InputError(f"{place}: frame {frame} where {expected} should come; {hint}")


def _cell(place: str, name: str, text: str) -> int:
    try:
        return CELLS[text.strip()]
    except KeyError:
        raise InputError(f"{place}: {text.strip()!r} for class {name!r}; write 0, 1 or -1") from None


def write_labels(path: str | os.PathLike[str], classes: Sequence[str], labels: Iterable[int]) -> None:
    """Write a labels file from the class index of every frame (−1: not annotated, −1 in every column)."""
    names = list(classes)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", *names])
        for frame, label in enumerate(labels):
            if not -1 <= label < len(names):
                raise ValueError(f"frame {frame}: class index {label} with {len(names)} classes")
            writer.writerow([frame, *(int(i == label) if label >= 0 else -1 for i in range(len(names)))])


def read_times(path: str | os.PathLike[str]) -> np.ndarray:
    """The seconds of every frame of a frames.csv, float64 (frames,). Raises InputError if it is damaged."""
    rows = list(csv.reader(io.StringIO(_read_text(Path(path)))))
    try:
        if rows[0] != ["frame", "time"] or [int(row[0]) for row in rows[1:]] != list(range(len(rows) - 1)):
            raise ValueError
        return np.array([float(row[1]) for row in rows[1:]], np.float64)
    except (ValueError, IndexError):
        raise InputError(f"{path}: damaged; run `ethocaffe prepare` again") from None


def prepared(dataset: Dataset, stem: str, streams: Sequence[str] = ()) -> Prepared:
    """What `ethocaffe prepare` made of a video, checked to be whole and to be that video's.

    Raises InputError if the video is not prepared, lacks one of `streams`, or was changed since.
    """
    folder = dataset.prepared(stem)
    again = f"run `ethocaffe prepare {dataset.path}`"
    if not (folder / "meta.json").is_file():
        raise InputError(f"{folder}: video {stem!r} is not prepared; {again}")
    meta = read_json(folder / "meta.json")
    if not isinstance(meta, dict) or meta.get("version") != VERSION:
        raise InputError(f"{folder / 'meta.json'}: not of this version; {again}")
    video = dataset.videos.get(stem)
    if video is not None and (video.name, video.stat().st_size) != (meta["video"], meta["bytes"]):
        raise InputError(f"{folder}: made from another video than {video}; {again}")
    for stream in streams:
        if stream not in meta["streams"]:
            crop = f" --crop {','.join(map(str, meta['crop']))}" if meta.get("crop") else ""
            raise InputError(f"{folder}: no {stream} stream; run `ethocaffe prepare {dataset.path} "
                             f"--streams {','.join(streams)} --size {meta['size']}{crop}`")
    for stream in meta["streams"]:
        check_stream(folder, stream, meta)
    return Prepared(stem, meta, folder, {stream: folder / f"{stream}.lmdb" for stream in meta["streams"]})


def check_stream(folder: Path, stream: str, meta: dict[str, Any]) -> None:
    """Raise InputError if the LMDB of a prepared video's stream is not the one that its meta.json describes."""
    path = folder / f"{stream}.lmdb"
    reader = lmdb_store.open_reader(path)
    if len(reader) != meta["frames"] or lmdb_store.digest(reader) != meta["digest"][stream]:
        raise InputError(f"{path}: not the LMDB that meta.json beside it describes, but another video's or size's "
                         f"(it has {len(reader)} frames, the video {meta['frames']}); "
                         "run `ethocaffe prepare` again to rebuild it")


def fingerprint(dataset: Dataset, stems: Iterable[str]) -> str:
    """SHA-256 that changes with the classes, and with the videos, labels and preprocessing of `stems`.

    Neither the order of `stems` nor where the dataset lies matters. The videos must be prepared.
    """
    content: dict[str, Any] = {"classes": dataset.classes}
    for stem in stems:
        meta = prepared(dataset, stem).meta
        labels = dataset.labels(stem)
        content[f"video {stem}"] = {
            "labels": sha256(labels) if labels.is_file() else None,
            **{name: meta[name] for name in ("sha256", "frames", "size", "crop", "version")},
            **{name: meta[name] for name in ("feeder",) if name in meta},
        }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_text(path: Path) -> str:
    """A text file of a user's: UTF-8, with or without a byte-order mark, any line ends."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write it") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; save it as UTF-8") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder where a file should be; remove it") from None
