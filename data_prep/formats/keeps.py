"""What a format can hold of an annotation, as words in a table: what is lost by writing, and what then is left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from data_prep.annotations import Annotation, Bout, joined, make, mask, runs

BACKGROUND = "background"


def _touching(one: Annotation) -> bool:
    """Whether merging bouts of one behaviour that touch or overlap would change something."""
    return len(_merged(one)) != len(one.bouts)


def _merged(one: Annotation) -> list[Bout]:
    out = []
    for name in one.behaviours:
        ours = [bout for bout in one.bouts if bout.behaviour == name]
        spans = joined((bout.start, bout.stop) for bout in ours)
        whole = {(bout.start, bout.stop): bout for bout in ours}
        out += [whole.get(span, Bout(name, *span)) for span in spans]
    return out


ASPECTS: dict[str, tuple[str, Callable[[Annotation], bool]]] = {
    "behaviours": (
        "behaviours that have no bout, and the behaviours' order",
        lambda one: one.behaviours != tuple(dict.fromkeys(bout.behaviour for bout in one.bouts)),
    ),
    "unannotated": ("what was not annotated (it now counts as looked at)", lambda one: one.annotated != _whole(one)),
    "idle": (
        "frames that were looked at and show no behaviour (they now count as not annotated)",
        lambda one: one.annotated != joined((bout.start, bout.stop) for bout in one.bouts),
    ),
    "overlaps": ("behaviours at the same time", lambda one: not one.exclusive),
    "touching": ("where a bout of a behaviour directly follows or overlaps another of it", _touching),
    "subjects": ("which animal it was", lambda one: any(bout.subject for bout in one.bouts)),
    "comments": ("comments", lambda one: any(bout.comment for bout in one.bouts)),
    "modifiers": ("modifiers", lambda one: any(bout.modifiers for bout in one.bouts)),
    "confidence": ("confidences", lambda one: any(bout.confidence is not None for bout in one.bouts)),
    "annotator": ("the annotator", lambda one: bool(one.annotator)),
    "frames": ("the number of frames (the video must be at hand to read it back)", lambda one: True),
    "marks": ("boxes and points on frames", lambda one: bool(one.marks)),
    "empty": ("videos without bouts", lambda one: not one.bouts),
}


def _whole(one: Annotation) -> tuple[tuple[int, int], ...]:
    return joined([(0, one.frames)])


def lost(annotations: Sequence[Annotation], keeps: Collection[str]) -> list[str]:
    """What annotations have that a format which `keeps` these aspects does not hold, in words; not the frames, which
    the video has."""
    return [
        words
        for aspect, (words, present) in ASPECTS.items()
        if aspect not in keeps and aspect != "frames" and any(present(one) for one in annotations)
    ]


def reduced(one: Annotation, keeps: Collection[str]) -> Annotation:
    """An annotation as it comes back from a format, read with the same timeline: what it cannot hold taken away."""
    bouts = _merged(one) if "touching" not in keeps else list(one.bouts)
    bouts = [
        Bout(
            bout.behaviour,
            bout.start,
            bout.stop,
            bout.subject if "subjects" in keeps else "",
            bout.comment if "comments" in keeps else "",
            bout.confidence if "confidence" in keeps else None,
            bout.modifiers if "modifiers" in keeps else "",
        )
        for bout in bouts
    ]
    annotated = one.annotated if "unannotated" in keeps else _whole(one)
    if "idle" not in keeps:
        annotated = tuple(runs(mask(((bout.start, bout.stop) for bout in bouts), one.frames)))
    return make(
        bouts,
        one.frames,
        behaviours=one.behaviours if "behaviours" in keeps else (),
        annotated=annotated,
        video=one.video,
        annotator=one.annotator if "annotator" in keeps else "",
        name=one.name,
        timeline=one.timeline,
        marks=one.marks if "marks" in keeps else (),
    )
