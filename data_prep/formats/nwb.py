"""NWB files with ndx-ethogram 0.1 (`Ethogram`, `EthogramBouts`), through pynwb.

One video per file. `Ethogram` lists the behaviours and whether they exclude each other; `EthogramBouts` has a row per
bout, seconds [start, stop), and is `automated` where the bouts have a confidence, else `manual`;
`observation_intervals` says what was looked at; `source_video` is an ImageSeries with the video's file name and the
time of every frame, so that all comes back without the video. Columns subject, comment, modifiers and confidence are
ours. NWB wants the time of recording, which no annotation knows: 1970-01-01 stands there, and
`session_description` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.annotations import Annotation, Bout, file_name, make
from data_prep.errors import InputError
from data_prep.files import atomic_path
from data_prep.formats.source import Known
from data_prep.timeline import Timeline, steady

MAGIC = b"\x89HDF"
TEXTS = {
    "subject": "the animal that shows it; empty for the only one",
    "comment": "what the annotator remarked",
    "modifiers": "BORIS's modifiers, separated by |",
}
UNKNOWN_START = "When the video was recorded is not known to its annotations; session_start_time is a placeholder."


def sniff(head: str, path: Path) -> bool:
    with open(path, "rb") as file:
        return path.suffix.lower() == ".nwb" or file.read(4) == MAGIC


def _modules() -> tuple[Any, Any]:
    try:
        import ndx_ethogram
        import pynwb
    except ImportError:
        raise InputError("NWB needs two more packages: run `pip install pynwb ndx-ethogram`") from None
    return pynwb, ndx_ethogram


def read(path: Path, known: Known) -> list[Annotation]:
    pynwb, ndx_ethogram = _modules()
    try:
        with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
            content = io.read()
            tables = [one for one in content.objects.values() if isinstance(one, ndx_ethogram.EthogramBouts)]
            found = [_annotation(one, content, path, known) for one in tables]
    except InputError:
        raise
    except Exception as error:  # pynwb, hdmf and h5py raise all kinds
        raise InputError(f"{path}: not an NWB file that can be read ({error}); write it again") from None
    if not found:
        raise InputError(f"{path}: no EthogramBouts in it; name a file written with ndx-ethogram")
    return [one for one in found if known.wants(one.video, one.name, one.stem)]


def _annotation(table: Any, content: Any, path: Path, known: Known) -> Annotation:
    video, own, first = _video(table.source_video)
    name = content.session_id or path.stem
    starts, stops = (np.asarray(table[column][:], float) - first for column in ("start_time", "stop_time"))
    timeline = known.timelines.get(Path(video).stem or name) or own
    timeline = timeline or known.timeline(video, name, seconds=float(max(stops, default=0)))
    if timeline is None:
        raise InputError(f"{path}: the times of the video's frames are not in it; give the video with --video, or its "
                         "rate with --fps")  # fmt: skip
    texts = {key: table[key][:] if key in table.colnames else [""] * len(table) for key in ("label", *TEXTS)}
    confidences = table["confidence"][:] if "confidence" in table.colnames else [np.nan] * len(table)
    bouts = []
    for at, (start, stop, confidence) in enumerate(zip(starts, stops, confidences)):
        span = timeline.span(start, stop, f"{path}, {table.name}, row {at}")
        label, subject, comment, modifiers = (str(texts[key][at]) for key in ("label", *TEXTS))
        share = None if np.isnan(confidence) else round(float(confidence), 6)
        bouts.append(Bout(label, *span, subject, comment, share, modifiers))
    looked = table.observation_intervals
    annotated = None
    if looked is not None:
        times = zip(looked["start_time"][:], looked["stop_time"][:])
        annotated = [(timeline.frame(start - first), timeline.frame(stop - first)) for start, stop in times]
    behaviours = [] if table.ethogram is None else [str(one) for one in table.ethogram["behavior"][:]]
    annotator = table.annotator or ""
    return make(bouts, timeline.frames, behaviours=behaviours, annotated=annotated, place=str(path), video=video,
                annotator=annotator, name=name, timeline=timeline)  # fmt: skip


def _video(series: Any) -> tuple[str, Timeline | None, float]:
    """The video's file name, its timeline where that is in the file, and the session's second at which it begins."""
    if series is None:
        return "", None, 0.0
    files = series.external_file
    video = file_name(str(files[0])) if files is not None and len(files) else ""
    if series.timestamps is not None:
        times = np.asarray(series.timestamps[:], float)
        return video, Timeline(times - times[0]), float(times[0])
    frames = 0 if series.data is None else len(series.data)
    own = steady(series.rate, frames) if series.rate and frames else None
    return video, own, float(series.starting_time or 0.0)


def write(path: Path, annotations: Sequence[Annotation]) -> None:
    pynwb, ndx_ethogram = _modules()
    (annotation,) = annotations
    timeline = annotation.timeline
    assert timeline is not None  # the registry sees to it
    video = annotation.video or annotation.name
    content = pynwb.NWBFile(
        session_description=f"Behaviours in the video {video}. {UNKNOWN_START}",
        identifier=hashlib.sha256(repr(annotation).encode()).hexdigest(),
        session_start_time=datetime.fromtimestamp(0, timezone.utc),
        session_id=annotation.name or None,
    )
    series = pynwb.image.ImageSeries(
        name="video", description="the video that was annotated", external_file=[video], starting_frame=[0],
        format="external", unit="n.a.", timestamps=timeline.times,
    )  # fmt: skip
    content.add_acquisition(series)
    looked = pynwb.epoch.TimeIntervals(name="annotated", description="the spans that were looked at")
    for start, stop in annotation.annotated:
        looked.add_interval(start_time=timeline.seconds(start), stop_time=timeline.seconds(stop))
    ethogram = ndx_ethogram.Ethogram(name="ethogram", description="behaviours", exclusive=annotation.exclusive)
    for behaviour in annotation.behaviours:
        ethogram.add_row(behavior=behaviour, definition="")
    automated = any(bout.confidence is not None for bout in annotation.bouts)
    bouts = ndx_ethogram.EthogramBouts(
        name="bouts", description="behavioural bouts", labeling_method="automated" if automated else "manual",
        source_software="ethocaffe", source_video=series, observation_intervals=looked, ethogram=ethogram,
        **({"annotator": annotation.annotator} if annotation.annotator else {}),
    )  # fmt: skip
    if annotation.bouts:  # HDF5 cannot tell the type of an empty column
        for key, what in TEXTS.items():
            bouts.add_column(key, what)
        bouts.add_column("confidence", "mean probability of the behaviour over the bout, NaN where a person said it")
    for bout in annotation.bouts:
        bouts.add_row(
            start_time=timeline.seconds(bout.start), stop_time=timeline.seconds(bout.stop), label=bout.behaviour,
            subject=bout.subject, comment=bout.comment, modifiers=bout.modifiers,
            confidence=np.nan if bout.confidence is None else bout.confidence,
        )  # fmt: skip
    content.add_time_intervals(looked)
    module = content.create_processing_module("behavior", "behavioural bouts and their catalogue")
    module.add(ethogram)
    module.add(bouts)
    with atomic_path(path) as temporary, pynwb.NWBHDF5IO(str(temporary), "w") as io:
        io.write(content)
