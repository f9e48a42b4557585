"""BORIS projects (`.boris`, JSON, format version 7 and its like): every observation with its media and events.

Kept: behaviours in the ethogram's order, subjects, modifiers, comments, the observation's time interval. A point event
takes one frame. A behaviour that is absent counts as looked for, over the whole observation or its time interval.
Live observations have no video and need a frame rate (`--fps`). Not read: observations of folders of pictures,
independent variables, categories.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.annotations import Annotation
from data_prep.errors import InputError
from data_prep.formats import boris_observation as boris
from data_prep.formats.source import Known, read_json

KINDS = {"state": "STATE", "point": "POINT"}  # the first word of "State event", "Point event with coding map" …


def sniff(head: str, path: Path) -> bool:
    return head.lstrip().startswith("{") and (
        path.suffix.lower() == ".boris" or "behaviors_conf" in head or '"project_format_version"' in head
    )


def read(path: Path, known: Known) -> list[Annotation]:
    project = read_json(path)
    if not isinstance(project, dict) or not {"observations", "behaviors_conf"} <= set(project):
        raise InputError(f"{path}: not a BORIS project (no observations and behaviors_conf in it); export it again")
    kinds = {one["code"]: _kind(one, path) for one in _in_order(project["behaviors_conf"])}
    out = []
    for name, observation in project["observations"].items():
        files = [media.file for media in _media(observation)]
        if known.wants(name, *files):
            out += _read_observation(name, observation, kinds, known, f"{path}, observation {name!r}")
    return out


def _in_order(configured: dict[str, Any]) -> list[Any]:
    """BORIS numbers its behaviours in keys."""
    return [configured[key] for key in sorted(configured, key=lambda key: (len(key), key))]


def _kind(behaviour: dict[str, Any], path: Path) -> str:
    word = str(behaviour["type"]).split(" ")[0].lower()
    if word not in KINDS:
        raise InputError(f"{path}: behaviour {behaviour['code']!r} is a {behaviour['type']!r}, neither state nor point")
    return KINDS[word]


def _media(observation: dict[str, Any]) -> list[boris.Media]:
    players = observation.get("file") or {}
    files = players.get("1", []) if isinstance(players, dict) else []
    told = observation.get("media_info") or {}
    return [boris.Media(file, _told(told.get("fps"), file), _told(told.get("length"), file)) for file in files]


def _told(by_file: Any, file: str) -> float | None:
    value = by_file.get(file) if isinstance(by_file, dict) else None
    return float(value) if value not in (None, "", "NA") and float(value) > 0 else None


def _read_observation(
    name: str, observation: dict[str, Any], kinds: dict[str, str], known: Known, place: str
) -> list[Annotation]:
    if observation.get("type", "MEDIA") not in ("MEDIA", "LIVE"):
        raise InputError(
            f"{place}: made from {observation['type']!r}, not from a video; leave it out with --only (others' names)"
        )
    offset = float(observation.get("time offset") or 0)
    media = tuple(_media(observation))
    interval = [float(value) for value in observation.get("observation time interval") or (0, 0)]
    end = interval[1] or sum(one.seconds or 0 for one in media)
    watched = (interval[0], end) if any(interval) and end > interval[0] else None
    shape = boris.Observation(name, media, tuple(kinds), offset, watched)
    events = []
    for number, event in enumerate(observation["events"], 1):
        if len(event) < 5 or not all(isinstance(part, str) for part in event[1:5]):
            raise InputError(f"{place}, event {number}: not a time, subject, behaviour, modifiers and comment; mend it")
        time, subject, behaviour, sets, comment = event[:5]
        if behaviour not in kinds:
            raise InputError(
                f"{place}, event {number}: behaviour {behaviour!r} is not in the project's ethogram; add it there"
            )
        where = f"{place}, event {number}"
        text = " ".join(str(comment).split())
        events.append(
            boris.Event(
                float(time), behaviour, kinds[behaviour], subject, boris.modifiers(sets.split("|")), text, where
            )
        )
    intervals = boris.pair(events, known.unpaired, boris.length(shape))
    return boris.to_annotations(shape, intervals, known, place)
