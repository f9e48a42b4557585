"""What a training reads: a dataset of its own with the labels as they are now, so that later ones do not matter to it.

Its videos are links to the project's; so is what `ethocaffe prepare` makes of them, which all trainings share.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from annotation.footage import FOLDER
from annotation.networks import ANY_SIZE, NETWORKS
from data_prep import dataset as datasets
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json


class Prepared(NamedTuple):
    """Where videos are prepared, at what size, and which region and feeder whoever prepared them before chose."""

    place: str
    size: int
    crop: list[int] | None
    feeder: list[float] | None


def labels_file(dataset: Path, stem: str) -> Path:
    """Where a video's labels are, or would be."""
    return dataset / "labels" / f"{stem}.csv"


def write(given: dict[str, Any]) -> dict[str, Any]:
    """Write a dataset of those of a project's videos that have labels; returns where they are `prepared`, and each
    one's frames per class as `counts`.

    given: target and dataset, folders; videos, `[stem, file name, frames]` each; classes; network, of NETWORKS. A video
    of which no frame is labelled is left out. Raises InputError where none is left, or labels or classes are wrong.
    """
    target, dataset, classes = Path(given["target"]), Path(given["dataset"]), given["classes"]
    network = NETWORKS[given["network"]]
    (target / "videos").mkdir(parents=True)
    (target / "labels").mkdir()
    (target / "classes.txt").write_text("\n".join(classes) + "\n", encoding="utf-8")
    if datasets.read_classes(target / "classes.txt") != tuple(classes):
        raise InputError("a behaviour's name has spaces at its ends or a line end in it; rename it, then train again")
    counts = {}
    for stem, file, frames in given["videos"]:
        source, copy = labels_file(dataset, stem), labels_file(target, stem)
        if not (dataset / "videos" / file).is_file() or not source.is_file():
            continue
        count = _take_labels(source, copy, classes, frames)
        if any(count):
            counts[stem] = count
            _link(target / "videos" / file, dataset / "videos" / file)
        else:
            copy.unlink()
    if not counts:
        raise InputError("no video has labels: accept a labelling first")
    if (dataset / "simulation.json").is_file():
        _link(target / "simulation.json", dataset / "simulation.json")
    found = _prepared(dataset, network.size)
    for name in network.shares:
        place = Path(found.place) / name
        place.mkdir(parents=True, exist_ok=True)
        _link(target / name, place)
    return {"prepared": found._asdict(), "counts": counts}


def _take_labels(source: Path, target: Path, classes: Sequence[str], frames: int) -> list[int]:
    """Copy a labels file, with these classes as its columns; returns the frames of each. A class that is not among
    them is not annotated."""
    own = datasets.read_label_classes(source)
    labels = datasets.read_labels(source, own, frames)
    if tuple(own) == tuple(classes):
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        number = {name: index for index, name in enumerate(classes)}
        labels = np.array([*(number.get(name, -1) for name in own), -1])[labels]
        datasets.write_labels(target, classes, labels.tolist())
    return np.bincount(labels[labels >= 0], minlength=len(classes)).tolist()


def _prepared(dataset: Path, size: int) -> Prepared:
    """The dataset's own prepared/, unless videos there have another size, which are not to be made anew; size 0: that
    which is there."""
    metas = [_meta(file) for file in (dataset / "prepared").glob("*/meta.json")]
    sizes = {int(meta.get("size", 0)) for meta in metas}
    if not size:
        (size,) = sizes if len(sizes) == 1 else (ANY_SIZE,)
    alike = all(meta.get("size") == size and meta.get("crop") == metas[0].get("crop") for meta in metas)
    crops = {tuple(meta["crop"]) if meta.get("crop") else () for meta in metas}
    feeders = {tuple(meta["feeder"]) for meta in metas if meta.get("feeder")}
    return Prepared(
        str(dataset if alike else dataset / FOLDER / f"prepared_{size}"),
        size,
        (list(crops.pop()) or None) if len(crops) == 1 else None,
        list(feeders.pop()) if len(feeders) == 1 else None,
    )


def _meta(file: Path) -> dict[str, Any]:
    try:
        found = read_json(file)
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}


def _link(link: Path, to: Path) -> None:
    try:
        link.symlink_to(to)
    except OSError as error:
        raise InputError(f"{link}: cannot be a link to {to} ({error.strerror}); put the dataset on a disk that has "
                         "symbolic links") from None  # fmt: skip


def to_hold_out(counts: Mapping[str, Sequence[int]]) -> str | None:
    """The video to validate on: one whose classes are all shown by others too; of several that with the most classes,
    then the fewest labelled frames. None where there is none: holding it out would keep a class from being learned."""
    shown = {stem: {at for at, number in enumerate(count) if number} for stem, count in counts.items()}
    able = [
        stem
        for stem in shown
        if len(shown) > 1 and shown[stem] <= set().union(*(shown[one] for one in shown if one != stem))
    ]
    return min(able, key=lambda stem: (-len(shown[stem]), sum(counts[stem]), stem)) if able else None
