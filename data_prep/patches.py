"""Patches in which a grey picture differs from its background. All numbers are ours."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

LONGEST = 256  # pixels of the picture's longer side that is worked on
LEAST_STEP, MOST_STEP = 12.0, 25.0  # grey levels by which a pixel must differ: the least and the most
NOISE_STEPS = 6.0  # times the noise by which it must, between these
GONE = 2.0  # times as steep as the picture the background must be along a ghost's outline
BODY = 0.45  # width of what is cut off the silhouette, in square roots of its area
PIECES = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
JOINED = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


class Patch(NamedTuple):
    """A connected part of a picture: its number among the parts, box in pixels, area and centre of mass."""

    number: int
    left: int
    top: int
    width: int
    height: int
    area: int
    x: float
    y: float


def working(grey: np.ndarray) -> np.ndarray:
    """A frame made smaller, so that its longer side has at most LONGEST pixels, and a little smooth."""
    parts = -(-max(grey.shape) // LONGEST)  # a whole number: OpenCV averages those the fastest
    if parts > 1:
        size = (max(1, grey.shape[1] // parts), max(1, grey.shape[0] // parts))
        grey = cv2.resize(np.ascontiguousarray(grey), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(np.ascontiguousarray(grey), (3, 3), 0)


def gain(picture: np.ndarray, background: np.ndarray) -> float:
    """By what factor the picture is lighter than the background all over: the median of a sample of pixels."""
    return float(np.median((picture[::4, ::4] + np.float32(1)) / (background[::4, ::4] + np.float32(1))))


def difference(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Where a picture differs from the background, 255 there and else 0, specks removed and near parts joined."""
    apart = cv2.absdiff(picture.astype(np.float32), background)
    noise = 1.4826 * float(np.median(apart[::4, ::4]))  # of a normal distribution, from its median deviation
    step = min(max(LEAST_STEP, NOISE_STEPS * noise), MOST_STEP)
    _, differs = cv2.threshold(apart, step, 255, cv2.THRESH_BINARY)
    pieces = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, PIECES)
    return cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, JOINED)


def parts(mask: np.ndarray) -> tuple[list[Patch], np.ndarray]:
    """The connected parts of a mask, uint8, and which of them each pixel is in (0: none)."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask)
    found = [Patch(number, *map(int, stat), *map(float, centre))
             for number, (stat, centre) in enumerate(zip(stats, centres))]  # fmt: skip
    return found[1:], labels  # 0 is all the rest


def mask_of(labels: np.ndarray, patch: Patch) -> np.ndarray:
    """255 where a patch is, else 0."""
    return (labels == patch.number).astype(np.uint8) * np.uint8(255)


def box(patch: Patch, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a patch and `margin` pixels around it."""
    return (slice(max(patch.top - margin, 0), patch.top + patch.height + margin),
            slice(max(patch.left - margin, 0), patch.left + patch.width + margin))  # fmt: skip


def body(labels: np.ndarray, patch: Patch) -> Patch:
    """The largest part of a patch without what is thin: tail, whiskers, a bridge to a reflection."""
    width = int(BODY * np.sqrt(patch.area)) | 1
    silhouette = np.pad(mask_of(labels[box(patch)], patch), width)
    opened = cv2.morphologyEx(silhouette, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    left = parts(opened)[0] or parts(silhouette)[0]
    largest = max(left, key=lambda part: part.area)
    return largest._replace(
        left=largest.left + patch.left - width,
        top=largest.top + patch.top - width,
        x=largest.x + patch.left - width,
        y=largest.y + patch.top - width,
    )


def is_ghost(patch: Patch, labels: np.ndarray, picture: np.ndarray, background: np.ndarray) -> bool:
    """Whether a patch's outline is one of the background and not of the picture: something that has gone."""
    part = box(patch, 4)
    outline = cv2.morphologyEx(mask_of(labels[part], patch), cv2.MORPH_GRADIENT, JOINED)
    here, there = (cv2.mean(steepness(image[part]), mask=outline)[0] for image in (picture, background))
    return there > GONE * here


def steepness(image: np.ndarray) -> np.ndarray:
    image = image.astype(np.float32)
    return cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
