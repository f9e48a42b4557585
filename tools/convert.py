"""`ethocaffe convert`: annotations of other programs to the labels of a dataset, and back, or from one to another."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep import annotations as neutral
from data_prep import dataset as datasets
from data_prep import formats, timeline
from data_prep.annotations import Annotation
from data_prep.errors import InputError, warn
from data_prep.files import atomic_path
from data_prep.formats.source import UNPAIRED, read_text
from data_prep.formats.videos import Timelines
from tools.arguments import add_quiet

LABELS = "labels"
FILE_NAMES = {"deepethogram": "{}_labels"}  # what a format calls the file of a video, where not by its stem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="files of annotations; a dataset, for its labels")
    parser.add_argument("--to", required=True, metavar="FORMAT", help=f"one of {', '.join(formats.writable())}")
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="where the files go; with `--to labels` DIR/labels/*.csv, and DIR/classes.txt where there is none yet",
    )
    parser.add_argument("--from", dest="format", metavar="FORMAT", help="of the inputs, if it is not to be found out")
    parser.add_argument(
        "--video", nargs="+", default=[], metavar="FILE", help="videos annotated, for their frames' times"
    )
    parser.add_argument("--dataset", metavar="DATASET", help="a dataset that has the videos annotated")
    parser.add_argument("--fps", type=float, metavar="F", help="frames per second of videos that are not at hand")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="take this observation or video only; may be repeated",
    )
    parser.add_argument("--subject", metavar="NAME", help="take the behaviours of this animal only")
    parser.add_argument("--map", metavar="FILE.csv", help="columns from,to: rename behaviours, drop those without `to`")
    parser.add_argument(
        "--overlap",
        choices=neutral.OVERLAPS,
        default="error",
        help="behaviours at once, where only one may be: refuse (default), take the first in the order of the classes, "
        "or call the frames not annotated",
    )
    parser.add_argument(
        "--background",
        metavar="NAME",
        help="with `--to labels`: a class for frames that were looked at and show no behaviour (else not annotated)",
    )
    parser.add_argument(
        "--unpaired",
        choices=UNPAIRED,
        default="error",
        help="BORIS states that start and never stop: refuse (default), drop, or let them last to the video's end",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    target = formats.find(args.to)
    if target.write is None:
        raise InputError(f"{args.to} is only read; convert to one of {', '.join(formats.writable())}")
    if args.fps is not None:
        timeline.exact_rate(args.fps)
    names = {} if args.map is None else read_map(Path(args.map))
    only = tuple(args.only)
    videos = find_videos(args.video, args.dataset)
    by_input: dict[str, list[Annotation]] = {}
    seen: set[str] = set()
    for given in map(Path, args.inputs):
        files, more = sources(given)
        if len(args.inputs) == len(files) == len(args.video) == 1 and not given.is_dir():
            more = dict.fromkeys((given.stem, given.stem[: -len("_labels")]), Path(args.video[0]))  # whatever its name
        known = formats.Known(Timelines({**more, **videos}, args.quiet), args.fps, only, args.unpaired)
        found = [one for file in files for one in formats.read(file, known, args.format)]
        seen.update(name for one in found for name in one.behaviours)
        found = [with_video(neutral.renamed(one, names), {**more, **videos}) for one in found]
        by_input.setdefault(given.resolve().name if given.is_dir() else given.stem, []).extend(found)
    if args.subject is not None:
        by_input = {key: [neutral.of_subject(one, args.subject) for one in found] for key, found in by_input.items()}
    unknown = [name for name in names if name not in seen]
    if unknown:
        warn(f"{args.map}: nothing is called {', '.join(map(repr, unknown))}")
    everything = [one for found in by_input.values() for one in found]
    if not everything:
        raise InputError(f"{', '.join(args.inputs)}: no annotation in it{' of those named by --only' if only else ''}")
    for name in only:
        if not any(name in (one.name, one.video, one.stem, neutral.file_name(one.video)) for one in everything):
            raise InputError(f"--only {name}: there is no observation or video of that name; correct it")
    output = Path(args.output)
    if target.name == LABELS:
        classes = label_classes(everything, output, args.dataset, args.background)
        written = write_labels(everything, classes, output, args.overlap, args.background, args.overwrite)
    else:
        written = write_files(by_input, target, output, args.overwrite)
    if not args.quiet:
        for path, found in written:
            for one in found:
                looked = sum(stop - start for start, stop in one.annotated)
                print(f"{path}: {one.stem}, {len(one.bouts)} bouts, {looked} of {one.frames} frames annotated")
        keeps = target.keeps | ({"idle"} if args.background else set())
        for words in formats.lost([one for found in by_input.values() for one in found], keeps):
            warn(f"{target.name} does not hold {words}")
    return 0


def find_videos(files: Sequence[str], dataset: str | None) -> dict[str, Path]:
    """Video files by stem. Raises InputError for two of one stem, and one that is not there."""
    videos = {} if dataset is None else dict(datasets.open_dataset(dataset).videos)
    for file in map(Path, files):
        if not file.is_file():
            raise InputError(f"{file}: no such file; check the name")
        if file.stem in videos and videos[file.stem].resolve() != file.resolve():
            raise InputError(f"{file}: {videos[file.stem]} has the same name; give one of them")
        videos[file.stem] = file
    return videos


def sources(given: Path) -> tuple[list[Path], dict[str, Path]]:
    """The files of an INPUT: itself, or the label files of a dataset, with that dataset's videos."""
    if not given.is_dir():
        return [given], {}
    if not (given / "classes.txt").is_file():
        raise InputError(f"{given}: a folder, but not a dataset (no classes.txt); name the files in it")
    dataset = datasets.open_dataset(given)
    files = [dataset.labels(stem) for stem in dataset.videos if dataset.labels(stem).is_file()]
    if not files:
        raise InputError(f"{given / 'labels'}: no labels of its videos; there is nothing to convert")
    return files, dict(dataset.videos)


def with_video(one: Annotation, videos: Mapping[str, Path]) -> Annotation:
    """Named after its video, where the format does not name one and a file of that stem is known."""
    return one._replace(video=videos[one.name].name) if not one.video and one.name in videos else one


def read_map(path: Path) -> dict[str, str]:
    """New names by old ones, "" to drop. Raises InputError for another header, or a name that is there twice."""
    rows = list(csv.reader(io.StringIO(read_text(path))))
    if not rows or [cell.strip() for cell in rows[0]] != ["from", "to"]:
        raise InputError(f"{path}, line 1: the header is not from,to; write it, then a row per behaviour")
    names: dict[str, str] = {}
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > 2 or row[0].strip() in ("", *names):
            raise InputError(f"{path}, line {line}: write one behaviour and its new name, each behaviour once")
        names[row[0].strip()] = row[1].strip() if len(row) == 2 else ""
    return names


def label_classes(
    found: Sequence[Annotation], output: Path, dataset: str | None, background: str | None
) -> tuple[str, ...]:
    """Those of DIR/classes.txt, or else of the dataset given; or else the behaviours in the order in which they come.

    Raises InputError if there is none, or one that a labels file cannot have.
    """
    for folder in (output, Path(dataset) if dataset else output):
        if (folder / "classes.txt").is_file():
            return datasets.read_classes(folder / "classes.txt")
    names = [name for one in found for name in one.behaviours]
    classes = tuple(dict.fromkeys(names if background is None else [*names, background]))
    if not classes:
        raise InputError("no behaviour, and so no class, in all of it; name other files")
    for name in classes:
        if name == "frame" or name != " ".join(name.split()):
            raise InputError(f"a class cannot be called {name!r}; rename it with --map")
    return classes


def write_labels(
    found: Sequence[Annotation],
    classes: Sequence[str],
    output: Path,
    overlap: str,
    background: str | None,
    overwrite: bool,
) -> list[tuple[Path, list[Annotation]]]:
    """DIR/labels/<stem>.csv, and classes.txt where there is none; what then stands there. Nothing is written unless all
    can be."""
    plan = planned([(output / "labels" / f"{one.stem}.csv", [one]) for one in found], overwrite)
    labels = [(path, one, neutral.to_labels(one, classes, overlap, background)) for path, (one,) in plan]
    if not (output / "classes.txt").is_file():
        with atomic_path(output / "classes.txt") as temporary:
            temporary.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    for path, _, values in labels:
        datasets.write_labels(path, classes, values)
    return [
        (path, [neutral.from_labels(values, classes, video=one.video, name=one.name)]) for path, one, values in labels
    ]


def write_files(
    by_input: Mapping[str, list[Annotation]], target: formats.Format, output: Path, overwrite: bool
) -> list[tuple[Path, list[Annotation]]]:
    """A file per input where the format holds several videos, else one per video."""
    ending = target.extensions[0]
    if target.many:
        plan = [(output / f"{name}{ending}", found) for name, found in by_input.items() if found]
    else:
        name = FILE_NAMES.get(target.name, "{}")
        everything = [one for found in by_input.values() for one in found]
        plan = [(output / f"{name.format(one.stem)}{ending}", [one]) for one in everything]
    plan = planned(plan, overwrite)
    for path, found in plan:
        formats.write(path, found, target.name)
    return plan


def planned(plan: list[tuple[Path, list[Annotation]]], overwrite: bool) -> list[tuple[Path, list[Annotation]]]:
    """The plan, if no two of it are one file and none replaces a file unasked."""
    taken: dict[Path, Annotation] = {}
    for path, found in plan:
        if path in taken:
            names = " and ".join(repr(one.name or one.video) for one in (taken[path], found[0]))
            raise InputError(f"{path}: {names} would both be written there; choose with --only, one run for each")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: is there already; choose another --output, or say --overwrite to replace it")
        taken[path] = found[0]
    return plan
