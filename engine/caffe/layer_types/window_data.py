"""WindowData: parts of images at random, some with an object and some of background, as R-CNN is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import copysign, floor
from typing import NamedTuple

import numpy as np

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats.files import read_bytes
from caffe.images.data_transformer import decode
from caffe.layer_types.base import register
from caffe.layer_types.prefetching import Prefetching
from caffe.random import rng

_CHANNELS = 3  # images are read in colour


class Window(NamedTuple):
    """A part of an image, the corners included."""

    image: int
    label: int
    corners: tuple[int, int, int, int]  # x1, y1, x2, y2


class Cut(NamedTuple):
    """What to cut from an image, and where it goes in the crop."""

    x1: int
    y1: int
    x2: int
    y2: int
    width: int  # in the crop
    height: int
    left: int  # zeros before it in the crop
    right: int  # and behind it, before cropping
    above: int


@register
class WindowData(Prefetching):
    """batch_size windows of images, the last fg_fraction of them foreground, resized to crop_size × crop_size.

    `source` has for each image `# index`, its path (`root_folder` is put before it), channels, height, width, number
    of windows, and for each window class, overlap, x1, y1, x2, y2. A window is foreground (its class above 0) from an
    overlap of fg_threshold on, background (label 0) below bg_threshold. Each sample takes a number from the layer's
    own stream for its window and, with mirror, one to mirror it.
    With context_pad, or crop_mode "square" (any other is "warp"), the window is enlarged so that context_pad pixels
    of the crop lie around it; what is outside the image is 0. (pixel − mean) · window_data_param.scale; the mean image
    is taken at its centre. Real Caffe leaves a batch half empty where an image is missing: here that is an error.
    Source: src/caffe/layers/window_data_layer.cpp.
    """

    type = "WindowData"
    tops = 2

    def open(self, top: Sequence[Blob]) -> None:
        param, transform = self.layer_param.window_data_param, self.layer_param.transform_param
        self._crop = transform.crop_size
        if self._crop < 1 or param.batch_size < 1:
            raise self.fault("needs transform_param.crop_size and window_data_param.batch_size, both positive")
        if 2 * param.context_pad >= self._crop:
            raise self.fault(f"context_pad {param.context_pad} on both sides leaves nothing of crop_size {self._crop}")
        self._stream = rng.Stream(int(rng.main().uint32(1)[0]))
        with self.naming_the_layer():
            self._images, windows = read_windows(param.source, param.root_folder)
            self._kinds = (
                [w._replace(label=0) for w, overlap in windows if overlap < np.float32(param.bg_threshold)
                 and not overlap >= np.float32(param.fg_threshold)],
                [w for w, overlap in windows if overlap >= np.float32(param.fg_threshold)])
            self._check()
            self._cache = [read_bytes(path, "an image") for path in self._images] if param.cache_images else None
        top[0].reshape(param.batch_size, _CHANNELS, self._crop, self._crop)
        top[1].reshape(param.batch_size)
        self.log_size(top[0])

    def _check(self) -> None:
        param, transform = self.layer_param.window_data_param, self.layer_param.transform_param
        for kind, windows, threshold in zip(("background", "foreground"), self._kinds, ("bg", "fg")):
            if not windows:
                raise CaffeError(f"{param.source}: has no {kind} window; it needs one at least, by "
                                 f"{threshold}_threshold")
        if any(window.label < 1 for window in self._kinds[1]):
            raise CaffeError(f"{param.source}: has a foreground window of class 0 or less; their classes start at 1")
        if len(transform.mean_value) not in (0, 1, _CHANNELS):
            raise CaffeError(f"has {len(transform.mean_value)} mean_value(s) for {_CHANNELS} channels; give one, or "
                             "one for each")
        mean = self.transform.mean_image
        if mean is not None and (mean.shape[0] != _CHANNELS or mean.shape[2] < self._crop
                                 or mean.shape[1] < (mean.shape[2] - self._crop) // 2 + self._crop):
            raise CaffeError(f"{transform.mean_file} is {'×'.join(map(str, mean.shape))}; it must have {_CHANNELS} "
                             f"channels and hold a crop of {self._crop}×{self._crop} at its centre")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.window_data_param
        foreground = int(np.float32(param.batch_size) * np.float32(param.fg_fraction))
        top[0].data[...] = 0
        for item in range(param.batch_size):
            windows = self._kinds[item >= param.batch_size - foreground]
            window = windows[self._draw() % len(windows)]
            mirror = bool(self.layer_param.transform_param.mirror and self._draw() % 2)
            try:
                self._put(top[0].data[item], self._image(window.image), window, mirror)
            except CaffeError as error:
                raise self.fault(f"{self._images[window.image]}: {error}") from error
            top[1].data[item] = window.label

    def _draw(self) -> int:
        return int(self._stream.uint32(1)[0])

    def _image(self, index: int) -> np.ndarray:
        """An image as height × width × 3, uint8."""
        data = self._cache[index] if self._cache is not None else read_bytes(self._images[index], "an image")
        return decode(data, force_color=True, force_gray=False).transpose(1, 2, 0)

    def _put(self, target: np.ndarray, image: np.ndarray, window: Window, mirror: bool) -> None:
        """Write a window into `target`, 3 × crop × crop, which is 0."""
        import cv2

        param = self.layer_param.window_data_param
        x1, y1, x2, y2 = window.corners
        cut = Cut(x1, y1, x2, y2, self._crop, self._crop, 0, 0, 0)
        if (param.context_pad or param.crop_mode == "square") and x1 <= x2 and y1 <= y2:
            cut = enlarged(window.corners, image.shape[:2], self._crop, param.context_pad, param.crop_mode == "square")
        left = cut.right if mirror else cut.left
        width, height = min(cut.width, self._crop - left), min(cut.height, self._crop - cut.above)
        inside = 0 <= cut.x1 <= cut.x2 < image.shape[1] and 0 <= cut.y1 <= cut.y2 < image.shape[0]
        if not inside or min(width, height) < 1:
            raise CaffeError(f"the window {' '.join(map(str, window.corners))} (x1 y1 x2 y2) does not lie within the "
                             f"image of {image.shape[1]} × {image.shape[0]} pixels; correct it in {param.source}")
        part = cv2.resize(np.ascontiguousarray(image[cut.y1:cut.y2 + 1, cut.x1:cut.x2 + 1]), (width, height))
        values = (part[:, ::-1] if mirror else part).transpose(2, 0, 1).astype(np.float32)
        values -= self._mean(cut.above, left, height, width)
        target[:, cut.above:cut.above + height, left:left + width] = values * np.float32(param.scale)

    def _mean(self, above: int, left: int, height: int, width: int) -> np.ndarray:
        """The mean of a part of the crop, to be subtracted: channels × height × width, or × 1 × 1."""
        mean = self.transform.mean_image
        if mean is None:
            values = np.asarray(self.layer_param.transform_param.mean_value or [0], np.float32)
            return values[:, None, None]
        offset = (mean.shape[2] - self._crop) // 2
        return mean[:, offset + above:offset + above + height, offset + left:offset + left + width]


def enlarged(corners: tuple[int, ...], size: tuple[int, ...], crop: int, context: int, square: bool) -> Cut:
    """A window with `context` pixels of the crop around it, and of equal sides if `square`, cut to the image.

    `size` is the image's height and width. Computed in single precision, as real Caffe does.
    """
    x1, y1, x2, y2 = corners
    scale = np.float32(crop) / np.float32(crop - 2 * context)
    half = [np.float32((x2 - x1 + 1) / 2), np.float32((y2 - y1 + 1) / 2)]
    centre = [np.float32(x1) + half[0], np.float32(y1) + half[1]]
    if square:
        half = [max(half)] * 2
    sides = []
    for c, h, extent in zip(centre, half, size[::-1]):
        start, stop = nearest(c - h * scale), nearest(c + h * scale)
        missing, beyond = max(0, -start), max(0, stop - extent + 1)
        ratio = np.float32(crop) / np.float32(stop - start + 1)
        start, stop = start + missing, stop - beyond
        sides.append((start, stop, *(nearest(np.float32(n) * ratio) for n in (stop - start + 1, missing, beyond))))
    (x1, x2, width, left, right), (y1, y2, height, above, _) = sides
    return Cut(x1, y1, x2, y2, width, height, left, right, above)


def nearest(value: np.floating) -> int:
    """The whole number nearest to `value`, halves away from 0: C's round."""
    return int(copysign(floor(abs(float(value)) + 0.5), value))


def read_windows(source: str, root_folder: str) -> tuple[list[str], list[tuple[Window, np.float32]]]:
    """The paths of the images and, with its overlap, every window of a window file. Raises CaffeError."""
    text = read_bytes(source, "a window file").decode(errors="surrogateescape")
    words = ((number, word) for number, line in enumerate(text.split("\n"), 1) for word in line.split())
    images: list[str] = []
    windows: list[tuple[Window, np.float32]] = []
    for line, word in words:
        if word != "#":
            raise CaffeError(f"{source}, line {line}: '{word}' stands where '# image_index' was expected; is the "
                             "number of windows before it right?")
        index = _number(words, source, int, "image index")
        if index != len(images):
            raise CaffeError(f"{source}, line {line}: image {index} stands where image {len(images)} was expected; "
                             "number the images from 0 on")
        images.append(root_folder + _number(words, source, str, "path"))
        for what in ("number of channels", "height", "width"):  # the image itself has them
            _number(words, source, int, what)
        for _ in range(_number(words, source, int, "number of windows")):
            label = _number(words, source, int, "class")
            overlap = np.float32(_number(words, source, float, "overlap"))
            x1, y1, x2, y2 = (_number(words, source, int, what) for what in ("x1", "y1", "x2", "y2"))
            windows.append((Window(index, label, (x1, y1, x2, y2)), overlap))
    if not images:
        raise CaffeError(f"{source}: is empty; it needs '# image_index' and so on for each image")
    return images, windows


def _number(words: Iterator[tuple[int, str]], source: str, kind: type, what: str):
    """The next word as `kind`. Raises CaffeError, naming the line, if it is none or the file ends."""
    line, word = next(words, (None, ""))
    if line is None:
        raise CaffeError(f"{source}: ends where the {what} was expected; is it cut short?")
    try:
        value = kind(word)
        if kind is int and abs(value) > np.iinfo(np.int32).max:
            raise ValueError
        return value
    except ValueError:
        raise CaffeError(f"{source}, line {line}: '{word}' stands where the {what} was expected") from None
