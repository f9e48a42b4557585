"""Where in the cage each bout takes place, and the mouse's pose on every frame.

The mouse has to be at the spout before it drinks and at the feeder before it eats, so whatever comes before
looks ahead. A longer way is a walk; a sniffing mouse shuffles the rest of it; a hanging one moves along the
bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data_prep.simulate.behaviour import BEHAVIOURS, TURN, Surroundings, mix, rear, sitting, smooth, step
from data_prep.simulate.cage import Cage
from data_prep.simulate.mouse import Animal, Pose, spine
from data_prep.simulate.plan import AT_A_SITE, Bout

FADE = 5  # frames on either side of a bout's border over which poses are cross-faded
SPEED = (1.0, 1.5)  # of a walk, mouse lengths per second
SHUFFLE = 0.8  # mouse lengths per second, of a sniffing mouse on its way
CLIMB = 0.25  # mouse lengths per second along the bars
# How far the mouse reaches ahead of its pelvis (mouse lengths), and how far it may turn out of the picture.
REACH = {"rest": 0.40, "rear": 0.35, "hang": 0.5}
YAW = {"rest": 0.9, "walk": 0.2, "drink": 0.25, "eat": 0.3}


class Place(NamedTuple):
    """One bout's place: pelvis from x0 to x1 (pixels), facing 1 right or -1 left, and its own random seed."""

    bout: Bout
    seed: tuple[int, ...]
    facing: int
    yaw: float
    depth: float
    x0: float
    x1: float


class Goal(NamedTuple):
    """A pelvis position (pixels) that the mouse is to be at soon, and whether for the very next bout."""

    x: float
    next_bout: bool


def poses(bouts: list[Bout], cage: Cage, animal: Animal, fps: float, seed: tuple[int, ...]) -> Iterator[Pose]:
    """The pose on every frame of each bout, one `Pose` of arrays (frames of the bout,) per bout, in order."""
    places = _plot(bouts, cage, animal, fps, seed)
    before, track = None, _track(places[0], cage, animal, fps)
    for following in places[1:]:
        after = _track(following, cage, animal, fps)
        yield _cut(before, track, after)
        before, track = track, after
    yield _cut(before, track, None)


def _cut(before: Pose | None, track: Pose, after: Pose | None) -> Pose:
    """The part of a track inside its bout, cross-faded with its neighbours."""
    weight = smooth(np.arange(2 * FADE) / (2 * FADE - 1))
    pose = {name: values[FADE:-FADE].copy() for name, values in track.items()}
    for name in pose:
        if before is not None:
            w = weight[FADE:]
            pose[name][:FADE] = (1 - w) * before[name][-FADE:] + w * pose[name][:FADE]
        if after is not None:
            w = weight[:FADE]
            pose[name][-FADE:] = (1 - w) * pose[name][-FADE:] + w * after[name][:FADE]
    return pose


def _surroundings(cage: Cage, animal: Animal) -> Surroundings:
    heights = (cage.floor - y for y in (cage.spout_y, cage.feeder_y, cage.bars_y))
    return Surroundings(*(height / animal.length for height in heights))


def _site(label: str, seed: tuple[int, ...], facing: int, yaw: float, cage: Cage, animal: Animal) -> float:
    """Where the pelvis is while the nose is at the spout or the feeder."""
    around = _surroundings(cage, animal)
    pose = BEHAVIOURS[label](np.random.default_rng(seed), np.arange(-FADE, 30) / 30, around)
    nose = spine(pose)["nose"][:, 0].mean()
    target = cage.spout_x if label == "drink" else cage.feeder_x - facing * cage.feeder_reach
    return float(target - facing * nose * animal.length * np.cos(yaw))


def _plot(bouts: list[Bout], cage: Cage, animal: Animal, fps: float, seed: tuple[int, ...]) -> list[Place]:
    """A place for every bout, each beginning where the one before ends."""
    rng = np.random.default_rng([*seed, 0])
    size = animal.length
    lowest, highest = cage.left + 0.38 * size, cage.right - 0.38 * size
    seeds = [(*seed, 1, i) for i in range(len(bouts))]
    yaws = [float(rng.uniform(-1, 1) * YAW.get(bout.label, 0.5)) for bout in bouts]
    fixed = [_fixed_facing(bout.label, rng) for bout in bouts]
    sites = {
        i: _site(bout.label, seeds[i], fixed[i], yaws[i], cage, animal)
        for i, bout in enumerate(bouts)
        if bout.label in AT_A_SITE
    }
    x = float(rng.uniform(lowest, highest))
    facing, depth = int(rng.choice([-1, 1])), 0.3
    places = []
    for i, bout in enumerate(bouts):
        seconds = (bout.stop - bout.start) / fps
        start = sites.get(i, x)
        x = start if i in sites else _end(rng, start, bout.label, seconds, _goal(bouts, sites, i), size)
        if bout.label == "walk" and x == start:
            x = _stroll(rng, start, seconds * sum(SPEED) / 2 * size, lowest, highest)
        if i not in sites:
            x = float(np.clip(x, lowest, highest))
        facing = fixed[i] or _facing(rng, bout.label, facing, start, x, cage, size)
        wanted = 0.0 if i in sites else rng.uniform(-0.4, 1.0)
        depth += float(np.clip(wanted - depth, -0.5, 0.5))
        places.append(Place(bout, seeds[i], facing, yaws[i], depth, start, x))
    return places


def _end(rng: np.random.Generator, start: float, label: str, seconds: float, goal: Goal | None, size: float) -> float:
    """Where a bout that begins at `start` ends, on the way to the next site if there is one."""
    if label in ("walk", "sniff", "hang"):
        if goal is None:
            return start
        # Only the last bout before the site must get there; the others go as far as is natural.
        must = goal.next_bout or label == "walk"
        far = np.inf if must else (CLIMB if label == "hang" else SHUFFLE) / 2 * seconds * size
        return start + float(np.clip(goal.x - start, -far, far))
    return start + float(rng.uniform(-0.1, 0.1)) * size


def _facing(
    rng: np.random.Generator, label: str, facing: int, start: float, end: float, cage: Cage, size: float
) -> int:
    """1 or -1: ahead when it moves, now and then another way than before, never into a wall."""
    if label in ("sniff", "walk") and abs(end - start) > 0.15 * size:
        facing = 1 if end > start else -1
    elif rng.random() < 0.35:
        facing = -facing
    ahead = end + facing * REACH.get(label, 0.75) * size
    return facing if cage.left < ahead < cage.right else -facing


def _fixed_facing(label: str, rng: np.random.Generator) -> int:
    """1 or -1 where furniture decides it (the spout is on the left), else 0."""
    if label == "drink":
        return -1
    return (1 if rng.random() < 0.7 else -1) if label == "eat" else 0


def _goal(bouts: list[Bout], sites: dict[int, float], i: int) -> Goal | None:
    """The next site after bout i, if no walk comes before it."""
    for j in range(i + 1, len(bouts)):
        if j in sites:
            return Goal(sites[j], j == i + 1)
        if bouts[j].label == "walk":
            break
    return None


def _stroll(rng: np.random.Generator, start: float, length: float, lowest: float, highest: float) -> float:
    """The end of a walk to nowhere: straight on if there is room, else somewhere (it turns on its way)."""
    ends = [end for end in (start - length, start + length) if lowest <= end <= highest]
    return float(rng.choice(ends)) if ends else float(rng.uniform(lowest, highest))


def _track(place: Place, cage: Cage, animal: Animal, fps: float) -> Pose:
    """The bout's pose from FADE frames before its first to FADE frames after its last."""
    bout = place.bout
    t = np.arange(-FADE, bout.stop - bout.start + FADE) / fps
    seconds = (bout.stop - bout.start) / fps
    rng = np.random.default_rng(place.seed)
    around = _surroundings(cage, animal)
    pose = BEHAVIOURS[bout.label](rng, t, around)
    inside = smooth(t / TURN) * smooth((seconds - t) / TURN)  # 1 but for the rise and the way down
    if bout.label == "hang":
        pose = mix(rear(rng, t, around), pose, inside)
    if bout.label == "rear":
        pose = mix(sitting(rng, t, 0.4, 0.8), pose, inside)
    heading = np.full(len(t), float(place.facing))
    if bout.label == "walk":
        pose["x"], heading = _path(rng, place, t / seconds, seconds, cage, animal)
    else:
        pose["x"] = _shuffle(place, t, seconds, animal)
    pose["depth"][:] = place.depth
    pose["yaw"] = np.pi * (1 - heading) / 2 + place.yaw * heading
    if bout.label in ("walk", "sniff"):
        travelled = np.cumsum(np.abs(np.diff(pose["x"], prepend=pose["x"][0]))) / animal.length
        speed = np.gradient(travelled) * fps
        step(pose, travelled, np.clip(speed / 0.3, 0, 1))
    return pose


def _shuffle(place: Place, t: np.ndarray, seconds: float, animal: Animal) -> np.ndarray:
    """x of a mouse that gets from x0 to x1 late in the bout, as fast as it must; a climbing one all along."""
    pace = CLIMB if place.bout.label == "hang" else SHUFFLE
    needed = 1.5 * abs(place.x1 - place.x0) / (pace * animal.length)
    takes = float(np.clip(needed, 0.3, seconds))
    return place.x0 + (place.x1 - place.x0) * smooth((t - (seconds - takes)) / takes)


def _path(
    rng: np.random.Generator, place: Place, share: np.ndarray, seconds: float, cage: Cage, animal: Animal
) -> tuple[np.ndarray, np.ndarray]:
    """x and heading (1 right, -1 left, between while it turns) of a walk as long as its time asks for."""
    size = animal.length
    length = rng.uniform(*SPEED) * size * seconds
    straight = abs(place.x1 - place.x0)
    points = [place.x0, place.x1]
    detour = (length - straight) / 2
    if detour > 0.15 * size:
        room = {
            -1: min(place.x0, place.x1) - cage.left - 0.30 * size,
            1: cage.right - 0.30 * size - max(place.x0, place.x1),
        }
        way = max(room, key=lambda side: min(room[side], detour))
        turn = min(room[way], detour)
        corner = max(place.x0, place.x1) + turn if way > 0 else min(place.x0, place.x1) - turn
        points = [place.x0, corner, place.x1]
    marks = np.concatenate([[0], np.cumsum(np.abs(np.diff(points)))])
    along = 0.7 * np.clip(share, 0, 1) + 0.3 * smooth(share)
    x = np.interp(along * marks[-1], marks, points)
    legs = np.sign(np.diff(points))
    leg = np.clip(np.searchsorted(marks, along * marks[-1], side="right") - 1, 0, len(legs) - 1)
    window = np.ones(9) / 9
    return x, np.convolve(np.pad(legs[leg], 4, mode="edge"), window, mode="valid")
