"""Labelled recordings, to be analysed: what `ethocaffe predict` wrote, or the annotated videos of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError, warn
from data_prep.files import read_json
from data_prep.progress import Progress
from tools import behaviour, predictions
from tools.video_prediction import DONE, PART

FILE = "predictions.csv"


class Recording(NamedTuple):
    """name: its own among the recordings. source: the file of its labels. runs: its labels over time. about: what is
    known of it (`model`, `network`, `video`, `min_bout`, and `simulated`, None where that is not known)."""

    name: str
    source: Path
    classes: list[str]
    runs: behaviour.Runs
    about: dict[str, Any]


class _Source(NamedTuple):
    """What a recording is called after, the file of its labels, and the dataset that this is from."""

    path: Path
    file: Path
    dataset: datasets.Dataset | None


def read(given: Sequence[str | Path], min_bout: int | None = None, quiet: bool = False) -> list[Recording]:
    """Read predictions.csv files, folders with one, folders of such folders, and datasets, in the order given.

    Bouts of less than `min_bout` frames are given to their neighbours (`behaviour.smooth`); None: those that `predict`
    was told to. Raises InputError naming the file that is damaged, is there twice, or has other classes.
    """
    sources = [source for path in given for source in _sources(Path(path))]
    names = _names([source.path for source in sources])
    found: list[Recording] = []
    with Progress(len(sources), "recordings", "reading", quiet) as progress:
        progress.update(0)
        for name, source in zip(names, sources):
            one = _recording(name, source, min_bout)
            if found and one.classes != found[0].classes:
                raise InputError(
                    f"{one.source}: its classes ({', '.join(one.classes)}) are not those of {found[0].source} "
                    f"({', '.join(found[0].classes)}); analyse them one by one"
                )
            found.append(one)
            progress.update()
    return found


def _sources(path: Path) -> Iterator[_Source]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; name what `ethocaffe predict` wrote, or a dataset")
    if path.is_file():
        yield _Source(path.resolve().parent if path.name == FILE else path.with_suffix(""), path, None)
    elif (path / FILE).is_file():
        yield _Source(path, path / FILE, None)
    elif (path / PART).is_file():
        raise InputError(f"{path}: its prediction is not finished; give the same `ethocaffe predict` command again")
    elif (path / "classes.txt").is_file():
        yield from _annotated(path)
    else:
        yield from _inside(path)


def _annotated(path: Path) -> Iterator[_Source]:
    dataset = datasets.open_dataset(path)
    stems = [stem for stem in dataset.videos if dataset.labels(stem).is_file()]
    if not stems:
        raise InputError(f"{path / 'labels'}: no video is annotated; annotate one, or analyse predictions")
    for stem in stems:
        yield _Source(path / stem, dataset.labels(stem), dataset)


def _inside(path: Path) -> Iterator[_Source]:
    folders = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    done = [folder for folder in folders if (folder / FILE).is_file()]
    unfinished = [folder.name for folder in folders if folder not in done and (folder / PART).is_file()]
    if not done:
        raise InputError(
            f"{path}: no {FILE} in it or in a folder in it; name what `ethocaffe predict` wrote, or a dataset"
        )
    if unfinished:
        warn(f"{path}: not predicted to the end, so left out: {', '.join(unfinished)}")
    for folder in done:
        yield _Source(folder, folder / FILE, None)


def _names(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as many as tell them apart: `cage_1`, or `monday/cage_1` and `tuesday/cage_1`."""
    whole = [path.resolve() for path in paths]
    for at, path in enumerate(whole):
        if path in whole[:at]:
            raise InputError(f"{paths[at]} is named twice; name each recording once")
    parts = [path.parts for path in whole]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in whole]


def _recording(name: str, source: _Source, min_bout: int | None) -> Recording:
    if source.dataset is None:
        classes, times, labels, about = _predicted(source.file)
    else:
        classes, times, labels, about = _labelled(source.dataset, source.path.name)
    about["min_bout"] = min_bout if min_bout is not None else about["min_bout"]
    last = 1 / about["fps"] if about["fps"] else _usual_step(source.file, times)
    runs = behaviour.runs_of(behaviour.smooth(labels, about["min_bout"]), times, last)
    return Recording(name, source.file, classes, runs, about)


def _predicted(file: Path) -> tuple[list[str], np.ndarray, np.ndarray, dict[str, Any]]:
    """Classes, times and labels of all frames, and what the run.json beside them knows."""
    found = predictions.read(file)
    if not len(found.frames):
        raise InputError(f"{file}: no frame in it; predict again")
    wrong = np.flatnonzero((np.diff(found.frames, prepend=-1) < 1) | ~(np.diff(found.times, prepend=0.0) >= 0))
    if len(wrong):
        raise InputError(f"{file}, line {wrong[0] + 2}: frames or times that do not rise; predict again")
    if not np.isfinite(found.times[-1]):
        raise InputError(f"{file}, line {len(found.times) + 1}: no time; predict again")
    times, labels = behaviour.every_frame(found.frames, found.times, found.labels)
    run = read_json(file.parent / DONE) if file.name == FILE and (file.parent / DONE).is_file() else {}
    if not isinstance(run, dict) or not all(isinstance(run.get(key, 1), (int, float)) for key in ("fps", "min_bout")):
        raise InputError(f"{file.parent / DONE}: not what `ethocaffe predict` writes; predict again")
    about = {key: run.get(key) for key in ("model", "network", "video", "fps")}
    return found.classes, times, labels, {**about, "min_bout": run.get("min_bout", 1), "simulated": None}


def _labelled(dataset: datasets.Dataset, stem: str) -> tuple[list[str], np.ndarray, np.ndarray, dict[str, Any]]:
    prepared = datasets.prepared(dataset, stem)
    labels = datasets.read_labels(dataset.labels(stem), dataset.classes, prepared.frames)
    about = {"model": None, "network": None, "video": prepared.meta["video"], "fps": prepared.meta["fps"]}
    return list(dataset.classes), prepared.times, labels, {**about, "min_bout": 1, "simulated": dataset.simulated}


def _usual_step(file: Path, times: np.ndarray) -> float:
    if len(times) < 2:
        raise InputError(f"{file}: one frame, and no {DONE} that says how long it lasts; predict again")
    return float(np.median(np.diff(times)))
