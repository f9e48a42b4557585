"""Resizing images as pycaffe does: by scikit-image for one and three channels, by scipy for other numbers.

The two disagree. scikit-image's `resize(mode="constant")` (version 0.18, in real Caffe 1.0 on Debian 11) blurs
by a Gaussian of σ = (factor − 1) / 2 before it makes an image smaller, puts pixel centres at k + ½, and takes
everything outside as zero. scipy's `zoom` puts the corner pixels onto each other and blurs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe.errors import CaffeValueError
from caffe.images.splines import cubic_matrix, spline_matrix


def resize_image(im: np.ndarray, new_dims: Sequence[int], interp_order: int = 1) -> np.ndarray:
    """An H×W×K image in the size `new_dims` (height, width), float32.

    `interp_order` is 0 for the nearest pixel, 1 for linear interpolation, 2 to 5 for splines of that degree (with 1
    or 3 channels, 3 is bicubic). CaffeValueError for anything else.
    """
    if interp_order not in range(6):
        raise CaffeValueError(f"interpolation order {interp_order} is not one of 0 (nearest), 1 (linear), "
                              "2 to 5 (splines)")
    size = tuple(int(extent) for extent in new_dims)
    if im.shape[-1] not in (1, 3):
        return _zoom(im, size, interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if not high > low:
        return np.full((*size, im.shape[-1]), low, np.float32)
    unit = (im - low) / (high - low)
    return (_resize(unit, size, interp_order) * (high - low) + low).astype(np.float32)


def _resize(image: np.ndarray, size: tuple[int, ...], order: int) -> np.ndarray:
    factors = [old / new for old, new in zip(image.shape, size)]
    for axis, factor in enumerate(factors):
        if factor > 1:
            image = _blur(image, (factor - 1) / 2, axis)
    if order > 1:
        return _clipped(_by_matrices(image, [_outside_is_zero(*given, order) for given in zip(
            image.shape, [factor * (np.arange(new) + 0.5) - 0.5 for factor, new in zip(factors, size)])]), image)
    # A pixel's worth of the zeros outside, for what lies beyond the outermost centres.
    resized = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    for axis, factor in enumerate(factors):
        resized = _sample(resized, factor * (np.arange(size[axis]) + 0.5) + 0.5, order, axis)
    return np.clip(resized, image.min(), image.max()) if order else resized


def _outside_is_zero(extent: int, places: np.ndarray, order: int) -> np.ndarray:
    if order == 3:
        return cubic_matrix(extent, places)
    matrix = spline_matrix(extent, places, order)
    matrix[(places < 0) | (places > extent - 1)] = 0
    return matrix


def _by_matrices(image: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    down, along = matrices
    return np.einsum("yh,hwk,xw->yxk", down, image, along, optimize=True)


def _clipped(resized: np.ndarray, image: np.ndarray) -> np.ndarray:
    """No value beyond the image's own range, but for the zeros outside of it."""
    return np.where(resized == 0, 0, np.clip(resized, image.min(), image.max()))


def _zoom(image: np.ndarray, size: tuple[int, ...], order: int) -> np.ndarray:
    if order > 1:
        return _by_matrices(image, [spline_matrix(old, np.linspace(0, old - 1, new), order)
                                    for old, new in zip(image.shape, size)])
    for axis, extent in enumerate(size):
        step = (image.shape[axis] - 1) / (extent - 1) if extent > 1 else 0
        image = _sample(image, step * np.arange(extent), order, axis)
    return image


def _sample(image: np.ndarray, places: np.ndarray, order: int, axis: int) -> np.ndarray:
    """Values of `image` at `places` along `axis`, between neighbours (order 1) or at the nearer one (order 0)."""
    last = image.shape[axis] - 1
    if order == 0:
        return image.take(np.clip(np.floor(places + 0.5).astype(int), 0, last), axis)
    before = np.clip(np.floor(places).astype(int), 0, last)
    shape = [1] * image.ndim
    shape[axis] = -1
    part = (places - before).astype(image.dtype).reshape(shape)
    return image.take(before, axis) * (1 - part) + image.take(np.minimum(before + 1, last), axis) * part


def _blur(image: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """Convolve with a Gaussian cut off at 4 σ, zeros outside. Source: scipy.ndimage.gaussian_filter1d."""
    import cv2

    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    kernel /= kernel.sum()
    along, down = (np.ones(1), kernel) if axis == 0 else (kernel, np.ones(1))
    blurred = cv2.sepFilter2D(image, -1, along, down, borderType=cv2.BORDER_CONSTANT)
    return blurred.reshape(image.shape)
