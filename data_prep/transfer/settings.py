"""What a transfer is told: the command line over DATASET/transfer.json over what is the case otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import read_json
from data_prep.transfer.sources import Source

NORMALISE = ("auto", "never", "always")
DEFAULTS: dict[str, Any] = {
    "pattern": None,
    "settle": 30.0,
    "every": 60.0,
    "normalise": "auto",
    "rename": "{stem}",
    "delete_source": False,
    "discard_original": False,
    "status_page": None,
    "log": None,
}
FIELDS = ("stem", "source", "folder", "date")  # of --rename


@dataclass(frozen=True)
class Settings:
    """A dataset, its sources, and how they are taken. `settle` and `every` are seconds."""

    dataset: Path
    sources: tuple[Source, ...]
    settle: float
    every: float
    normalise: str
    rename: str
    delete_source: bool
    discard_original: bool
    status_page: Path | None
    log: Path | None


def read_settings(dataset: str | os.PathLike[str], given: Mapping[str, Any], urls: Sequence[str] = ()) -> Settings:
    """The settings for a dataset: `given` (None: not given), then its transfer.json; sources are `urls`, if any, else
    the file's. Raises InputError for a dataset that is not there, and for settings that cannot be."""
    folder = Path(dataset)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make it first (or is its disk not mounted?)")
    file = folder / "transfer.json"
    kept = read_json(file) if file.exists() else {}
    if not isinstance(kept, dict):
        raise InputError(f'{file}: not a JSON object; write {{"sources": ["URL", …]}}')
    for name in kept:
        if name != "sources" and name not in DEFAULTS:
            raise InputError(f"{file}: no setting {name!r}; there are sources, {', '.join(DEFAULTS)}")
    values = {
        name: given[name] if given.get(name) is not None else kept.get(name, default)
        for name, default in DEFAULTS.items()
    }
    for name, default in DEFAULTS.items():
        _check_kind(file if name in kept else None, name, values[name], default)
    if values["normalise"] not in NORMALISE:
        raise InputError(f"normalise {values['normalise']!r}: choose of {', '.join(NORMALISE)}")
    if values["delete_source"] and values["discard_original"]:
        raise InputError(
            "--delete-source with --discard-original: the recording as the camera made it would be nowhere; give one"
        )
    new_stem(values["rename"], Source("source", ""), "folder/file.mp4", 0.0)
    sources = _sources(file, list(urls) or kept.get("sources") or [], values.pop("pattern"))
    for source in sources:
        _check_apart(folder, source)
    for name in ("status_page", "log"):
        values[name] = Path(values[name]) if values[name] else None
    return Settings(folder, sources, **values)


def new_stem(template: str, source: Source, path: str, mtime: float | None) -> str:
    """A video's name by the template, without characters that make names hard to give. Raises InputError if it
    has other fields than stem, source, folder and date, or gives an empty name."""
    import datetime

    folder, _, name = path.rpartition("/")
    date = datetime.datetime.fromtimestamp(mtime or 0.0).strftime("%Y%m%dT%H%M%S")
    try:
        stem = template.format(stem=os.path.splitext(name)[0], source=source.name, folder=folder, date=date)
    except (KeyError, ValueError, IndexError, AttributeError):
        fields = ", ".join("{" + field + "}" for field in FIELDS)
        raise InputError(f"--rename {template}: cannot be filled in; its fields are {fields}") from None
    stem = re.sub(r"[\x00-\x1f/\\,:*?\"<>|]+", "_", stem).strip(" ._")
    if not stem:
        raise InputError(f"--rename {template}: gives an empty name for {path}")
    return stem


def _check_kind(file: Path | None, name: str, value: Any, default: Any) -> None:
    """A number is at least 0, a switch true or false, the rest text."""
    where = f"{file}: {name}" if file else f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, float):
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7
    else:
        fits = value is None or isinstance(value, str)
    if not fits:
        kind = {bool: "true or false", float: "a number of seconds"}.get(type(default), "text")
        raise InputError(f"{where}: {value!r} is not {kind}")


def _sources(file: Path, given: list[Any], pattern: str | None) -> tuple[Source, ...]:
    if not isinstance(given, list) or not given:
        raise InputError(f'no source: give --source URL, or write {file} with {{"sources": ["URL", …]}}')
    sources: dict[str, Source] = {}
    for item in given:
        entry = {"url": item} if isinstance(item, str) else item
        options = entry.get("options", {}) if isinstance(entry, dict) else None
        if (
            not isinstance(entry, dict)
            or not isinstance(options, dict)
            or not entry.get("url")
            or not set(entry) <= {"url", "name", "pattern", "options"}
            or not all(isinstance(entry.get(name) or "", str) for name in ("url", "name", "pattern"))
        ):
            raise InputError(f'{file}: a source is a URL, or {{"url": …, "name": …, "pattern": …, "options": {{…}}}}')
        url = _plain(entry["url"])
        name = entry.get("name") or re.sub(r"[^\w.-]+", "_", url.rpartition("/")[2] or url).strip("_") or "source"
        if name in sources and entry.get("name"):
            raise InputError(f"{file}: two sources are named {name!r}; rename one")
        while name in sources:
            name += "_2"
        sources[name] = Source(name, url, entry.get("pattern") or pattern, options)
    urls = [source.shown for source in sources.values()]
    for url in urls:
        if urls.count(url) > 1:
            raise InputError(f"source {url} is given twice; give it once")
    return tuple(sources.values())


def _plain(url: str) -> str:
    """A folder of this machine as its absolute path, however it was written: files are known by their URLs."""
    path = url[len("file://") :] if url.startswith("file://") else url
    return url.rstrip("/") if "://" in path else str(Path(path).expanduser().resolve())


def _check_apart(dataset: Path, source: Source) -> None:
    """Raise InputError for a folder that is in the dataset or has it inside: it would take its own videos."""
    if "://" in source.url:
        return
    ours, theirs = dataset.resolve(), Path(source.url)
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise InputError(f"{source.url}: the source and the dataset {dataset} lie in each other; keep them apart")
