"""pycaffe's Detector: a net that looks at windows of images, with some of what lies around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from os.path import abspath
from typing import Any

import numpy as np

from caffe import io
from caffe.classifier import first_output, input_transformer
from caffe.errors import CaffeError, CaffeImportError
from caffe.net import Net
from caffe.proto.caffe_pb2 import TEST

Window = Sequence[int]  # ymin, xmin, ymax, xmax in pixels


class Detector(Net):
    """A deploy net in TEST phase with its weights, and what prepares windows of images for its first input.

    With `context_pad`, a border of so many pixels of the net's input shows what surrounds the window, as R-CNN
    has it; beyond the image it shows the mean. The input must be square then. `mean`, `input_scale`, `raw_scale`
    and `channel_swap` are those of `caffe.io.Transformer`. Source: python/caffe/detector.py.
    """

    def __init__(self, model_file: str | PathLike, pretrained_file: str | PathLike | None,
                 mean: np.ndarray | None = None, input_scale: float | None = None, raw_scale: float | None = None,
                 channel_swap: Sequence[int] | None = None, context_pad: int | None = None) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        settings = {"mean": mean, "input_scale": input_scale, "raw_scale": raw_scale, "channel_swap": channel_swap}
        self.transformer = input_transformer(self, settings)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Window]]]) -> list[dict[str, Any]]:
        """The net's first output for windows of image files, each warped to the size that the net takes.

        `images_windows` holds (image file, its windows) pairs; a window is (ymin, xmin, ymax, xmax). Gives a dict
        with `window`, `prediction` and `filename` for each window, in order.
        """
        found = []
        crops = []
        for file, windows in images_windows:
            image = io.load_image(file)
            for window in windows:
                found.append({"window": window, "filename": file})
                crops.append(self.crop(image, window))
        if not crops:
            return []
        predictions = first_output(self, [self.transformer.preprocess(self.inputs[0], crop) for crop in crops])
        return [{**detection, "prediction": prediction} for detection, prediction in zip(found, predictions)]

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """`detect_windows` for the windows that selective search proposes.

        That needs the package selective_search_ijcv_with_python and MATLAB; CaffeImportError where it is not there.
        """
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError:
            raise CaffeImportError("selective search needs the package selective_search_ijcv_with_python, which runs "
                                   "MATLAB; detect_windows takes windows of any other origin") from None
        files = [abspath(fspath(file)) for file in image_fnames]
        return self.detect_windows(zip(files, selective_search.get_windows(files, cmd="selective_search_rcnn")))

    def crop(self, im: np.ndarray, window: Window) -> np.ndarray:
        """The H×W×K image's part in `window`, with its surroundings at the net's size if `context_pad` is set."""
        corners = np.array([int(place) for place in window]).reshape(2, 2)  # (top, left), (bottom, right)
        if not self.context_pad:
            return im[corners[0, 0]:corners[1, 0], corners[0, 1]:corners[1, 1]]
        size = self.blobs[self.inputs[0]].width
        half = (corners[1] - corners[0] + 1) / 2
        reach = size / (size - 2 * self.context_pad) * half
        first, last = np.round(corners[0] + half - reach), np.round(corners[0] + half + reach)
        scale = size / (last - first + 1)  # pixels of the net's input for one of the image
        before = np.round(np.maximum(0, -first) * scale).astype(int)  # of the input, left and above of the image
        first, last = (np.clip(place, 0, im.shape[:2]).astype(int) for place in (first, last))
        extent = np.minimum(np.round((last - first + 1) * scale).astype(int), size - before)
        if (last <= first).any() or (extent <= 0).any():
            raise CaffeError(f"window {tuple(corners.reshape(-1).tolist())} (ymin, xmin, ymax, xmax) has no pixel in "
                             f"common with the image of {im.shape[0]} × {im.shape[1]} pixels")
        seen = io.resize_image(im[first[0]:last[0], first[1]:last[1]], extent)
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean
        (y, x), (height, width) = before, extent
        crop[y:y + height, x:x + width] = seen
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the border of surroundings to `context_pad` pixels and bring the mean into the images' own form."""
        name = self.inputs[0]
        to_image = np.argsort(self.transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].shape[1:])[to_image]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean = np.zeros(self.crop_dims, np.float32)
            return
        self.crop_mean = mean.transpose(to_image)
        if name in self.transformer.channel_swap:
            self.crop_mean = self.crop_mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        if name in self.transformer.raw_scale:
            self.crop_mean = self.crop_mean / self.transformer.raw_scale[name]
