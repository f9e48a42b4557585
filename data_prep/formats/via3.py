"""Projects of the VGG Image Annotator 3 (Dutta & Zisserman 2019; JSON), and its two CSV exports (read only).

A temporal segment of a file is a bout: seconds [start, stop). Its behaviour is the option chosen (or the text typed)
for a temporal attribute. Attributes called subject, comment, modifiers, confidence and annotated mean these; where
several others are there, behaviours are called `attribute=value`. Boxes and points in a frame are marks (via3_marks);
other regions, segments with a place in the picture and single frames are left out. Source of the format: VIA's
`_via_import_export.js` and `_via_attribute.js`.

Written: one select attribute `behaviour`, text attributes as above, and segments of `annotated` (its value the
annotator) for what was looked at, so that all of it comes back. Not held: frames and their times (give the video).
In files of others, without such segments, the whole video counts as looked at.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.annotations import Annotation, Bout, file_name, make
from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.formats import via3_marks
from data_prep.formats.source import Known, number, read_json, read_text
from data_prep.formats.via3_marks import Region

SELECT, CHECKBOX, TEXT = 4, 2, 1  # VIA's numbers for how a value is chosen; 3 (radio) is like select
SEGMENT = "FILE1_Z2_XY0"  # VIA's name for an attribute of a temporal segment
ANNOTATED, YES = "annotated", "yes"
EXTRAS = ("subject", "comment", "modifiers", "confidence")
REGIONS = (via3_marks.NAME, via3_marks.MARK)  # attributes of boxes and points
HEADER, ATTRIBUTES = "# CSV_HEADER", "# ATTRIBUTE"


class Segment(NamedTuple):
    """view: what tells apart annotations of one file; values: by attribute's name, options resolved."""

    view: str
    file: str
    start: float
    stop: float
    values: list[tuple[str, str]]
    place: str


def sniff(head: str, path: Path) -> bool:
    return head.lstrip().startswith("{") and '"vid_list"' in head


def sniff_csv(head: str, path: Path) -> bool:
    return head.startswith("#") and HEADER in head


def read(path: Path, known: Known) -> list[Annotation]:
    project = read_json(path)
    if not isinstance(project, dict) or not {"metadata", "file", "view", "attribute"} <= set(project):
        raise InputError(f"{path}: not a VIA 3 project (metadata, file, view and attribute in it); export it again")
    files = {view: _file(project, view) for view in project["view"]}
    found: list[Segment | Region] = []
    for key, one in project["metadata"].items():
        if via3_marks.is_region(one["z"], one["xy"]):
            values = _values(one["av"], project["attribute"])
            found.append(Region(str(one["vid"]), float(one["z"][0]), one["xy"], values, f"{path}, {key}"))
        if len(one["z"]) == 2 and not one["xy"]:
            start, stop = (float(second) for second in one["z"])
            values = _values(one["av"], project["attribute"])
            found.append(Segment(str(one["vid"]), files[str(one["vid"])], start, stop, values, f"{path}, {key}"))
    options = _options(project["attribute"])
    return [
        _annotation(file, [one for one in found if one.view == view], options, path, known)
        for view, file in files.items()
        if known.wants(file)
    ]


def _file(project: dict[str, Any], view: str) -> str:
    file = project["file"][str(project["view"][view]["fid_list"][0])]
    return file_name(file["fname"] or file["src"])


def _values(given: dict[str, str], attributes: dict[str, Any]) -> list[tuple[str, str]]:
    """(attribute's name, value): options by what they say; one pair for each box that is ticked."""
    out = []
    for key, value in given.items():
        attribute = attributes.get(key, {"aname": key, "type": TEXT})
        parts = str(value).split(",") if attribute["type"] == CHECKBOX else [str(value)]
        options = attribute.get("options") or {}
        out += [(attribute["aname"], str(options.get(part, part)).strip()) for part in parts if part.strip()]
    return out


def _options(attributes: dict[str, Any]) -> dict[str, list[str]]:
    """The options of every attribute of segments that has some."""
    return {
        one["aname"]: [str(option) for option in one["options"].values()]
        for one in attributes.values()
        if one.get("anchor_id", SEGMENT) == SEGMENT and one["type"] != TEXT and one.get("options")
    }


def read_csv(path: Path, known: Known) -> list[Annotation]:
    text = read_text(path)
    above = [line for line in text.splitlines() if line.startswith("#")]
    columns = next((line.split("=", 1)[1].strip().split(",") for line in above if line.startswith(HEADER)), [])
    attributes: dict[str, Any] = next(
        (json.loads(line.split("=", 1)[1]) for line in above if line.startswith(ATTRIBUTES)), {}
    )
    if not columns:
        raise InputError(f"{path}: no line '{HEADER} = …', as VIA 3's tables have; export it again")
    body = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    found: list[Segment | Region] = []
    for at, cells in enumerate(csv.reader(io.StringIO(body)), 1):
        place = f"{path}, segment {at}"
        if len(cells) != len(columns):
            raise InputError(f"{place}: {len(cells)} columns where the header has {len(columns)}; mend the line")
        row = dict(zip(columns, cells))
        if "temporal_segment_start" in row:
            times = [number(row[f"temporal_segment_{end}"], place) for end in ("start", "end")]
        else:
            times = json.loads(row["temporal_coordinates"])
        xy = json.loads(row.get("spatial_coordinates") or "[]")
        region = via3_marks.is_region(times, xy)
        if region or (len(times) == 2 and not xy):
            file = file_name(json.loads(row["file_list"])[0])
            values = _values(json.loads(row["metadata"]), attributes)
            if region:
                found.append(Region(file, float(times[0]), xy, values, place))
            else:
                found.append(Segment(file, file, float(times[0]), float(times[1]), values, place))
    options = _options(attributes)
    return [
        _annotation(file, [one for one in found if one.view == file], options, path, known)
        for file in dict.fromkeys(one.view for one in found)
        if known.wants(file)
    ]


def _annotation(
    file: str, found: Sequence[Segment | Region], options: dict[str, list[str]], path: Path, known: Known
) -> Annotation:
    segments = [one for one in found if isinstance(one, Segment)]
    regions = [one for one in found if isinstance(one, Region)]
    last = max([0.0, *(one.stop for one in segments), *(one.seconds for one in regions)])
    timeline = known.timeline(file, "", seconds=last)
    if timeline is None:
        raise InputError(f"{path}: VIA gives {file!r} in seconds; give the frame rate with --fps, or the video with "
                         "--video")  # fmt: skip
    names = {name for one in segments for name, _ in one.values} | set(options)
    many = len(names - {*EXTRAS, ANNOTATED}) > 1
    bouts, spans, annotator = [], [], ""
    for one in segments:
        span = timeline.span(one.start, one.stop, one.place)
        extra = {name: value for name, value in one.values if name in EXTRAS}
        confidence = number(extra["confidence"], one.place) if extra.get("confidence") else None
        for name, value in one.values:
            if name == ANNOTATED:
                spans.append(span if one.stop > one.start else (0, 0))
                annotator = "" if value == YES else value
            elif name not in EXTRAS:
                behaviour = f"{name}={value}" if many else value
                texts = [extra.get(key, "") for key in EXTRAS[:3]]
                bouts.append(Bout(behaviour, *span, texts[0], texts[1], confidence, texts[2]))
    behaviours = [
        f"{name}={option}" if many else option
        for name, given in options.items()
        if name not in (*EXTRAS, ANNOTATED)
        for option in given
    ]
    return make(
        bouts,
        timeline.frames,
        behaviours=behaviours,
        annotated=spans if any(name == ANNOTATED for one in segments for name, _ in one.values) else None,
        place=str(path),
        video=file,
        annotator=annotator,
        timeline=timeline,
        marks=via3_marks.read(regions, timeline),
    )


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    behaviours = list(dict.fromkeys(name for one in annotations for name in one.behaviours))
    ids = {name: str(at) for at, name in enumerate(behaviours, 1)}
    keys = {name: str(at) for at, name in enumerate(("behaviour", *EXTRAS, ANNOTATED, *REGIONS), 1)}
    metadata: dict[str, Any] = {}
    for view, one in enumerate(annotations, 1):
        assert one.timeline is not None
        seconds = one.timeline.seconds
        entries: list[Any] = [([seconds(start), seconds(stop)], [], said) for start, stop, said in _segments(one, ids)]
        entries += [([second], xy, said) for second, xy, said in via3_marks.written(one.marks, one.timeline)]
        for z, xy, said in entries:
            metadata[f"{view}_{len(metadata):08d}"] = {
                "vid": str(view),
                "flg": 0,
                "z": [round(second, 6) for second in z],
                "xy": xy,
                "av": {keys[name]: value for name, value in said if value},
            }
    views = [str(view) for view in range(1, len(annotations) + 1)]
    videos = [one.video or one.name for one in annotations]
    project = {
        "project": {
            "pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": path.stem, "creator": "ethocaffe", "created": 0, "vid_list": views,
        },
        "config": {
            "file": {"loc_prefix": {str(at): "" for at in range(1, 5)}},
            "ui": {"file_content_align": "center", "file_metadata_editor_visible": True,
                   "spatial_metadata_editor_visible": False, "spatial_region_label_attribute_id": ""},
        },
        "attribute": {
            key: {"aname": name, "anchor_id": via3_marks.REGION if name in REGIONS else SEGMENT,
                  "type": SELECT if name == "behaviour" else TEXT, "desc": "",
                  "options": {at: option for option, at in ids.items()} if name == "behaviour" else {},
                  "default_option_id": ""}
            for name, key in keys.items()
        },
        "file": {view: {"fid": int(view), "fname": video, "type": 4, "loc": 1, "src": ""}
                 for view, video in zip(views, videos)},
        "view": {view: {"fid_list": [int(view)]} for view in views},
        "metadata": metadata,
    }  # fmt: skip
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(project, ensure_ascii=False) + "\n", encoding="utf-8")


def _segments(one: Annotation, ids: dict[str, str]) -> Iterable[tuple[int, int, list[tuple[str, str]]]]:
    spans = one.annotated or ((0, 0),)  # an empty segment says that nothing was looked at
    for start, stop in spans:
        yield start, stop, [(ANNOTATED, one.annotator or YES)]
    for bout in one.bouts:
        confidence = "" if bout.confidence is None else f"{bout.confidence:.6f}"
        yield bout.start, bout.stop, [
            ("behaviour", ids[bout.behaviour]), ("subject", bout.subject), ("comment", bout.comment),
            ("modifiers", bout.modifiers), ("confidence", confidence),
        ]  # fmt: skip
