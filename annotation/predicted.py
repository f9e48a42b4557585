"""Reading what `ethocaffe predict` wrote of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep import formats


def read(given: dict[str, Any]) -> dict[str, Any]:
    """frames, behaviours, spans that are predicted, and bouts `[behaviour, start, stop, confidence]` of the
    predictions.csv that `given["file"]` names. Raises InputError where it is damaged."""
    (found,) = formats.read(Path(given["file"]), format="predictions")
    return {
        "frames": found.frames,
        "behaviours": list(found.behaviours),
        "spans": [list(span) for span in found.annotated],
        "bouts": [[one.behaviour, one.start, one.stop, one.confidence] for one in found.bouts],
    }
