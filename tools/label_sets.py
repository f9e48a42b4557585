"""Several people's labels of the same videos, brought together: by name of video, class and annotator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError, warn


class Together(NamedTuple):
    """The labels of one video: class indices (annotators, frames), −1 where not annotated; the files they are from."""

    labels: np.ndarray
    files: list[Path]


class LabelSets(NamedTuple):
    """annotators: their names. classes: all that anybody knows, in the first one's order. known: those of each
    annotator. videos: those that all annotators have, by name. unmatched: names of the others."""

    annotators: list[str]
    classes: list[str]
    known: dict[str, list[str]]
    videos: dict[str, Together]
    unmatched: list[str]


def read(given: Sequence[Path]) -> LabelSets:
    """Read label files of one video, or folders of label files in which those of one name are of one video.

    Classes are matched by name. A file with fewer rows than another of its video is not annotated further on, with a
    warning. Raises InputError for fewer than two files, files among folders, and folders without a common name.
    """
    if len(given) < 2:
        raise InputError("agreement needs the labels of two people or more; name another file or folder")
    annotators = names_of(given)
    by_video = _files(given)
    everyone = {video: files for video, files in by_video.items() if len(files) == len(given)}
    if not everyone:
        raise InputError(f"{', '.join(map(str, given))}: no video is in all of them; files of one video need one name")
    read_files = {file: _read(file) for files in everyone.values() for file in files}
    known = {
        name: list(dict.fromkeys(one for files in everyone.values() for one in read_files[files[at]][0]))
        for at, name in enumerate(annotators)
    }
    classes = list(dict.fromkeys(one for names in known.values() for one in names))
    videos = {video: _together(video, files, read_files, classes) for video, files in everyone.items()}
    return LabelSets(annotators, classes, known, videos, sorted(set(by_video) - set(everyone)))


def names_of(paths: Sequence[Path]) -> list[str]:
    """What tells paths apart: `alice` and `bob` for alice/cage_1.csv and bob/cage_1.csv, or for data/alice/labels and
    data/bob/labels. Raises InputError where one is named twice."""
    whole = [path.resolve() for path in paths]
    for at, path in enumerate(whole):
        if path in whole[:at]:
            raise InputError(f"{paths[at]} is named twice; name each annotator's labels once")
    parts = [list(path.with_suffix("").parts if path.suffix == ".csv" else path.parts) for path in whole]
    for end in (0, -1):
        while all(len(one) > 1 for one in parts) and len({one[end] for one in parts}) == 1:
            for one in parts:
                del one[end]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _files(given: Sequence[Path]) -> dict[str, list[Path]]:
    """Each video's files, in the annotators' order; of fewer of them where one annotator has none."""
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; name label files, or folders of them")
        if path.is_dir() != given[0].is_dir():
            raise InputError(f"{path}: name either files or folders, not one of each ({given[0]})")
    if not given[0].is_dir():
        stems = {path.stem for path in given}
        return {stems.pop() if len(stems) == 1 else "video": list(given)}
    found: dict[str, list[Path]] = {}
    for folder in given:
        files = sorted(file for file in folder.glob("*.csv") if not file.name.startswith("."))
        if not files:
            raise InputError(f"{folder}: no .csv file in this folder; name the labels/ of a dataset")
        for file in files:
            found.setdefault(file.stem, []).append(file)
    return found


def _read(file: Path) -> tuple[tuple[str, ...], np.ndarray]:
    classes = datasets.read_label_classes(file)
    labels = datasets.read_labels(file, classes)
    if not classes:
        raise InputError(f"{file}, line 1: no column of a class; write frame, then a column per class")
    return classes, labels


def _together(
    video: str,
    files: list[Path],
    read_files: Mapping[Path, tuple[tuple[str, ...], np.ndarray]],
    classes: Sequence[str],
) -> Together:
    lengths = [len(read_files[file][1]) for file in files]
    if len(set(lengths)) > 1:
        rows = ", ".join(f"{file}: {length}" for file, length in zip(files, lengths))
        warn(f"{video}: not of the same number of frames ({rows}); those beyond the shortest are left out")
    labels = np.full((len(files), max(lengths)), datasets.NOT_ANNOTATED)
    for row, file in zip(labels, files):
        own, found = read_files[file]
        # The last entry is what −1 finds.
        row[: len(found)] = np.array([*map(classes.index, own), datasets.NOT_ANNOTATED])[found]
    return Together(labels, files)
