"""Changes of a labelling's marks: boxes and points on frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.tables import Mark, Track, Video
from data_prep import marks
from data_prep.errors import InputError

if TYPE_CHECKING:
    from annotation.edits import Place

MOST_MARKS = 2_000  # of a labelling
MOST_KEYFRAMES = 200_000  # of all of a labelling's marks
NAME = r"^[A-Za-z0-9_-]+$"
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=NAME)]
Number = Annotated[float, Field(ge=0, lt=2**31, allow_inf_nan=False)]
Keyframe = Annotated[list[Number], Field(min_length=3, max_length=5)]


class MarkBody(BaseModel):
    """A named box or point. keyframes: `[frame, x, y]` of a point and `[frame, x, y, width, height]` of a box, in the
    video's pixels from its upper left corner, by frame; between two of them it moves straight from one to the other."""

    id: Name
    name: str = Field(min_length=1, max_length=marks.LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")
    kind: Literal["box", "point"]
    keyframes: list[Keyframe] = Field(min_length=1, max_length=marks.MOST_KEYFRAMES)


class PutMark(BaseModel):
    """A mark that is new, or replaces the one of its id."""

    edit: Name
    action: Literal["mark"]
    mark: MarkBody


class Unmark(BaseModel):
    """A mark that goes."""

    edit: Name
    action: Literal["unmark"]
    id: Name


def put(place: Place, change: PutMark) -> tuple[Any, Any]:
    """Put a mark; returns what was there and what is there now."""
    given, video = change.mark, place.video
    neutral = marks.Mark(given.id, given.name, given.kind, tuple(tuple(one) for one in given.keyframes))
    try:
        neutral = marks.checked(neutral, video.frames, video.width, video.height, f"mark {given.id}")
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    before = place.marks.get(given.id)
    place.marks[given.id] = {**neutral._asdict(), "keyframes": [list(one) for one in neutral.keyframes]}
    return before, place.marks[given.id]


def remove(place: Place, change: Unmark) -> tuple[Any, Any]:
    """Remove a mark; returns what was there."""
    return place.marks.pop(change.id, None), None


def of_file(given: Sequence[marks.Mark], video: Video, new: str) -> list[PutMark]:
    """The changes that put a file's marks, named `new`-1 and so on; so are marks whose id no browser could have given.
    Raises InputError for one that is not in the video."""
    return [
        PutMark.model_validate(
            {
                "edit": f"{new}-{at}",
                "action": "mark",
                "mark": {
                    **marks.checked(one, video.frames, video.width, video.height, f"mark {at}")._asdict(),
                    "id": one.id if len(one.id) <= 40 and re.fullmatch(NAME, one.id) else f"{new}-{at}",
                },
            }
        )
        for at, one in enumerate(given, 1)
    ]


def must_fit(session: Session, track: Track) -> None:
    """422 where a labelling has more marks than a page could show."""
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(Mark.size), 0)).where(Mark.track_id == track.id)
    ).one()
    if count > MOST_MARKS or size > MOST_KEYFRAMES:
        raise HTTPException(422, f"{count} marks with {size} keyframes; a labelling holds up to {MOST_MARKS} with "
                                 f"{MOST_KEYFRAMES}")  # fmt: skip


def of_track(session: Session, track_id: int) -> list[marks.Mark]:
    """A labelling's marks, by their id."""
    found = session.scalars(select(Mark).where(Mark.track_id == track_id).order_by(Mark.id))
    return [marks.Mark(one.id, one.name, one.kind, tuple(tuple(key) for key in one.keyframes)) for one in found]


def weight(trace: dict[str, Any] | None) -> int:
    """How many keyframes an entry of the trail tells of."""
    return len((trace or {}).get("keyframes", ()))


def stored(mark: dict[str, Any]) -> dict[str, Any]:
    """A mark's row."""
    return {**mark, "size": len(mark["keyframes"])}


def as_json(mark: Any) -> dict[str, Any]:
    """A mark as the API gives it, of a `Mark` or a row of its table."""
    return {name: getattr(mark, name) for name in ("id", "name", "kind", "keyframes")}
