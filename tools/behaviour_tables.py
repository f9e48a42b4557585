"""The tables of `ethocaffe analyse`: a row per recording and class, and rows of all recordings together."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.files import atomic_path
from tools import behaviour, clock
from tools.recordings import Recording

ALL = "(all)"  # in the column `recording`, and no name of a file that anybody has
COLUMNS = {
    "time_budget": ("recording", "class", "frames", "seconds", "share", "annotated_seconds", "not_annotated_seconds"),
    "bout_summary": (
        "recording",
        "class",
        "bouts",
        "cut_bouts",
        "bouts_per_hour",
        "mean_seconds",
        "median_seconds",
        "sd_seconds",
        "shortest_seconds",
        "longest_seconds",
        "latency_seconds",
    ),
    "transitions": ("recording", "from", "to", "count", "probability"),
    "circadian": (
        "recording",
        "clock",
        "start_seconds",
        "stop_seconds",
        "recordings",
        "annotated_seconds",
        "not_annotated_seconds",
        "class",
        "seconds",
        "share",
    ),
}
Rows = Iterator[dict[str, Any]]


def tables(
    found: Sequence[Recording], bins: behaviour.Bins, profiles: Sequence[np.ndarray]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table by its name; None where there is no number. `profiles` are the recordings' own."""
    groups = [(one.name, [one.runs], [profile]) for one, profile in zip(found, profiles)]
    groups.append((ALL, [one.runs for one in found], list(profiles)))
    classes = found[0].classes
    out: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    for name, runs, own in groups:
        out["time_budget"] += ({"recording": name, **row} for row in _budget(runs, classes))
        out["bout_summary"] += ({"recording": name, **row} for row in _bouts(runs, classes))
        out["transitions"] += ({"recording": name, **row} for row in _transitions(runs, classes))
        rows = _profile(own, classes, bins, every=name == ALL)
        out["circadian"] += ({"recording": name, **row} for row in rows)
    return out


def write(path: str | Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV with a header, atomically: fractions to six places, None as an empty cell."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def _cell(value: Any) -> Any:
    return f"{value:.6f}" if isinstance(value, float) else value


def _number(value: Any) -> float | None:
    """A plain number; None for NaN."""
    return None if np.isnan(value) else float(value)


def _budget(runs: Sequence[behaviour.Runs], classes: Sequence[str]) -> Rows:
    parts = [behaviour.time_budget(one, len(classes)) for one in runs]
    seconds = np.sum([part[0] for part in parts], axis=0)
    frames = np.sum([part[1] for part in parts], axis=0)
    for at, share in enumerate(behaviour.shares(seconds[:-1])):
        yield {
            "class": classes[at],
            "frames": int(frames[at]),
            "seconds": float(seconds[at]),
            "share": _number(share),
            "annotated_seconds": float(seconds[:-1].sum()),
            "not_annotated_seconds": float(seconds[-1]),
        }


def _bouts(runs: Sequence[behaviour.Runs], classes: Sequence[str]) -> Rows:
    hours = sum(float(one.seconds[one.labels >= 0].sum()) for one in runs) / 3600
    for at, name in enumerate(classes):
        each = [behaviour.bouts_of(one, at) for one in runs]
        lengths = np.concatenate([one.seconds for one in each])
        count = len(lengths)
        begin = behaviour.observed_from(runs[0])
        first = each[0].first if len(runs) == 1 else None
        yield {
            "class": name,
            "bouts": count,
            "cut_bouts": int(sum(one.cut.sum() for one in each)),
            "bouts_per_hour": count / hours if hours else None,
            "mean_seconds": float(lengths.mean()) if count else None,
            "median_seconds": float(np.median(lengths)) if count else None,
            "sd_seconds": float(lengths.std(ddof=1)) if count > 1 else None,
            "shortest_seconds": float(lengths.min()) if count else None,
            "longest_seconds": float(lengths.max()) if count else None,
            "latency_seconds": first - begin if first is not None and begin is not None else None,
        }


def _transitions(runs: Sequence[behaviour.Runs], classes: Sequence[str]) -> Rows:
    counts = np.sum([behaviour.transitions(one, len(classes)) for one in runs], axis=0)
    probabilities = behaviour.shares(counts)
    for row, column in np.ndindex(counts.shape):
        if row != column:
            yield {
                "from": classes[row],
                "to": classes[column],
                "count": int(counts[row, column]),
                "probability": _number(probabilities[row, column]),
            }


def _profile(profiles: Sequence[np.ndarray], classes: Sequence[str], bins: behaviour.Bins, every: bool) -> Rows:
    """Rows of the bins in which something was recorded, or of every bin."""
    whole = np.sum(profiles, axis=0)
    met = np.array([profile.sum(axis=1) > 0 for profile in profiles]).sum(axis=0)
    shares = behaviour.shares(whole[:, :-1])
    for at in range(len(whole)) if every else np.flatnonzero(met):
        for column, name in enumerate(classes):
            yield {
                "clock": clock.text(bins.edges[at]) if bins.clock else None,
                "start_seconds": float(bins.edges[at]),
                "stop_seconds": float(bins.edges[at + 1]),
                "recordings": int(met[at]),
                "annotated_seconds": float(whole[at, :-1].sum()),
                "not_annotated_seconds": float(whole[at, -1]),
                "class": name,
                "seconds": float(whole[at, column]) if met[at] else None,
                "share": _number(shares[at, column]),
            }
