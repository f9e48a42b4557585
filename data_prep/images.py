"""Single grey images."""
from __future__ import annotations

import cv2
import numpy as np


def crop_grey(frame: np.ndarray, region: tuple[int, int, int, int] | None) -> np.ndarray:
    """The part of a frame inside `region` = (top, left, bottom, right), in pixels, half-open; all if None."""
    if region is None:
        return frame
    top, left, bottom, right = region
    return frame[top:bottom, left:right]


def resize_grey(frame: np.ndarray, size: int) -> np.ndarray:
    """Squash a grey uint8 frame H×W to size×size.

    Area averaging, so that a smaller picture has no aliasing; OpenCV interpolates where it has to enlarge.
    """
    if frame.shape == (size, size):
        return np.ascontiguousarray(frame)
    return cv2.resize(np.ascontiguousarray(frame), (size, size), interpolation=cv2.INTER_AREA)
