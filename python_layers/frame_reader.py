"""Reads frames from the LMDBs of prepared videos into float32 arrays."""

from __future__ import annotations

import numpy as np

from data_prep import lmdb_store
from data_prep.errors import InputError
from python_layers.settings import STORED_CHANNELS, Settings

# Columns of a batch's list of frames.
VIDEO, FRAME, TOP, LEFT = range(4)


class FrameReader:
    """Fills arrays with cropped frames less their mean. `paths` holds, per stream, the LMDB of each video."""

    def __init__(self, settings: Settings, paths: dict[str, list[str]]):
        self._crop = settings.crop
        self._shapes = {stream: (STORED_CHANNELS[stream], settings.size, settings.size) for stream in settings.streams}
        self._means = {
            stream: np.array(settings.mean[stream], np.float32)[:, np.newaxis, np.newaxis]
            for stream in settings.streams
        }
        self._readers = {
            stream: [lmdb_store.open_reader(path) for path in paths[stream]] for stream in settings.streams
        }

    def fill(self, frames: np.ndarray, pixels: dict[str, np.ndarray]) -> None:
        """Fill pixels[stream], float32 (T·N, stored channels, crop, crop), with the listed frames.

        frames: (T·N, 4) video, frame, top and left of the crop. Raises InputError naming the LMDB and the
        frame.
        """
        for stream, target in pixels.items():
            shape, mean, readers = self._shapes[stream], self._means[stream], self._readers[stream]
            for place, (video, frame, top, left) in enumerate(frames.tolist()):
                image = readers[video].read(frame)
                if image.shape != shape:
                    raise InputError(
                        f"{readers[video].path}: frame {frame} has the shape {image.shape}, not {shape}; "
                        f"run `ethocaffe prepare --size {shape[1]}` on its dataset"
                    )
                window = image[:, top : top + self._crop, left : left + self._crop]
                np.subtract(window, mean, out=target[place], dtype=np.float32)
