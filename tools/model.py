"""Trained models: folders that explain themselves.

model.json is written last, so a folder without it is a training that has not ended. Prediction takes
everything from the folder and has no defaults of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from data_prep.errors import InputError
from data_prep.files import LOCK, read_json, sha256, write_json

FORMAT = 1
WEIGHTS, DEPLOY, TRAIN_VAL, SOLVER = (
    "weights.caffemodel",
    "deploy.prototxt",
    "train_val.prototxt",
    "solver.prototxt",
)
CURVE = "learning_curve.csv"
SIGNED = (WEIGHTS, DEPLOY)
KEYS = ("network", "classes", "streams", "preprocessing", "frame_rate", "held_out", "settings", "files")


@dataclass(frozen=True)
class Model:
    """A model's folder and the content of its model.json."""

    path: Path
    info: dict[str, Any]

    @property
    def classes(self) -> list[str]:
        return self.info["classes"]

    @property
    def streams(self) -> list[str]:
        return self.info["streams"]

    @property
    def preprocessing(self) -> dict[str, Any]:
        return self.info["preprocessing"]

    @property
    def recurrent(self) -> bool:
        """Whether the network goes on from one frame to the next: its deploy net is told where sequences start. Found
        without the engine, which is told the number of its threads before it is loaded."""
        deploy = self.path / DEPLOY
        return deploy.is_file() and re.search(r'^\s*top:\s*"cont"', deploy.read_text("utf-8"), re.MULTILINE) is not None

    @property
    def hash(self) -> str:
        """Hexadecimal digits that change with the weights, the network, the classes or the preprocessing."""
        parts = [*self.info["files"].values(), *self.classes, repr(self.preprocessing)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def load(path: str | Path, meanwhile: Callable[[], None] = lambda: None) -> Model:
    """Read a model's folder. Raises InputError if it is unfinished, damaged or of a newer format.

    `meanwhile` is called while a thread reads the files through, to see whether they are those of the model.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name what `ethocaffe train` wrote with --output")
    if not (folder / "model.json").is_file():
        raise InputError(
            f"{folder}: there is no model.json in it, so it is not a model, or its training has not "
            "ended; give the training command again"
        )
    info = read_json(folder / "model.json")
    if not isinstance(info, dict) or not isinstance(info.get("format"), int):
        raise InputError(f"{folder / 'model.json'}: does not describe a model; train again")
    if info["format"] > FORMAT:
        raise InputError(
            f"{folder / 'model.json'}: format {info['format']} is newer than this program knows "
            f"({FORMAT}); update ethocaffe"
        )
    missing = [key for key in KEYS if key not in info]
    if missing:
        raise InputError(f"{folder / 'model.json'}: lacks {', '.join(missing)}; train again")
    own = (*SIGNED, TRAIN_VAL) if set(SIGNED) <= set(info["files"]) else tuple(info["files"])
    for name in own:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file, and the model needs it; restore it or train again")
    with ThreadPoolExecutor(1) as thread:
        found = {name: thread.submit(sha256, folder / name) for name in info["files"]}
        meanwhile()
    for name, signed in info["files"].items():
        if found[name].result() != signed:
            raise InputError(f"{folder / name}: is not the file that model.json describes; restore it or train again")
    return Model(folder, info)


def refuse_foreign(folder: Path, own: Collection[str]) -> None:
    """Raise InputError if the folder holds something, and none of it is a model or an unfinished one's `own` files."""
    if folder.is_file():
        raise InputError(f"{folder}: is a file; name a folder for the model")
    found = {file.name for file in folder.iterdir()} - {LOCK} if folder.is_dir() else set()
    if found and not found & {"model.json", *own}:
        raise InputError(f"{folder}: is not empty and not a model; name a new folder with --output")


def refuse_other_settings(folder: Path, there: dict[str, Any], now: dict[str, Any], what: str) -> None:
    """Raise InputError, which names them, if settings differ from those that `folder` was (`what`) trained with."""
    differing = [name for name in now if there.get(name) != now[name]]
    if differing:
        told = (
            f"{name} {there.get(name)}, now {now[name]}" if len(str(there.get(name))) < 40 else name
            for name in differing
        )
        raise InputError(
            f"{folder}: {what} with other settings ({'; '.join(told)}); "
            "name another folder with --output, or remove this one"
        )


def load_network(path: str | Path) -> Model:
    """`load`, for what only a network can do. Raises InputError also for the current system."""
    trained = load(path)
    if WEIGHTS not in trained.info["files"]:
        raise InputError(f"{trained.path}: is a {trained.info['network']}, and this command takes a network's model")
    return trained


def save(folder: Path, info: dict[str, Any], signed: Sequence[str] = SIGNED) -> Model:
    """Complete a model whose other files are in `folder`, `signed` among them, by writing its model.json."""
    files = {name: sha256(folder / name) for name in signed}
    content = {"format": FORMAT, **info, "files": files}
    write_json(folder / "model.json", content)
    return Model(folder, content)
