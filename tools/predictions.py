"""predictions.csv: a row per frame with its time, its label and the probability of every class."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.errors import InputError
from data_prep.files import atomic_path

FIRST_COLUMNS = ("frame", "time", "label")


class Predictions(NamedTuple):
    """frames: numbers, rising (n,); times: seconds (n,); labels: class indices (n,); probabilities: 0 … 1, float32
    (n, classes)."""

    classes: list[str]
    frames: np.ndarray
    times: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def header(classes: Sequence[str]) -> str:
    """The first line, with its line end."""
    return _line([*FIRST_COLUMNS, *classes])


def rows(frames: Iterable[int], times: Iterable[float], probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """Lines of frames; the label is the most probable class (the first of several)."""
    lines = []
    for frame, time, shares in zip(frames, times, probabilities):
        label = classes[int(np.argmax(shares))]
        lines.append(_line([str(frame), f"{time:.6f}", label, *(f"{share:.6f}" for share in shares)]))
    return "".join(lines)


def write(
    path: str | Path, frames: Iterable[int], times: Iterable[float], probabilities: np.ndarray, classes: Sequence[str]
) -> None:
    """Write a whole predictions.csv, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(header(classes) + rows(frames, times, probabilities, classes), encoding="utf-8")


def read(path: str | Path) -> Predictions:
    """Read a predictions.csv. Raises InputError naming the line where it is damaged."""
    frames, times, labels, shares = array("q"), array("d"), array("q"), array("f")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            first = next(reader, [])
            if tuple(first[:3]) != FIRST_COLUMNS or len(first) < 4:
                raise InputError(
                    f"{path}, line 1: not the header of predictions (frame,time,label, then a column "
                    "per class); name a predictions.csv"
                )
            classes = first[3:]
            index = {name: at for at, name in enumerate(classes)}
            for cells in reader:
                if len(cells) != len(first) or cells[2] not in index:
                    raise InputError(f"{path}, line {reader.line_num}: not a row of predictions; predict again")
                frames.append(int(cells[0]))
                times.append(float(cells[1]))
                labels.append(index[cells[2]])
                shares.extend(map(float, cells[3:]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a predictions.csv") from None
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: damaged ({error}); predict again") from None
    return Predictions(
        classes,
        np.array(frames, np.int64),
        np.array(times, np.float64),
        np.array(labels, np.int64),
        np.array(shares, np.float32).reshape(-1, len(classes)),
    )


def _line(cells: Sequence[str]) -> str:
    return ",".join(_quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell
