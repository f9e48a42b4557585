"""Bouts: runs of consecutive frames of one class, as half-open intervals of frames counted from 0."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

COLUMNS = (
    "label",
    "start_frame",
    "stop_frame",
    "start_time",
    "stop_time",
    "frames",
    "duration",
    "mean_probability",
)


class Bout(NamedTuple):
    """Frames `start` … `stop` − 1 are of class `label` (an index; −1 is not annotated)."""

    label: int
    start: int
    stop: int


def find_bouts(labels: np.ndarray) -> list[Bout]:
    """The runs of equal labels of `labels` (frames,), in order; together they cover every frame."""
    labels = np.asarray(labels)
    if not labels.size:
        return []
    starts = np.concatenate(([0], np.flatnonzero(np.diff(labels)) + 1))
    stops = np.concatenate((starts[1:], [labels.size]))
    return [Bout(int(labels[start]), int(start), int(stop)) for start, stop in zip(starts, stops)]


def absorb_short(labels: np.ndarray, shortest: int) -> np.ndarray:
    """`labels` with no run shorter than `shortest` frames, unless all of it is shorter.

    The shortest runs go first, each to its longer neighbour (the earlier one where they are equal).
    """
    runs = find_bouts(labels)
    for length in range(1, shortest):
        runs = _absorb(runs, length)
    out = np.empty_like(np.asarray(labels))
    for label, start, stop in runs:
        out[start:stop] = label
    return out


def table(
    labels: np.ndarray,
    times: np.ndarray,
    frame_period: float,
    classes: Sequence[str],
    probabilities: np.ndarray,
) -> list[dict[str, Any]]:
    """The bouts of `labels` (frames,) as rows of `bouts.csv`, without the not-annotated ones.

    `times` (frames,) and `frame_period` are in seconds: a bout ends when the next frame is shown, and the
    last frame of a video is shown for `frame_period`. `probabilities` (frames, classes) gives the mean
    probability of the bout's class over its frames.
    """
    ends = np.append(times[1:], times[-1] + frame_period) if len(times) else times
    rows = []
    for label, start, stop in find_bouts(labels):
        if label < 0:
            continue
        rows.append(
            {
                "label": classes[label],
                "start_frame": start,
                "stop_frame": stop,
                "start_time": f"{times[start]:.6f}",
                "stop_time": f"{ends[stop - 1]:.6f}",
                "frames": stop - start,
                "duration": f"{ends[stop - 1] - times[start]:.6f}",
                "mean_probability": f"{probabilities[start:stop, label].mean():.6f}",
            }
        )
    return rows


def write_table(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of `table` as CSV with a header, also where there is no row."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def scores(
    truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str], overlap: float = 0.5
) -> dict[str, dict[str, Any]]:
    """How well whole bouts were found, by class name: true, predicted and matched bouts, and their F1.

    A predicted bout matches a true one of its class when their intersection over union is above `overlap`;
    from 0.5 on a bout can match only one other. Frames not annotated are cut out of both beforehand.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    predicted = np.where(truth < 0, -1, predicted)
    real, found = find_bouts(truth), find_bouts(predicted)
    out = {}
    for index, name in enumerate(classes):
        ours = [bout for bout in found if bout.label == index]
        theirs = [bout for bout in real if bout.label == index]
        matched = sum(any(_overlap(bout, other) > overlap for other in ours) for bout in theirs)
        total = len(ours) + len(theirs)
        out[name] = {
            "true": len(theirs),
            "predicted": len(ours),
            "matched": matched,
            "f1": 2 * matched / total if total else None,
        }
    return out


def _absorb(runs: list[Bout], length: int) -> list[Bout]:
    """Gives every run of at most `length` frames to its longer neighbour; joins neighbours of one label."""
    waiting = list(reversed(runs))
    out: list[Bout] = []
    while waiting:
        run = waiting.pop()
        before = out[-1].stop - out[-1].start if out else 0
        after = waiting[-1].stop - waiting[-1].start if waiting else 0
        short = run.stop - run.start <= length
        if out and (out[-1].label == run.label or (short and before >= after)):
            out[-1] = out[-1]._replace(stop=run.stop)
        elif short and waiting:
            waiting[-1] = waiting[-1]._replace(start=run.start)
        else:
            out.append(run)
    return out


def _overlap(a: Bout, b: Bout) -> float:
    shared = min(a.stop, b.stop) - max(a.start, b.start)
    return shared / (max(a.stop, b.stop) - min(a.start, b.start)) if shared > 0 else 0.0
