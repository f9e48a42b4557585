"""pycaffe's Classifier: a net that takes images of any size and gives the probabilities of their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from caffe import io
from caffe.batches import forward_all
from caffe.net import Net
from caffe.proto.caffe_pb2 import TEST


class Classifier(Net):
    """A deploy net in TEST phase with its weights, and what prepares the images for its first input.

    Images are scaled to `image_dims` (height, width) first, by default the size that the net takes, and then cut
    to it. `mean`, `input_scale`, `raw_scale` and `channel_swap` are those of `caffe.io.Transformer`.
    Source: python/caffe/classifier.py.
    """

    def __init__(self, model_file: str | PathLike, pretrained_file: str | PathLike | None,
                 image_dims: Sequence[int] | None = None, mean: np.ndarray | None = None,
                 input_scale: float | None = None, raw_scale: float | None = None,
                 channel_swap: Sequence[int] | None = None) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        settings = {"mean": mean, "input_scale": input_scale, "raw_scale": raw_scale, "channel_swap": channel_swap}
        self.transformer = input_transformer(self, settings)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims = self.crop_dims if image_dims is None or not len(image_dims) else image_dims

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """N × classes: the net's first output for each of N images, H×W×K in [0, 1] as `load_image` gives them.

        With `oversample` it is the mean over ten crops (corners, centre, and all of these mirrored), otherwise the
        output for the crop at the centre.
        """
        height, width = self.image_dims
        images = [io.resize_image(image, (height, width)) for image in inputs]
        crops = io.oversample(images, self.crop_dims.tolist()) if oversample else self._centre(np.stack(images))
        found = first_output(self, [self.transformer.preprocess(self.inputs[0], crop) for crop in crops])
        return found.reshape(len(images), 10, -1).mean(1) if oversample else found

    def _centre(self, images: np.ndarray) -> np.ndarray:
        # halves of odd margins are cut off towards zero on both sides, as pycaffe does
        middle = np.array(self.image_dims) / 2
        top, left = (middle - self.crop_dims / 2).astype(int)
        bottom, right = (middle + self.crop_dims / 2).astype(int)
        return images[:, top:bottom, left:right]


def first_output(net: Net, samples: Sequence[np.ndarray]) -> np.ndarray:
    """The net's first output for each of the arrays, given to its first input batch by batch."""
    return forward_all(net, None, {net.inputs[0]: np.stack(samples)})[net.outputs[0]]


def input_transformer(net: Net, settings: Mapping[str, Any]) -> io.Transformer:
    """A Transformer from H×W×K to the net's first input, with those `settings` (its attributes by name) not None."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    for setting, value in settings.items():
        if value is not None:
            getattr(transformer, f"set_{setting}")(name, value)
    return transformer
