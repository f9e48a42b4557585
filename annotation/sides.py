"""Labellings of a video side by side, as spans of frames in each of which none of them changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.tables import PERSON, Bout, Track, User, Video
from data_prep.annotations import runs

NOTHING = ""  # *none of these*: looked at, and nothing to label
NOT = -1  # not annotated
MOST = 1000  # differences that are told


class Sides(NamedTuple):
    """edges: the spans' first frames and the last one's end, int64 (spans + 1,). looked: whether a labelling looked at
    a span, bool (labellings, spans). has: whether it has a behaviour there, bool (labellings, behaviours, spans)."""

    names: tuple[str, ...]
    behaviours: tuple[str, ...]
    edges: np.ndarray
    looked: np.ndarray
    has: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each span, int64 (spans,)."""
        return np.diff(self.edges)

    def classes(self) -> np.ndarray:
        """The one class that a labelling gives a span, int64 (labellings, spans): a behaviour's index; their number for
        *none of these*; −1 where not annotated, or where there are several and so no class."""
        several = self.has.sum(axis=1)
        one = np.where(several == 1, self.has.argmax(axis=1) if self.behaviours else 0, len(self.behaviours))
        return np.where(self.looked & (several <= 1), one, NOT)


def lay(session: Session, tracks: Sequence[Track], video: Video, behaviours: Sequence[str]) -> Sides:
    """Labellings of one video beside each other; of the behaviours, in this order, those that one of them gave."""
    rows = session.execute(
        select(Bout.track_id, Bout.behaviour, Bout.start, Bout.stop).where(
            Bout.track_id.in_([one.id for one in tracks]), Bout.behaviour.in_(behaviours)
        )
    ).all()
    used = {row[1] for row in rows}
    names = tuple(one for one in behaviours if one in used)
    spans = [[(start, stop) for start, stop in one.annotated] for one in tracks]
    cuts = [0, video.frames, *(row[2] for row in rows), *(row[3] for row in rows)]
    cuts += [frame for own in spans for span in own for frame in span]
    edges = np.unique(np.clip(np.array(cuts, np.int64), 0, video.frames))
    looked = np.zeros((len(tracks), len(edges) - 1), bool)
    has = np.zeros((len(tracks), len(names), len(edges) - 1), bool)
    row_of, place = {one.id: at for at, one in enumerate(tracks)}, {name: at for at, name in enumerate(names)}
    for at, own in enumerate(spans):
        for start, stop in own:
            looked[at, slice(*np.searchsorted(edges, (start, stop)))] = True
    firsts = np.searchsorted(edges, [row[2] for row in rows]).tolist()
    stops = np.searchsorted(edges, [row[3] for row in rows]).tolist()
    for (track_id, behaviour, _, _), first, stop in zip(rows, firsts, stops, strict=True):
        looked[row_of[track_id], first:stop] = True  # a frame with a bout was looked at
        has[row_of[track_id], place[behaviour], first:stop] = True
    return Sides(titles(session, tracks), names, edges, looked, has)


def titles(session: Session, tracks: Sequence[Track]) -> tuple[str, ...]:
    """What to call each labelling: its author, and of what is not simply a person's, which one it is."""
    wanted = select(User.id, User.name).where(User.id.in_([one.author_id for one in tracks]))
    people = {number: name for number, name in session.execute(wanted)}
    out = []
    for one in tracks:
        author = people.get(one.author_id or 0, "")
        out.append(
            author if one.kind == PERSON else " ".join(filter(None, (one.kind, one.name, author and f"of {author}")))
        )
    return tuple(out)


def differences(found: Sides, exclusive: bool) -> tuple[list[dict[str, Any]], int]:
    """Where labellings that all looked differ: spans of frames with what each gave, the first of them, and how many
    more there are. What is given is one behaviour ("": none of these), or where several can be at once a list."""
    shown = found.looked.all(axis=0)
    if exclusive:
        shown = (found.classes() >= 0).all(axis=0)
    differ = shown & (found.has != found.has[:1]).any(axis=(0, 1))
    before = np.concatenate(([False], (found.has[..., 1:] == found.has[..., :-1]).all(axis=(0, 1)) & differ[:-1]))
    firsts = np.flatnonzero(differ & ~before)
    out = []
    for first in firsts[:MOST].tolist():
        last = first
        while last + 1 < len(differ) and differ[last + 1] and before[last + 1]:
            last += 1
        given: dict[str, Any] = {}
        for at, name in enumerate(found.names):
            there = [one for one, has in zip(found.behaviours, found.has[at, :, first], strict=True) if has]
            given[name] = (there or [NOTHING])[0] if exclusive else there
        out.append({"start": int(found.edges[first]), "stop": int(found.edges[last + 1]), "given": given})
    return out, max(0, len(firsts) - MOST)


def agreed(found: Sides, exclusive: bool, rule: str) -> tuple[list[tuple[str, int, int]], list[tuple[int, int]]]:
    """What all (rule "all") or more than half ("majority") of the labellings agree on: bouts (behaviour, start, stop),
    and the spans that are decided. A labelling that did not look agrees with nobody. Where several behaviours can be at
    once each is decided by itself, and a span only when all of them are."""
    size = len(found.names)
    enough = size if rule == "all" else size // 2 + 1
    behaviours = len(found.behaviours)
    if exclusive:
        votes = (found.classes()[:, np.newaxis] == np.arange(behaviours + 1)[:, np.newaxis]).sum(axis=0) >= enough
        decided, yes = votes.any(axis=0), votes[:behaviours]
    else:
        yes = found.has.sum(axis=0) >= enough
        no = (found.looked[:, np.newaxis] & ~found.has).sum(axis=0) >= enough
        decided = (yes | no).all(axis=0) & (found.looked.sum(axis=0) >= enough)
        yes = yes & decided
    bouts = [(name, *span) for name, flags in zip(found.behaviours, yes, strict=True) for span in _frames(found, flags)]
    return sorted(bouts, key=lambda one: one[1:]), _frames(found, decided)


def _frames(found: Sides, flags: np.ndarray) -> list[tuple[int, int]]:
    return [(int(found.edges[first]), int(found.edges[stop])) for first, stop in runs(flags)]
