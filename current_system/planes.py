"""The cutting planes of one training sequence, and the climb of the dual over them.

A plane stands for a label sequence y, or a convex combination of some: its vector is (φ(x_i, y_i) − φ(x_i, y)) / (λN)
and its loss Δ_i(y) / N, so that the weights are the sum of all sequences' vectors by their shares α, w = Σ_i Σ_p α_ip
v_ip, and the dual is Σ_i Σ_p α_ip l_ip − λ/2 ‖w‖² with the shares of each sequence on the simplex. Planes are kept
between decodings as in Joachims, Finley and Yu 2009, "Cutting-plane training of structural SVMs" (n slacks), and Shah,
Kolmogorov and Lampert 2015, "A multi-plane block-coordinate Frank–Wolfe algorithm"; the pairwise steps are those of
Osokin, Alayrac et al. 2016, "Minding the gaps for block Frank–Wolfe optimization of structured SVMs".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNUSED = 20  # passes after which a plane without a share is dropped
STEPS = 10  # pairwise steps of a climb


class Planes(NamedTuple):
    """vectors (planes, weights), losses, shares (planes,) ≥ 0 with sum 1, products of the vectors (planes, planes), and
    the pass in which each plane was last used."""

    vectors: np.ndarray
    losses: np.ndarray
    shares: np.ndarray
    products: np.ndarray
    used: np.ndarray


def first(size: int) -> Planes:
    """The plane of the right labels, which is zero, with all of the share."""
    return Planes(np.zeros((1, size)), np.zeros(1), np.ones(1), np.zeros((1, 1)), np.zeros(1, int))


def heights(planes: Planes, weights: np.ndarray, strength: float) -> np.ndarray:
    """What each plane says of the sequence's hinge at these weights, (planes,): the dual's slope in its share."""
    return planes.losses - strength * (planes.vectors @ weights)


def added(planes: Planes, vector: np.ndarray, loss: float, now: int, room: int) -> Planes:
    """With one plane more, without a share, and without those long unused; at most `room` ≥ 2 of them.

    Where there are too many, the two of the smallest shares become their combination, which changes neither weights nor
    dual. With room for two this is block-coordinate Frank–Wolfe, which keeps one combination and the newest corner.
    """
    kept = (planes.shares > 0) | (planes.used > now - UNUSED)
    vectors, losses, shares, used = (one[kept] for one in (planes.vectors, planes.losses, planes.shares, planes.used))
    products = planes.products[np.ix_(kept, kept)]
    while len(losses) >= room:
        less, more = np.argsort(shares, kind="stable")[:2]
        part = shares[less] / (shares[less] + shares[more]) if shares[less] > 0 else 0.0
        for one in (vectors, losses):
            one[more] += part * (one[less] - one[more])
        shares[more], used[more] = shares[less] + shares[more], now
        vectors, losses, shares, used = (np.delete(one, less, axis=0) for one in (vectors, losses, shares, used))
        products = vectors @ vectors.T
    across = (vectors @ vector)[:, np.newaxis]
    products = np.block([[products, across], [across.T, np.array([[vector @ vector]])]])
    vectors = np.concatenate([vectors, vector[np.newaxis]])
    return Planes(vectors, np.append(losses, loss), np.append(shares, 0.0), products, np.append(used, now))


def climbed(planes: Planes, slopes: np.ndarray, strength: float, now: int) -> tuple[Planes, np.ndarray]:
    """Raise the dual by moving shares, and the change of the weights, given the planes' `heights`.

    A step moves share from the lowest plane that has some to the highest, by an exact line search.
    """
    slopes, shares, used = slopes.copy(), planes.shares.copy(), planes.used.copy()
    products = planes.products
    for _ in range(STEPS):
        to = int(slopes.argmax())
        away = int(np.where(shares > 0, slopes, np.inf).argmin())
        rise = slopes[to] - slopes[away]
        if rise <= 0:
            break
        bend = strength * (products[to, to] - 2 * products[to, away] + products[away, away])
        moved = shares[away] if rise >= bend * shares[away] else min(rise / bend, shares[away])
        shares[away] -= moved
        shares[to] += moved
        used[to] = now
        slopes -= strength * moved * (products[to] - products[away])
    changed = np.flatnonzero(shares != planes.shares)
    change = (shares[changed] - planes.shares[changed]) @ planes.vectors[changed]
    return planes._replace(shares=shares, used=used), change
