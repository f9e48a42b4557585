"""An observation of BORIS (Friard & Gamba 2016): its events paired to intervals, and these to frames of its videos.

Times are seconds from the beginning of the first video of player 1, plus the observation's time offset; further
videos of player 1 follow it without a gap. Videos of other players show the same time from elsewhere, and get no
annotation of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from data_prep.annotations import Annotation, Bout, make
from data_prep.errors import InputError
from data_prep.formats.source import Known, stem
from data_prep.timeline import SLACK, TOLERANCE, Timeline

NOBODY = "No focal subject"


class Media(NamedTuple):
    """A video of player 1; its rate and length where the file says them."""

    file: str
    fps: float | None = None
    seconds: float | None = None


class Event(NamedTuple):
    """kind: START, STOP or POINT, or STATE where BORIS does not say whether it starts or stops.

    media: the video in which it lies, "" where that is not said.
    """

    time: float
    behaviour: str
    kind: str
    subject: str
    modifiers: str
    comment: str
    place: str
    media: str = ""


class Interval(NamedTuple):
    """Seconds [start, stop); equal for a point event."""

    start: float
    stop: float
    behaviour: str
    subject: str
    modifiers: str
    comment: str
    place: str
    media: str = ""


class Observation(NamedTuple):
    """offset: seconds that its times have too much. watched: seconds of the media that were looked at, None for all.
    total: seconds of all videos together, where the file says that."""

    name: str
    media: tuple[Media, ...]
    behaviours: tuple[str, ...]
    offset: float = 0.0
    watched: tuple[float, float] | None = None
    total: float | None = None


def modifiers(sets: Iterable[str]) -> str:
    """The values of the sets of modifiers as `a|b`, without the spaces that versions put around them or not; the word
    None stands where a set has no value, and nothing is left where none has one."""
    values = [value.strip() or "None" for value in sets]
    return "" if all(value == "None" for value in values) else "|".join(values)


def pair(events: Sequence[Event], unpaired: str, end: float | None) -> list[Interval]:
    """Events as intervals: a state's first event starts it and the next one of the same subject, behaviour and
    modifiers stops it. `unpaired` and `end` say what becomes of one that is never stopped (see `source.Known`).

    Raises InputError naming the event for a state without stop or start, unless `unpaired` lets it pass.
    """
    out: list[Interval] = []
    waiting: dict[tuple[str, str, str], Event] = {}
    last = max((event.time for event in events), default=0.0)
    for event in sorted(events, key=lambda event: event.time):
        key = event.subject, event.behaviour, event.modifiers
        starts = event.kind == "START" or (event.kind == "STATE" and key not in waiting)
        if event.kind == "POINT":
            out.append(_interval(event, event))
        elif not starts and key in waiting:
            out.append(_interval(waiting.pop(key), event))
        elif unpaired == "error" and (not starts or key in waiting):
            raise InputError(_complaint(event, "starts a second time" if starts else "stops without a start"))
        elif starts:
            waiting.setdefault(key, event)
    for event in waiting.values():
        if unpaired == "error":
            raise InputError(_complaint(event, "starts and never stops"))
        if unpaired == "end":
            stop = last if end is None else max(end, event.time)
            out.append(_interval(event, event._replace(time=stop, comment="")))
    return out


def _interval(start: Event, stop: Event) -> Interval:
    comments = dict.fromkeys(text for text in (start.comment, stop.comment) if text)
    return Interval(
        start.time,
        stop.time,
        start.behaviour,
        start.subject,
        start.modifiers,
        "; ".join(comments),
        start.place,
        start.media,
    )


def _complaint(event: Event, what: str) -> str:
    of = f" of {event.subject!r}" if event.subject else ""
    with_ = f" with {event.modifiers!r}" if event.modifiers else ""
    return (
        f"{event.place}: state {event.behaviour!r}{of}{with_} {what} at {event.time:.3f} s; mend it in BORIS, leave "
        "the observation out with --only, or say `--unpaired drop` or `--unpaired end`"
    )


def length(observation: Observation) -> float | None:
    """When its last video ends, in its own times; None where that is not known."""
    known = [media.seconds for media in observation.media]
    if not known or any(seconds is None for seconds in known):
        return None
    return observation.offset + sum(seconds or 0.0 for seconds in known)


def to_annotations(
    observation: Observation, intervals: Sequence[Interval], known: Known, place: str
) -> list[Annotation]:
    """One per video of player 1 (or one without a video for a live observation). An interval that goes on in the next
    video is divided there.

    Raises InputError where a rate or a length is missing, or an interval is outside the videos.
    """
    last = max((interval.stop - observation.offset for interval in intervals), default=0.0)
    media = observation.media or (Media("", None, None),)
    timelines = [_timeline(one, observation, known, last, place, len(media) > 1) for one in media]
    begins = [0.0]
    for one, timeline in zip(media, timelines):
        begins.append(begins[-1] + (timeline.end if one.seconds is None else one.seconds))
    if observation.total is not None and media[0].file and abs(begins[-1] - observation.total) > SLACK:
        raise InputError(
            f"{place}: its videos last {observation.total:.3f} s, but {', '.join(one.file for one in media)} "
            f"{begins[-1]:.3f} s; there are other videos, without events, or these are not the right ones"
        )
    out = []
    for at, (one, timeline) in enumerate(zip(media, timelines)):
        first, final = at == 0, at == len(media) - 1
        begin, end = begins[at], float("inf") if final else begins[at + 1]
        bouts = []
        for interval in intervals:
            start, stop = interval.start - observation.offset, interval.stop - observation.offset
            if start >= end or (not first and start < begin and stop <= begin + TOLERANCE):
                continue
            if start >= begin + SLACK and start < end - SLACK and stem(interval.media or one.file) != stem(one.file):
                raise InputError(
                    f"{interval.place}: at {interval.start:.3f} s lies {one.file!r}, not {interval.media!r}, by the "
                    "lengths of the videos; check that they are the right ones"
                )
            local = start if first else max(start - begin, 0.0)
            span = timeline.span(local, min(stop, end) - begin, interval.place)
            bouts.append(
                Bout(interval.behaviour, *span, interval.subject, interval.comment, modifiers=interval.modifiers)
            )
        annotated = None if observation.watched is None else [_watched(observation.watched, begin, timeline)]
        out.append(
            make(
                bouts,
                timeline.frames,
                behaviours=observation.behaviours,
                annotated=annotated,
                place=place,
                video=one.file,
                name=observation.name,
                timeline=timeline,
            )
        )
    return out


def _timeline(media: Media, observation: Observation, known: Known, last: float, place: str, several: bool) -> Timeline:
    seconds = media.seconds if media.seconds is not None or several else last
    timeline = known.timeline(media.file, observation.name, media.fps, seconds)
    if timeline is None and several and media.seconds is None:
        raise InputError(
            f"{place}: several videos, and the file does not say how long {media.file!r} is; give the "
            "videos with --video"
        )
    if timeline is None:
        raise InputError(f"{place}: no frame rate; give it with --fps, or the video with --video")
    return timeline


def _watched(watched: tuple[float, float], begin: float, timeline: Timeline) -> tuple[int, int]:
    return timeline.frame(watched[0] - begin), timeline.frame(watched[1] - begin)
