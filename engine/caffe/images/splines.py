"""Interpolation of higher order along one axis, as matrices: values wanted = matrix @ values given.

Sources: B-splines as scipy.ndimage has them (mirrored at the ends); the cubic is that of scikit-image's bicubic
interpolation (Catmull and Rom's, zeros outside).
"""

from __future__ import annotations

from math import comb, factorial

import numpy as np


def spline_matrix(extent: int, places: np.ndarray, order: int) -> np.ndarray:
    """len(places) × extent: values at `places` (0 … extent − 1) of the spline of degree `order` through all values."""
    at_pixels = _basis(extent, np.arange(extent), order)
    return np.linalg.solve(at_pixels.T, _basis(extent, places, order).T).T


def cubic_matrix(extent: int, places: np.ndarray) -> np.ndarray:
    """len(places) × extent: values at `places` from the four neighbours, those outside taken as zero."""
    first = np.floor(places).astype(int)
    x = places - first
    weights = np.stack([-x + 2 * x**2 - x**3, 2 - 5 * x**2 + 3 * x**3, x + 4 * x**2 - 3 * x**3, x**3 - x**2]) / 2
    matrix = np.zeros((len(places), extent))
    for offset, weight in zip((-1, 0, 1, 2), weights):
        inside = (first + offset >= 0) & (first + offset < extent)
        matrix[inside, (first + offset)[inside]] = weight[inside]
    return matrix


def _basis(extent: int, places: np.ndarray, order: int) -> np.ndarray:
    """len(places) × extent: the B-splines around the pixels, at `places`; beyond the ends pixels repeat mirrored."""
    matrix = np.zeros((len(places), extent))
    period = max(2 * (extent - 1), 1)
    for pixel in range(-order, extent + order):
        own = abs(pixel) % period
        matrix[:, min(own, period - own) if extent > 1 else 0] += _b_spline(places - pixel, order)
    return matrix


def _b_spline(x: np.ndarray, order: int) -> np.ndarray:
    """The central B-spline: a sum of truncated powers."""
    total = sum((-1) ** k * comb(order + 1, k) * np.maximum(x + (order + 1) / 2 - k, 0) ** order
                for k in range(order + 2))
    return total / factorial(order)
