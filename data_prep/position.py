"""Where the animal is: ten position features per frame by background subtraction, as the current system has them.

The thesis (4.2, after Jhuang et al. 2010) names them "10 position and velocity features" and not more; the list,
the units and all numbers below are ours:

    x, y            centre of mass of the silhouette, in frame widths and heights from the top left corner
    width, height   of its bounding box, in frame widths and heights
    aspect          width / height of the box in pixels, at most ASPECT_LIMIT
    feeder          distance to the feeder, in frame widths and heights
    vx, vy          velocity of the centre over the last SPAN seconds by the file's own timestamps, per second
    speed           length of (vx, vy)
    acceleration    change of the speed over SPAN, per second²

The background is a running average (cv2.accumulateWeighted, time constant FOLLOW) that leaves out the animal, so it
follows slow changes of light and a sleeping animal does not fade into it; a change by the same factor all over
the picture is taken out before. It starts as the median of pictures from the first START seconds. An animal that sat
through most of those is in that median, and leaves a ghost when it goes: a patch whose outline is in the background
and not in the frame, which is put into the background at once. Of the patches that differ, the animal is the one in
which most has moved in the last seconds; where nothing moves, the one nearest to where it was, at first the largest.
Its tail, and a reflection that touches it, are cut off by an opening in proportion to its size.

A row's last number says whether the animal was found in that frame. Where it was not, the row holds the last known
box with velocity 0 (zeros before the first find): no row has a NaN. Not found is
- an animal that never moves: it is part of the background, and every frame is flagged; where only its head moves, as
  in a short clip of drinking, the head is what is found;
- everything while more than SCENE of the picture differs, as when the camera is moved far, or lamps go on that do not
  light all evenly: that frame becomes the new background, and the animal is flagged until it moves, from where its
  ghost fades as above. A camera that is moved a little changes less of the picture: then the edges of the cage count
  as animal, found in a box much too large, until the background has followed (results/fragility);
- a patch of less than SMALLEST of the picture.
Two animals are one patch or the larger one: the features are for a single animal in front of a fixed camera.

Where the feeder is, the thesis does not say, and no picture shows it by itself. FEEDER is taken where nothing else is
given (`ethocaffe prepare --feeder X,Y`): the middle of the picture's upper edge, as in a home cage seen from the side
whose food hopper hangs in the lid. For a cage seen from above, or a feeder at a wall, give its own place; without a
feeder, any place will do, as long as it is the same one in all videos.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from data_prep.patches import JOINED, LEAST_STEP, Patch, body, box, difference, gain, is_ghost, mask_of, parts, working

FEATURES = ("x", "y", "width", "height", "aspect", "feeder", "vx", "vy", "speed", "acceleration")
ROW = len(FEATURES) + 1  # and the flag
MOMENTS = 1 + 2 * len(FEATURES)
FEEDER = (0.5, 0.0)  # in frame widths and heights from the top left corner, as the position is
START = 30.0  # seconds from which the first background comes
SAMPLES = 60  # of them, at least where there are so many, at most twice as many
FOLLOW = 20.0  # seconds: time constant of the background
SPAN = 0.1  # seconds over which velocities are taken
ASPECT_LIMIT = 10.0
SMALLEST, SCENE = 0.0005, 0.5  # shares of the picture: the least an animal has, and what is another scene
RECENT = 1.0  # seconds: time constant of what counts as moving
MOVES = 2.0  # changed pixels per frame from which a patch has moved
KEPT_OUT = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))  # around the animal, not put into the background


class Tracker:
    """Follows the animal through a video, a frame at a time; memory does not grow with the video.

    `start`: pictures, as `data_prep.streams.start_pictures` gives them, from whose median the background starts.
    `feeder`: its x and y in frame widths and heights, 0 to 1.
    """

    def __init__(self, start: Sequence[np.ndarray], feeder: Sequence[float] = FEEDER):
        self._feeder = feeder
        self._background = np.median(start, axis=0).astype(np.float32)
        self._before = start[0]
        self._moved = np.zeros(start[0].shape, np.float32)  # how often each pixel changed of late
        self._trail = Trail()
        self._time: float | None = None
        self._row = np.zeros(ROW, np.float32)

    def row(self, grey: np.ndarray, seconds: float) -> np.ndarray:
        """The ten features and the flag, float32 (11,), of the next frame, grey uint8 H×W, shown at `seconds`."""
        picture, seconds = working(grey), float(seconds)
        step = max(seconds - self._time, 0.0) if self._time is not None else 0.0
        self._time = seconds
        changed = cv2.threshold(cv2.absdiff(picture, self._before), LEAST_STEP, 1, cv2.THRESH_BINARY)[1]
        cv2.accumulateWeighted(changed, self._moved, min(step / RECENT, 1.0))
        self._before = picture
        found = self._find(picture, min(step / FOLLOW, 1.0))
        if found is None:
            self._trail.clear()
            self._row = np.concatenate([self._row[:6], np.zeros(ROW - 6, np.float32)])
        else:
            self._row = self._features(found, picture.shape, seconds)
        return self._row

    def _find(self, picture: np.ndarray, rate: float) -> Patch | None:
        """The animal's body; brings the background up to date."""
        light = gain(picture, self._background)
        differs = difference(picture, self._background * light)
        if np.count_nonzero(differs) > SCENE * differs.size:
            self._background = picture.astype(np.float32)
            self._moved[:] = 0
            return None
        found, labels = parts(differs)
        real = []
        for patch in found:
            if patch.area < SMALLEST * differs.size:
                continue
            if is_ghost(patch, labels, picture, self._background):
                ghost = cv2.dilate(mask_of(labels, patch), JOINED) > 0
                self._background[ghost] = picture[ghost]
            else:
                real.append(patch)
        if not real:
            self._follow(picture, np.zeros_like(picture), light, rate)
            return None
        chosen = self._choose(real, labels)
        self._follow(picture, mask_of(labels, chosen), light, rate)
        return body(labels, chosen)

    def _choose(self, patches: list[Patch], labels: np.ndarray) -> Patch:
        if len(patches) == 1:
            return patches[0]
        moves = [float((self._moved[box(patch)] * (labels[box(patch)] == patch.number)).sum()) for patch in patches]
        # By the root of the area: neither a large patch that flickers a little wins, nor a lively speck.
        liveliest = max(range(len(patches)), key=lambda at: moves[at] / np.sqrt(patches[at].area))
        if moves[liveliest] >= MOVES:
            return patches[liveliest]
        if not self._row[:2].any():
            return max(patches, key=lambda patch: patch.area)
        height, width = labels.shape
        x, y = self._row[0] * width, self._row[1] * height
        return min(patches, key=lambda patch: (patch.x - x) ** 2 + (patch.y - y) ** 2)

    def _follow(self, picture: np.ndarray, silhouette: np.ndarray, light: float, rate: float) -> None:
        free = cv2.bitwise_not(cv2.dilate(silhouette, KEPT_OUT))
        behind = self._background * (1 + (light - 1) * rate)  # behind the animal light changes as elsewhere
        cv2.accumulateWeighted(picture, self._background, rate, mask=free)
        self._background = np.where(free > 0, self._background, behind)

    def _features(self, patch: Patch, shape: tuple[int, ...], seconds: float) -> np.ndarray:
        height, width = shape
        x, y = (patch.x + 0.5) / width, (patch.y + 0.5) / height
        vx, vy, acceleration = self._trail.add(seconds, x, y)
        return np.array([
            x, y, patch.width / width, patch.height / height, min(patch.width / patch.height, ASPECT_LIMIT),
            np.hypot(x - self._feeder[0], y - self._feeder[1]), vx, vy, np.hypot(vx, vy), acceleration, 1,
        ], np.float32)  # fmt: skip


class Trail:
    """The centre's way over the last SPAN seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float, float, float]] = deque()  # seconds, x, y, speed

    def clear(self) -> None:
        self._points.clear()

    def add(self, seconds: float, x: float, y: float) -> tuple[float, float, float]:
        """Velocity in x and y and the acceleration at a new point; 0 where no time has passed."""
        if self._points and seconds <= self._points[-1][0]:
            self._points.clear()
        while len(self._points) > 1 and seconds - self._points[1][0] >= SPAN - 1e-6:
            self._points.popleft()
        if not self._points:
            self._points.append((seconds, x, y, 0.0))
            return 0.0, 0.0, 0.0
        before, old_x, old_y, old_speed = self._points[0]
        span = seconds - before
        vx, vy = (x - old_x) / span, (y - old_y) / span
        speed = float(np.hypot(vx, vy))
        self._points.append((seconds, x, y, speed))
        return vx, vy, (speed - old_speed) / span


def feeder_text(way: Mapping[str, Any]) -> str:
    """Where the feeder is, as `--feeder` takes it, by a video's meta.json or a model's preprocessing."""
    return ",".join(f"{value:g}" for value in way.get("feeder") or FEEDER)


def moments(row: np.ndarray) -> np.ndarray:
    """What is added up over a video's rows for `normalisation`: the flag, and the features and their squares where
    the animal was found; float64 (MOMENTS,)."""
    values = row[:-1].astype(np.float64) * row[-1]
    return np.concatenate([row[-1:], values, values**2])


def normalisation(means: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each feature over the frames in which the animal was found, from the `moments`
    averaged over all frames; deviation 1 for a feature that never changes."""
    found = max(float(means[0]), 1e-12)
    mean, square = np.split(means[1:] / found, 2)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    deviation[deviation < 1e-6] = 1
    return [float(f"{value:.6g}") for value in mean], [float(f"{value:.6g}") for value in deviation]


def standardised(rows: np.ndarray, mean: Sequence[float], deviation: Sequence[float]) -> np.ndarray:
    """The features less their mean, divided by their deviation, float32 (n, features), from rows (n, features + 1).

    Where the animal was not found they are 0: what is not known is taken to be the mean.
    """
    values = (rows[:, :-1] - np.array(mean, np.float32)) / np.array(deviation, np.float32)
    return values * (rows[:, -1:] > 0)
