"""Reads frames from the LMDBs of prepared videos into float32 arrays."""

from __future__ import annotations

import numpy as np

from data_prep import lmdb_store
from data_prep.errors import InputError
from data_prep.position import standardised
from python_layers.settings import STORED_CHANNELS, VECTORS, Settings

# Columns of a batch's list of frames.
VIDEO, FRAME, TOP, LEFT = range(4)


class FrameReader:
    """Fills arrays with cropped frames less their mean, and with standardised numbers.

    `paths` holds, per stream, the LMDB of each video.
    """

    def __init__(self, settings: Settings, paths: dict[str, list[str]]):
        self._crop = settings.crop
        self._settings = settings
        self._means = {
            stream: np.array(settings.mean[stream], np.float32)[:, np.newaxis, np.newaxis]
            for stream in settings.streams
            if stream not in VECTORS
        }
        self._readers = {
            stream: [lmdb_store.open_reader(path) for path in paths[stream]] for stream in settings.streams
        }

    def fill(self, frames: np.ndarray, pixels: dict[str, np.ndarray]) -> None:
        """Fill pixels[stream], float32 (T·N, stored channels, crop, crop) or (T·N, numbers), with the listed frames.

        frames: (T·N, 4) video, frame, top and left of the crop. Raises InputError naming the LMDB and the
        frame.
        """
        for stream, target in pixels.items():
            fill = self._fill_numbers if stream in VECTORS else self._fill_pictures
            fill(stream, frames, target)

    def _fill_numbers(self, stream: str, frames: np.ndarray, target: np.ndarray) -> None:
        shape = (VECTORS[stream] + 1, 1, 1)  # and the flag
        rows = [self._read(stream, video, frame, shape).ravel() for video, frame, _, _ in frames.tolist()]
        deviation = self._settings.deviation or {}
        target[...] = standardised(np.stack(rows), self._settings.mean[stream], deviation[stream])

    def _fill_pictures(self, stream: str, frames: np.ndarray, target: np.ndarray) -> None:
        shape = (STORED_CHANNELS[stream], self._settings.size, self._settings.size)
        for place, (video, frame, top, left) in enumerate(frames.tolist()):
            image = self._read(stream, video, frame, shape)
            window = image[:, top : top + self._crop, left : left + self._crop]
            np.subtract(window, self._means[stream], out=target[place], dtype=np.float32)

    def _read(self, stream: str, video: int, frame: int, shape: tuple[int, ...]) -> np.ndarray:
        reader = self._readers[stream][video]
        values = reader.read(frame)
        if values.shape != shape:
            raise InputError(
                f"{reader.path}: frame {frame} has the shape {values.shape}, not {shape}; "
                f"run `ethocaffe prepare --size {self._settings.size}` on its dataset"
            )
        return values
