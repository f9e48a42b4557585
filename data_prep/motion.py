"""Motion images: four directions of space-time Gabor filters over nine frames, as uint8.

The thesis (4.5.1) feeds its motion stream with "four orientations of Gabor filters that convolve over nine
frames at a time to produce a single motion image", computed beforehand; they are the S1 stage of Jhuang et
al. 2010. The text gives neither the filters' sizes nor their tuning: those below are ours.

The filter is the spatiotemporal Gabor of Petkov and Subramanian 2007 (Biological Cybernetics 97), with an
envelope that stands still and is centred in time:

    g(x, y, t) = exp(−(u² + γ² w²) / 2σ²) · exp(−t² / 2τ²) · exp(i 2π (u − v t) / λ)

where u = x cos θ + y sin θ runs along the direction of motion θ, w across it, and v is the speed. The real
and the imaginary part are a quadrature pair, so the modulus of the response, the motion energy of Adelson
and Bergen 1985, does not depend on where in its cycle a pattern is. For θ = 0°, 90°, 180°, 270° the filter is
a product of functions of x, y and t, so a frame costs a few one-dimensional convolutions.
"""
from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

FRAMES = 9
DIRECTIONS = ("right", "down", "left", "up")  # channels: θ = 0°, 90°, 180°, 270°, y running down
WAVELENGTH = 6.0  # λ, pixels
SIGMA = 0.39 * WAVELENGTH  # σ, pixels: a bandwidth of one and a half octaves
ASPECT = 0.5  # γ: the envelope is twice as long across the direction of motion as along it
SPEED = 1.0  # v, pixels per frame: 5 cycles per second at 30 frames per second
TAU = 2.0  # τ, frames
WIDTH = 9  # pixels, along x and y
SCALE = 16.0  # uint8 steps per grey level of a preferred grating's amplitude: few real pixels reach 255

Item = TypeVar("Item")


class Bank(NamedTuple):
    """The one-dimensional factors of the filters, float32; each carries its own normalisation."""

    time: np.ndarray  # (2, FRAMES): even and odd, both of sum zero, oldest frame first
    along: np.ndarray  # (2, WIDTH): even and odd Gabor along the direction of motion, both of sum zero
    across: np.ndarray  # (WIDTH,): Gaussian across it


def gabor_bank() -> Bank:
    """The factors of the four space-time Gabor filters.

    The even factors lose their mean, so that what does not move, or changes all over at once, gives nothing.
    The scale is such that a grating of amplitude 1 with the preferred wavelength, speed and direction gives a
    modulus of 1: each of the two products of factors that add up in it gives a half.
    """
    return Bank(
        time=_gabor_pair(FRAMES, TAU, 2 * np.pi * SPEED / WAVELENGTH) / 2,
        along=_gabor_pair(WIDTH, SIGMA, 2 * np.pi / WAVELENGTH),
        across=_gaussian(WIDTH, SIGMA / ASPECT),
    )


def _gaussian(width: int, sigma: float) -> np.ndarray:
    x = np.arange(width) - width // 2
    envelope = np.exp(-x**2 / (2 * sigma**2))
    return (envelope / envelope.sum()).astype(np.float32)


def _gabor_pair(width: int, sigma: float, frequency: float) -> np.ndarray:
    """Even and odd Gabor, each of gain 1 for the preferred frequency (radians per sample)."""
    x = np.arange(width) - width // 2
    envelope = np.exp(-x**2 / (2 * sigma**2))
    even = envelope * (np.cos(frequency * x) - (envelope * np.cos(frequency * x)).sum() / envelope.sum())
    odd = envelope * np.sin(frequency * x)
    pair = [even / (even @ np.cos(frequency * x)), odd / (odd @ np.sin(frequency * x))]
    return np.stack(pair).astype(np.float32)


def motion_energy(window: np.ndarray, bank: Bank) -> np.ndarray:
    """The responses' moduli, float32 (4, H, W), at the middle one of nine frames, float32 (9, H, W) in 0–255.

    Channel d answers to motion in DIRECTIONS[d]; a grating of amplitude A that moves as the filter prefers
    gives A there. Beyond the picture's borders the pixels inside are mirrored.
    """
    frames, height, width = window.shape
    # Even and odd part in time first: it is the cheapest, and leaves two pictures.
    # OpenCV's product and not numpy's, whose threads cost more than they bring on two such thin rows.
    in_window = cv2.gemm(bank.time, window.reshape(frames, -1), 1, np.empty(0), 0)
    in_time = in_window.reshape(2, height, width)
    energy = np.empty((4, height, width), np.float32)
    for axis in (0, 1):  # motion along x, then along y
        # Even and odd in space, and of each even and odd in time; picture by picture, since putting two into one for
        # OpenCV's filters, and taking them apart, costs as much as the filters.
        even_even, even_odd, odd_even, odd_odd = (
            _filter(picture, along, bank.across, axis) for along in bank.along for picture in in_time)
        # exp(i(ku − ωt)) and exp(i(ku + ωt)), written out as products of the pairs in time and in space.
        cv2.magnitude(even_even + odd_odd, odd_even - even_odd, energy[axis])
        cv2.magnitude(even_even - odd_odd, odd_even + even_odd, energy[axis + 2])
    return energy


def _filter(image: np.ndarray, along: np.ndarray, across: np.ndarray, axis: int) -> np.ndarray:
    kernels = (along, across) if axis == 0 else (across, along)
    return cv2.sepFilter2D(image, cv2.CV_32F, *kernels, borderType=cv2.BORDER_REFLECT_101)


def motion_images(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the motion image, uint8 (4, H, W), of each grey uint8 frame H×W, as the frames come.

    Its values are SCALE times those of `motion_energy`, rounded, at most 255. It spans the frames t−4 … t+4;
    the first and the last frame repeat beyond the ends. So it comes four frames late, and nine are kept.
    """
    return middle_images(repeat_ends(frames, FRAMES // 2), -(FRAMES // 2))


def middle_images(frames: Iterable[np.ndarray], first: int) -> Iterator[np.ndarray]:
    """Yield the motion image of the middle one of each nine consecutive frames: n − 8 images of n frames.

    `first` is the number of the first of the frames in its video, less than 0 where that is repeated: it decides in
    which order nine products are added up, so that an image is the same to the last bit, whichever frames one starts
    from.
    """
    bank = gabor_bank()
    ring = np.empty(0, np.float32)
    for number, frame in enumerate(frames, first):
        if number == first:
            ring = np.empty((FRAMES, *frame.shape), np.float32)
        ring[number % FRAMES] = frame
        if number >= first + FRAMES - 1:
            yield _motion_image(ring, number, bank)


def repeat_ends(items: Iterable[Item], times: int) -> Iterator[Item]:
    """The items as they come, the first and the last each so many times more."""
    rest = iter(items)
    for item in itertools.islice(rest, 1):
        yield from itertools.repeat(item, times + 1)
        for item in rest:
            yield item
        yield from itertools.repeat(item, times)


def _motion_image(ring: np.ndarray, newest: int, bank: Bank) -> np.ndarray:
    # Instead of the frames, the filter's nine moments are put in the ring's order.
    turned = bank._replace(time=np.roll(bank.time, newest + 1, axis=1))
    return cv2.convertScaleAbs(motion_energy(ring, turned).reshape(-1, ring.shape[2]), alpha=SCALE).reshape(
        4, *ring.shape[1:])
