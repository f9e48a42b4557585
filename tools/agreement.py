"""`ethocaffe agreement`: how far people who annotated the same videos agree, the bound for any program."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import agreement_scores
from data_prep.errors import InputError
from data_prep.files import atomic_path, sha256, write_json
from tools import bouts, label_sets
from tools.arguments import add_quiet, command_line

COLUMNS = ("video", "start_frame", "stop_frame", "frames")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels",
        metavar="LABELS",
        nargs="+",
        help="label files of one video, one per annotator; or folders of them, such as two datasets' labels/, in which "
        "files of one name are of one video",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="also write agreement.json, a confusion matrix per pair of annotators (PNG), and disagreements.csv: from "
        "where to where they gave different classes",
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    agreement(args.labels, args.output, quiet=args.quiet)
    return 0


def agreement(given: Sequence[str | Path], output: str | Path | None = None, *, quiet: bool = False) -> dict[str, Any]:
    """Measure how far annotators agree (thesis, section 4.4: "only an approximately 80% human agreement"), on the
    frames that all of them annotated. Returns what agreement.json holds: `agreement_scores.summary`, overall and per
    video, and what was left out.

    The thesis does not say how its 80 % were computed; the balanced accuracy of one annotator measured against
    another is what compares with a network's. Raises InputError as `label_sets.read` does, and where no frame was
    annotated by all.
    """
    found = label_sets.read([Path(path) for path in given])
    every = np.concatenate([video.labels for video in found.videos.values()], axis=1)
    if not agreement_scores.common(every).any():
        raise InputError(
            f"{', '.join(map(str, given))}: no frame is annotated in all of them, so nothing can be compared"
        )
    result = {
        "annotators": found.annotators,
        "classes": found.classes,
        "classes_unknown_to": {
            name: unknown
            for name, known in found.known.items()
            if (unknown := [c for c in found.classes if c not in known])
        },
        "overall": agreement_scores.summary(every, found.annotators, found.classes),
        "videos": {
            name: agreement_scores.summary(video.labels, found.annotators, found.classes)
            for name, video in found.videos.items()
        },
        "videos_left_out": found.unmatched,
        "simulated": any((file.parent.parent / "simulation.json").is_file() for file in _files(found)),
    }
    if not quiet:
        print("\n".join(_report(result)))
    if output is not None:
        _write(Path(output), found, result, command_line("agreement", given, {"output": output}))
    return result


def disagreements(labels: np.ndarray) -> list[bouts.Bout]:
    """The stretches of frames over which annotators give the same, not all equal, classes, of labels (annotators,
    frames). Frames that somebody did not annotate belong to none. A bout's label numbers its combination."""
    _, combination = np.unique(labels, axis=1, return_inverse=True)
    differs = agreement_scores.common(labels) & (labels != labels[0]).any(axis=0)
    return [bout for bout in bouts.find_bouts(np.where(differs, combination.ravel(), -1)) if bout.label >= 0]


def _files(found: label_sets.LabelSets) -> Iterator[Path]:
    return (file for video in found.videos.values() for file in video.files)


def _report(result: dict[str, Any]) -> Iterator[str]:
    overall = result["overall"]
    if result["simulated"]:
        yield "simulated data: nobody annotated it"
    for name, unknown in result["classes_unknown_to"].items():
        yield f"{name} has no column for {', '.join(unknown)}"
    if result["videos_left_out"]:
        yield f"not annotated by all, so left out: {', '.join(result['videos_left_out'])}"
    left_out = overall["frames_left_out"]
    yield f"{overall['frames']} frames annotated by all, {left_out} left out that somebody did not annotate"
    yield ""
    several = {"all videos": overall} if len(result["videos"]) == 1 else {**result["videos"], "all videos": overall}
    rows = [
        [name, one["frames"], _percent(one["agreement"]), _kappa(one["fleiss_kappa"])] for name, one in several.items()
    ]
    yield from _table(["video", "frames", "agreement", "Fleiss' kappa"], rows)
    yield ""
    rows = [
        [
            " and ".join(pair["annotators"]),
            _percent(pair["agreement"]),
            _kappa(pair["cohen_kappa"]),
            _percent(pair["balanced_accuracy_of_second"]),
            _percent(pair["balanced_accuracy_of_first"]),
        ]
        for pair in overall["pairs"]
    ]
    yield from _table(["pair", "agreement", "Cohen's kappa", "balanced: 2nd by 1st", "1st by 2nd"], rows)
    yield ""
    rows = [
        [name, one["given"], _percent(one["agreement"])] for name, one in overall["per_class"].items() if one["given"]
    ]
    yield from _table(["class", "times given", "agreement"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *others in lines:
        yield "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _kappa(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _write(folder: Path, found: label_sets.LabelSets, result: dict[str, Any], command: str) -> None:
    from tools import provenance
    from tools.plots.confusion import plot_confusion

    for pair in result["overall"]["pairs"]:
        first, second = pair["annotators"]
        kappa = f"Cohen's kappa {_kappa(pair['cohen_kappa'])}" + (", simulated data" if result["simulated"] else "")
        name = re.sub(r"[^\w.-]+", "_", f"confusion_{first}_{second}")
        plot_confusion(np.array(pair["confusion"]), result["classes"], folder / f"{name}.png", kappa, (first, second))
    target = folder / "disagreements.csv"
    with atomic_path(target) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *found.annotators])
        for name, video in found.videos.items():
            for _, start, stop in disagreements(video.labels):
                given = [found.classes[one] for one in video.labels[:, start]]
                writer.writerow([name, start, stop, stop - start, *given])
    files = {str(file): sha256(file) for file in _files(found)}
    write_json(folder / "agreement.json", {**result, "files": files, "command": command, **provenance.describe()})
