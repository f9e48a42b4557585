"""`ethocaffe analyse`: time budget, bouts, transitions and daily profile of labelled recordings, as CSV and pictures.

docs/analyse.md says what every column means.
"""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep.errors import InputError
from data_prep.files import sha256, write_json
from data_prep.progress import duration
from tools import behaviour, behaviour_tables, clock, recordings
from tools.arguments import add_quiet, command_line, positive
from tools.recordings import Recording

MOST_BINS = 20_000


class Profile(NamedTuple):
    """The bins, the seconds of every recording in them (`behaviour.profile`), and their width in seconds."""

    bins: behaviour.Bins
    each: list[np.ndarray]
    width: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="what `ethocaffe predict` wrote: its folder, that of one video, or a predictions.csv; or a prepared "
        "dataset, for the labels of its annotated videos",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder for the tables and pictures")
    parser.add_argument(
        "--bin",
        type=_minutes,
        metavar="MINUTES",
        help="the profile's step; default: 60, or less for recordings that would not fill six such steps",
    )
    parser.add_argument(
        "--start",
        action="append",
        default=[],
        metavar="TIME",
        help="when the recordings began, for a profile over the day: 19:00 or 2024-05-01T19:00 for a single one, "
        "NAME=TIME,NAME=TIME,… for several, or a CSV file with the columns recording,start; without it the profile is "
        "over the time since each began",
    )
    parser.add_argument(
        "--min-bout",
        type=positive,
        metavar="FRAMES",
        help="give shorter bouts to their longer neighbour before anything is measured; default: what `predict` was "
        "told, so that its bouts.csv holds the bouts counted here",
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    analyse(args.inputs, args.output, bin=args.bin, start=args.start, min_bout=args.min_bout, quiet=args.quiet)
    return 0


def analyse(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    bin: float | None = None,
    start: Sequence[str] = (),
    min_bout: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Write time_budget, bout_summary, transitions and circadian (CSV and PNG), and analysis.json last; returns what
    that holds. `bin` is in minutes, `start` as `clock.starts` reads it.

    Raises InputError as `recordings.read` and `clock.starts` do, and where `bin` is too short for the recordings.
    """
    found = recordings.read(inputs, min_bout, quiet)
    starts = clock.starts(start, _callable(found))
    profile = _profile(found, starts, bin)
    folder = Path(output)
    tables = behaviour_tables.tables(found, profile.bins, profile.each)
    for name, rows in tables.items():
        behaviour_tables.write(folder / f"{name}.csv", rows, behaviour_tables.COLUMNS[name])
    _draw(folder, found, profile)
    result = _about(inputs, output, found, starts, profile, start, {"bin": bin, "min-bout": min_bout})
    write_json(folder / "analysis.json", result)
    if not quiet:
        print("\n".join(_report(found, tables, result)))
    return result


def _minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= behaviour.DAY / 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes, above 0 and at most a day's 1440")
    return number


def _callable(found: Sequence[Recording]) -> dict[str, str]:
    """What the recordings may be called: by their names, or by those of their videos' files where these differ."""
    files = [one.about["video"] for one in found]
    by_file = {file: one.name for file, one in zip(files, found) if file and files.count(file) == 1}
    return {**by_file, **{one.name: one.name for one in found}}


def _profile(found: Sequence[Recording], starts: dict[str, str] | None, minutes: float | None) -> Profile:
    begins = [clock.seconds(starts[one.name]) if starts else 0.0 for one in found]
    spans = [(begin + one.runs.edges[0], begin + one.runs.edges[-1]) for begin, one in zip(begins, found)]
    width = 60 * minutes if minutes else behaviour.fitting_width(spans, bool(starts))
    longest = behaviour.DAY if starts else max(stop for _, stop in spans)
    if longest / width > MOST_BINS:
        raise InputError(
            f"--bin {minutes}: {math.ceil(longest / width)} bins for {duration(longest)}; choose a longer one"
        )
    bins = behaviour.bins_of(width, spans, bool(starts))
    count = len(found[0].classes)
    return Profile(bins, [behaviour.profile(one.runs, count, bins, begin) for begin, one in zip(begins, found)], width)


def _draw(folder: Path, found: Sequence[Recording], profile: Profile) -> None:
    from tools.plots.behaviour import plot_bouts, plot_time_budget, plot_transitions
    from tools.plots.profile import plot_profile

    classes = found[0].classes
    count = len(classes)
    title = found[0].name if len(found) == 1 else f"{len(found)} recordings"
    title += ", simulated data" if any(one.about["simulated"] for one in found) else ""
    each = np.array([behaviour.time_budget(one.runs, count)[0][:-1] for one in found])
    plot_time_budget(each.sum(axis=0), each, classes, folder / "time_budget.png", title)
    lengths = [np.concatenate([behaviour.bouts_of(one.runs, at).seconds for one in found]) for at in range(count)]
    hours = each.sum() / 3600
    per_hour = np.array([len(one) / hours if hours else 0.0 for one in lengths])
    plot_bouts(per_hour, lengths, classes, folder / "bouts.png", title)
    follows = sum((behaviour.transitions(one.runs, count) for one in found), np.zeros((count, count), np.int64))
    plot_transitions(follows, classes, folder / "transitions.png", title)
    plot_profile(
        np.sum(profile.each, axis=0),
        profile.bins,
        classes,
        folder / "circadian.png",
        f"{title}, {_step(profile.width)}",
    )


def _step(width: float) -> str:
    return f"steps of {width / 60:g} min" if width >= 60 else f"steps of {width:g} s"


def _about(
    inputs: Sequence[str | Path],
    output: str | Path,
    found: Sequence[Recording],
    starts: dict[str, str] | None,
    profile: Profile,
    given_starts: Sequence[str],
    options: dict[str, Any],
) -> dict[str, Any]:
    from tools import provenance

    known = [one.about["simulated"] for one in found]
    command = command_line("analyse", inputs, {"output": output, **options})
    return {
        "recordings": {
            one.name: {
                "source": str(one.source),
                "sha256": sha256(one.source),
                **one.about,
                "start": starts[one.name] if starts else None,
                "frames": int(one.runs.frames.sum()),
                "seconds": float(one.runs.edges[-1] - one.runs.edges[0]),
                "annotated_seconds": float(one.runs.seconds[one.runs.labels >= 0].sum()),
            }
            for one in found
        },
        "classes": found[0].classes,
        "simulated": True if True in known else None if None in known else False,
        "bin_seconds": profile.width,
        "profile_over": "time of day" if starts else "time since the recording began",
        "command": command + "".join(f" --start {shlex.quote(one)}" for one in given_starts),
        **provenance.describe(),
    }


def _report(
    found: Sequence[Recording], tables: dict[str, list[dict[str, Any]]], result: dict[str, Any]
) -> Iterator[str]:
    if result["simulated"]:
        yield "simulated data"
    whole = sum(one["seconds"] for one in result["recordings"].values())
    annotated = sum(one["annotated_seconds"] for one in result["recordings"].values())
    several = f"{len(found)} recordings" if len(found) > 1 else found[0].name
    yield f"{several}: {duration(whole)}, {100 * annotated / whole if whole else 0:.1f} % of it annotated"
    yield f"profile over the {result['profile_over']}, {_step(result['bin_seconds'])}"
    yield ""
    lines = [("class", "share", "bouts", "per hour", "median length")]
    budget = [row for row in tables["time_budget"] if row["recording"] == behaviour_tables.ALL]
    summary = [row for row in tables["bout_summary"] if row["recording"] == behaviour_tables.ALL]
    for share, bouts in zip(budget, summary):
        lines.append(
            (
                share["class"],
                "–" if share["share"] is None else f"{100 * share['share']:.1f} %",
                str(bouts["bouts"]),
                "–" if bouts["bouts_per_hour"] is None else f"{bouts['bouts_per_hour']:.1f}",
                "–" if bouts["median_seconds"] is None else f"{bouts['median_seconds']:.2f} s",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *others in lines:
        yield "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))])
