"""S1 and C1 of Jhuang et al. 2010 (after Serre et al. 2005 and Jhuang et al. 2007), on a window centred on the animal.

S1 is the bank of space-time Gabors that makes the networks' motion images (`data_prep.motion`): four directions over
nine frames. C1 takes its maximum over cells that overlap. The window's size, its scale and the cells are ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from data_prep.motion import FRAMES, SCALE, Bank, gabor_bank, motion_energy

SIDE = 64  # pixels of a window
SHARE = 0.5  # of the frame's height that a window covers
CELL, STRIDE = 8, 4  # of C1, in pixels of the window
CELLS = (SIDE - CELL) // STRIDE + 1
LEAD = FRAMES // 2  # frames that a map looks back at, and ahead


def scaled(grey: np.ndarray) -> np.ndarray:
    """A frame, grey uint8 H×W, made so small that a window covers SHARE of its height."""
    factor = SIDE / (SHARE * grey.shape[0])
    size = (max(round(grey.shape[1] * factor), 1), max(round(grey.shape[0] * factor), 1))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def window(frames: np.ndarray, x: float, y: float) -> np.ndarray:
    """The windows around (x, y), in widths and heights of the frames (n, H, W), float32 (n, SIDE, SIDE); beyond the
    frame its border repeats."""
    _, height, width = frames.shape
    rows = np.clip(np.arange(SIDE) + round(y * height) - SIDE // 2, 0, height - 1)
    columns = np.clip(np.arange(SIDE) + round(x * width) - SIDE // 2, 0, width - 1)
    return frames[:, rows[:, np.newaxis], columns].astype(np.float32)


def c1(energy: np.ndarray) -> np.ndarray:
    """Maxima over cells of CELL × CELL pixels every STRIDE, (4, CELLS, CELLS), of S1's moduli (4, SIDE, SIDE)."""
    kernel = np.ones((CELL, CELL), np.uint8)
    # dilate's anchor is the kernel's middle, and the maximum is of the pixels around it.
    spread = [cv2.dilate(channel, kernel, anchor=(0, 0)) for channel in energy]
    return np.stack([channel[: SIDE - CELL + 1 : STRIDE, : SIDE - CELL + 1 : STRIDE] for channel in spread])


def c1_maps(frames: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield C1, uint8 (4, CELLS, CELLS), of each frame as they come, given (grey uint8, row of `data_prep.position`).

    SCALE times the moduli, as in the motion images, at most 255. All nine frames are seen through the window of the
    middle one, so that the animal's own way across the cage counts as motion; the first and last repeat beyond the
    ends. A map comes four frames late, and nine small frames are kept.
    """
    bank = gabor_bank()
    kept: deque[np.ndarray] = deque(maxlen=FRAMES)
    waiting: deque[tuple[float, float]] = deque()  # centres of the frames whose map is still to come
    newest = -1
    for newest, (grey, row) in enumerate(frames):
        small = scaled(grey)
        kept.extend([small] * (FRAMES if newest == 0 else 1))
        waiting.append((float(row[0]), float(row[1])))
        if newest >= LEAD:
            yield _map(kept, waiting.popleft(), bank)
    for repeat in range(newest + 1, newest + 1 + LEAD):
        if waiting:
            kept.append(kept[-1])
        if waiting and repeat >= LEAD:
            yield _map(kept, waiting.popleft(), bank)


def _map(kept: deque[np.ndarray], centre: tuple[float, float], bank: Bank) -> np.ndarray:
    energy = motion_energy(window(np.stack(kept), *centre), bank)
    return np.minimum(np.rint(c1(energy) * SCALE), 255).astype(np.uint8)
