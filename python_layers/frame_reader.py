"""Reads frames from the LMDBs of prepared videos into the arrays that a net sees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from data_prep import datum, lmdb_store
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
        self._means = {stream: np.array(settings.mean[stream], np.float32) for stream in settings.streams}
        self._readers = {
            stream: [lmdb_store.open_reader(path) for path in paths[stream]] for stream in settings.streams
        }

    def fill(self, frames: np.ndarray, targets: Sequence[np.ndarray]) -> None:
        """Fill an array of each stream, float32 (T·N, channels of the top, crop, crop) or (T·N, numbers), with the
        listed frames; further arrays are left alone.

        frames: (T·N, 4) video, frame, top and left of the crop. Raises InputError naming the LMDB and the
        frame.
        """
        # In the order in which they lie on the disk, whatever their places in the batch.
        order = np.lexsort((frames[:, FRAME], frames[:, VIDEO]))
        listed = list(zip(order.tolist(), frames[order].tolist()))
        for stream, target in zip(self._settings.streams, targets):
            fill = self._fill_numbers if stream in VECTORS else self._fill_pictures
            fill(stream, listed, target)

    def _fill_numbers(self, stream: str, listed: list[tuple[int, list[int]]], target: np.ndarray) -> None:
        shape = (VECTORS[stream] + 1, 1, 1)  # and the flag
        rows = np.empty((len(target), shape[0]), np.float32)
        for place, (video, frame, _, _) in listed:
            self._readers[stream][video].use(frame, partial(self._fill_row, shape, rows[place]))
        deviation = self._settings.deviation or {}
        target[...] = standardised(rows, self._settings.mean[stream], deviation[stream])

    def _fill_row(self, shape: tuple[int, ...], row: np.ndarray, serialised: memoryview) -> None:
        row[...] = self._image(shape, serialised).ravel()

    def _fill_pictures(self, stream: str, listed: list[tuple[int, list[int]]], target: np.ndarray) -> None:
        shape = (STORED_CHANNELS[stream], self._settings.size, self._settings.size)
        for place, (video, frame, top, left) in listed:
            window = (slice(None), slice(top, top + self._crop), slice(left, left + self._crop))
            fill = partial(self._fill_picture, shape, window, self._means[stream], target[place])
            self._readers[stream][video].use(frame, fill)

    def _fill_picture(
        self,
        shape: tuple[int, ...],
        window: tuple[slice, slice, slice],
        means: np.ndarray,
        target: np.ndarray,
        serialised: memoryview,
    ) -> None:
        image = self._image(shape, serialised)[window]
        # A channel at a time, in two steps: it stays in the cache, and numpy needs no buffers of its own.
        for channel, mean, plane in zip(image, means, target):
            np.copyto(plane, channel)
            np.subtract(plane, mean, out=plane)
        target[len(image) :] = target[0]  # grey in three equal channels

    def _image(self, shape: tuple[int, ...], serialised: memoryview) -> np.ndarray:
        image = datum.look(serialised, shape)
        if image.shape != shape:
            raise InputError(
                f"it has the shape {image.shape}, not {shape}; "
                f"run `ethocaffe prepare --size {self._settings.size}` on its dataset"
            )
        return image
