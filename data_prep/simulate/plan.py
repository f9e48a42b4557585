"""Which behaviour the simulated mouse shows when: bouts of natural length, to the frame.

A plan depends on its random generator, its length and its kind alone, never on other videos.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from data_prep.errors import InputError

Unit = list[tuple[str, int]]  # bouts that stay together: class and length in frames
CLASSES = ("drink", "eat", "groom", "hang", "sniff", "rear", "rest", "walk", "eathand")


class Bout(NamedTuple):
    """One behaviour from frame `start` up to, not including, frame `stop`."""

    label: str
    start: int
    stop: int


class Habit(NamedTuple):
    """How often (share of all frames) and how long (seconds) a behaviour is shown."""

    share: float
    shortest: float
    typical: float


# rest and eathand over 25 % each, drink and walk under 1 % each: thesis, section 4.4. The other shares and
# all lengths are ours.
HABITS = {
    "drink": Habit(0.008, 1.5, 4.0),
    "eat": Habit(0.060, 2.5, 7.0),
    "groom": Habit(0.110, 2.5, 7.0),
    "hang": Habit(0.064, 2.5, 5.0),
    "sniff": Habit(0.130, 1.5, 3.5),
    "rear": Habit(0.050, 1.2, 2.5),
    "rest": Habit(0.290, 8.0, 35.0),
    "walk": Habit(0.008, 1.0, 1.4),
    "eathand": Habit(0.280, 4.0, 16.0),
}
SHARE_JITTER = 0.08  # each video's shares differ by up to this fraction
BALANCED_SHORTEST = 1.3  # seconds; the shortest bout of a balanced plan
BALANCED_BOUTS = 2  # at least so many bouts of each class in a balanced plan
BALANCED_TYPICAL = 4.0  # seconds; about the longest bout of a balanced plan, for many of them in a short video

# What often follows what; the weight of every other pair is 1.
AFFINITY = {
    ("eat", "eathand"): 5.0,
    ("groom", "rest"): 3.0,
    ("rest", "sniff"): 2.0,
    ("rear", "hang"): 2.0,
    ("drink", "groom"): 2.0,
    ("walk", "rear"): 2.0,
}
# The mouse stands at the spout or the feeder before it drinks or eats, so one of these comes before.
APPROACHES = ("sniff", "walk")
AT_A_SITE = ("drink", "eat")


def shortest_video(balanced: bool) -> int:
    """The fewest whole seconds that hold every class of the plan."""
    if balanced:
        return math.ceil(len(CLASSES) * BALANCED_BOUTS * BALANCED_SHORTEST)
    lowest = (1 - SHARE_JITTER) / (1 + SHARE_JITTER)
    return math.ceil(max(habit.shortest / (habit.share * lowest) for habit in HABITS.values()))


def make_plan(rng: np.random.Generator, frames: int, fps: float, balanced: bool) -> list[Bout]:
    """The bouts of one video, end to end, `frames` frames in all.

    Natural: shares as in HABITS, each class at least once. Balanced: all classes alike (to a frame), each
    class in at least two bouts. Neighbouring bouts are of different classes. Raises InputError where the
    video is too short for that.
    """
    needed = shortest_video(balanced)
    if frames < needed * fps:
        kind = "balanced" if balanced else "natural"
        advice = "" if balanced else ", or add --balanced for short ones"
        raise InputError(
            f"{frames / fps:g} s is too short for the {kind} plan, which shows every behaviour in "
            f"each video: ask for at least {needed} s{advice}"
        )
    quotas = _quotas(rng, frames, balanced)
    lengths = {label: _lengths(rng, label, quotas[label], fps, balanced) for label in CLASSES}
    order = _order(rng, _units(rng, lengths))
    bouts = []
    start = 0
    for label, length in order:
        bouts.append(Bout(label, start, start + length))
        start += length
    return bouts


def frame_labels(bouts: list[Bout]) -> np.ndarray:
    """Class index per frame, int array of shape (frames,)."""
    return np.concatenate([np.full(b.stop - b.start, CLASSES.index(b.label)) for b in bouts])


def _apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """Whole numbers in proportion to `weights` that sum to `total` (largest remainders)."""
    exact = total * np.asarray(weights, float) / np.sum(weights)
    whole = np.floor(exact).astype(int)
    rest = np.argsort(whole - exact, kind="stable")[: total - whole.sum()]
    whole[rest] += 1
    return whole


def _quotas(rng: np.random.Generator, frames: int, balanced: bool) -> dict[str, int]:
    if balanced:
        weights = np.ones(len(CLASSES))
    else:
        shares = np.array([HABITS[label].share for label in CLASSES])
        weights = shares * rng.uniform(1 - SHARE_JITTER, 1 + SHARE_JITTER, len(CLASSES))
    return dict(zip(CLASSES, _apportion(frames, weights).tolist()))


def _lengths(rng: np.random.Generator, label: str, quota: int, fps: float, balanced: bool) -> list[int]:
    """The lengths in frames of a class's bouts, `quota` in all."""
    shortest, typical, least = HABITS[label].shortest, HABITS[label].typical, 1
    if balanced:
        shortest, typical = min(shortest, BALANCED_SHORTEST), min(typical, BALANCED_TYPICAL)
        least = BALANCED_BOUTS
    floor = int(shortest * fps)
    count = max(min(round(quota / (typical * fps)), quota // floor), least)
    return (floor + _apportion(quota - count * floor, rng.uniform(0.4, 1.6, count))).tolist()


def _units(rng: np.random.Generator, lengths: dict[str, list[int]]) -> list[Unit]:
    """The bouts as units that stay together: an approach with what it leads to, and single bouts."""
    approaches = [(label, n) for label in APPROACHES for n in lengths[label]]
    at_site = [(label, n) for label in AT_A_SITE for n in lengths[label]]
    approaches = [approaches[i] for i in rng.permutation(len(approaches))]
    units = [list(pair) for pair in zip(approaches, at_site)]
    units += [[bout] for bout in approaches[len(at_site) :]]
    units += [[bout] for bout in at_site[len(approaches) :]]
    singles = [label for label in CLASSES if label not in APPROACHES + AT_A_SITE]
    units += [[(label, n)] for label in singles for n in lengths[label]]
    return units


def _order(rng: np.random.Generator, units: list[Unit]) -> list[tuple[str, int]]:
    """Units in a random order in which no class follows itself and AFFINITY's pairs are frequent."""
    left = list(units)
    placed: list[Unit] = []
    while left:
        last = placed[-1][-1][0] if placed else ""
        weights = np.array([0.0 if u[0][0] == last else AFFINITY.get((last, u[0][0]), 1.0) for u in left])
        if not weights.any():
            _insert(rng, placed, left.pop())
            continue
        placed.append(left.pop(int(rng.choice(len(left), p=weights / weights.sum()))))
    return [bout for unit in placed for bout in unit]


def _insert(rng: np.random.Generator, placed: list[Unit], unit: Unit) -> None:
    """Put `unit` between two units that both differ from it, or at the end where there is no such place."""
    places = [
        i
        for i in range(len(placed))
        if placed[i][0][0] != unit[-1][0] and (i == 0 or placed[i - 1][-1][0] != unit[0][0])
    ]
    placed.insert(places[int(rng.integers(len(places)))] if places else len(placed), unit)
