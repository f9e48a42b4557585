"""How the simulated mouse holds and moves itself in each of the nine behaviours.

A behaviour turns the time within its bout into a `Pose`. The time `t`, in seconds, is an array over frames; it
also runs a little before 0 and beyond the end, for the cross-fade with its neighbours. What a bout draws at
random comes from its own generator.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from data_prep.simulate.mouse import HEAD, NECK, STANDING, TORSO, Pose, spine

TURN = 0.45  # seconds in which a mouse rises to a rear or climbs up to the bars


class Surroundings(NamedTuple):
    """Where things are for this mouse: lengths in mouse lengths, from the floor."""

    spout: float  # height of the spout's tip
    feeder: float  # height of the feeder's underside
    bars: float  # height of the bars on top


def smooth(s: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and smoothly between."""
    s = np.clip(s, 0, 1)
    return s * s * (3 - 2 * s)


def mix(a: Pose, b: Pose, weight: np.ndarray) -> Pose:
    """Pose `a` where weight is 0, `b` where it is 1."""
    return {name: a[name] * (1 - weight) + b[name] * weight for name in a}


def wander(rng: np.random.Generator, t: np.ndarray, amplitude: float, hertz: float) -> np.ndarray:
    """Slow aimless change around 0: three sines at about `hertz`."""
    rates = hertz * rng.uniform(0.5, 1.5, 3)
    phases = rng.uniform(0, 2 * np.pi, 3)
    return amplitude * np.sin(2 * np.pi * np.outer(t, rates) + phases).mean(axis=1) * 1.4


def standing(t: np.ndarray, **changes: np.ndarray | float) -> Pose:
    """The standing pose on every frame, with some parts changed."""
    return {name: np.zeros(len(t)) + changes.get(name, value) for name, value in STANDING.items()}


def shifts(rng: np.random.Generator, t: np.ndarray, amplitude: float, every: float) -> np.ndarray:
    """Still but for a sudden change every so many seconds, within `amplitude` of 0."""
    count = int(t[-1] / every) + 1
    levels = rng.uniform(-amplitude, amplitude, count + 1)
    values = np.full(len(t), levels[0])
    for moment, change in zip(rng.uniform(0, count * every, count), np.diff(levels)):
        values += change * smooth((t - moment) / 0.5)
    return values


def breathing(t: np.ndarray, hertz: float, depth: float) -> np.ndarray:
    return depth * np.sin(2 * np.pi * hertz * t)


def reach(pose: Pose, height: float) -> np.ndarray:
    """The torso angle that brings the nose to `height`, with neck and head held as they are."""
    rest = height - pose["lift"] - NECK * np.sin(pose["neck"]) - HEAD * np.sin(pose["head"])
    return np.arcsin(np.clip(rest / (TORSO * pose["stretch"]), -0.3, 0.98))


def paws(pose: Pose, u: np.ndarray, v: np.ndarray, apart: float = 0.02) -> None:
    """Put both front paws to (u, v)."""
    pose["fl_u"], pose["fl_v"] = u + apart, v + apart
    pose["fr_u"], pose["fr_v"] = u - apart, v - apart


def sitting(rng: np.random.Generator, t: np.ndarray, low: float, high: float) -> Pose:
    """Hunched on its hind legs, the torso at an angle between `low` and `high`."""
    lean = rng.uniform(low, high)
    return standing(
        t,
        lift=0.118,
        stretch=rng.uniform(0.70, 0.84),
        torso=lean + wander(rng, t, 0.02, 0.5),
        bow=rng.uniform(0.03, 0.05),
        neck=rng.uniform(-0.25, 0.15),
        head=rng.uniform(-1.10, -0.75),
        breath=breathing(t, 3.0, 0.012),
        tail_rise=rng.uniform(-0.2, 0.1),
        tail_curl=rng.uniform(-1.5, 1.5) + wander(rng, t, 0.1, 0.3),
        hl_u=0.14,
        hr_u=0.10,
    )


def face_wash(pose: Pose, rng: np.random.Generator, t: np.ndarray, phase: np.ndarray) -> Pose:
    """The posture that groom and sniff share; `phase` (radians) says where in the stroke it is.

    Whatever frame of the one is taken, the other passes through the same poses: only the speed differs.
    """
    stroke = np.sin(phase)
    pose["head"] = pose["head"] + 0.16 * stroke
    pose["neck"] = pose["neck"] + 0.10 * np.sin(phase + 0.7)
    pose["torso"] = pose["torso"] + 0.03 * np.sin(phase + 1.2)
    pose["gaze"] = wander(rng, t, 0.25, 0.5)
    at = spine(pose)
    axis = (at["nose"] - at["skull"]) / HEAD
    below = np.stack([axis[:, 1], -axis[:, 0]], axis=1)
    along, under = -0.10 + 0.075 * stroke, 0.060 - 0.02 * stroke
    paw = at["nose"] + axis * along[:, None] + below * under[:, None]
    paws(pose, paw[:, 0], paw[:, 1])
    return pose


def groom(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """Washing its face: strokes of both paws at about 5 Hz, the head bobbing along, with short pauses."""
    rate = rng.uniform(4.5, 5.5) * (1 + wander(rng, t, 0.1, 0.7))
    rate[np.sin(2 * np.pi * t / rng.uniform(1.8, 3.0) + rng.uniform(0, 6)) > 0.93] = 0
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(rate) * (t[1] - t[0])
    return face_wash(sitting(rng, t, 0.42, 0.70), rng, t, phase)


def sniff(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """The same posture, drifting slowly; the nose trembles finely, at 7 to 10 Hz."""
    drift = rng.uniform(0.15, 0.35) * rng.choice([-1, 1])
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * drift * t + wander(rng, t, 0.5, 0.4)
    pose = face_wash(sitting(rng, t, 0.42, 0.70), rng, t, phase)
    tremor = np.sin(2 * np.pi * rng.uniform(7, 10) * t) * (0.5 + 0.5 * np.abs(wander(rng, t, 1, 0.8)))
    pose["head"] = pose["head"] + 0.045 * tremor
    return pose


def eathand(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """Sitting up, a pellet held to the mouth in both paws, gnawing."""
    pose = sitting(rng, t, 0.80, 1.10)
    gnaw = np.sin(2 * np.pi * rng.uniform(5, 7) * t) * (wander(rng, t, 1, 0.4) > -0.5)
    pose["stretch"] = pose["stretch"] * 0.95
    pose["neck"] = pose["neck"] - 0.15 + 0.02 * gnaw
    pose["head"] = pose["head"] + wander(rng, t, 0.10, 0.4) + 0.05 * gnaw
    pose["gaze"] = wander(rng, t, 0.15, 0.3)
    pose["pellet"] += rng.uniform(0.75, 1.15)
    at = spine(pose)
    paws(pose, at["nose"][:, 0] - 0.03, at["nose"][:, 1] - 0.06 + 0.008 * gnaw)
    return pose


def rest(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """Curled up, the nose tucked in, breathing; now and then it settles anew."""
    pose = standing(
        t,
        lift=0.105,
        stretch=rng.uniform(0.66, 0.76) + shifts(rng, t, 0.04, 12),
        torso=rng.uniform(-0.08, 0.10) + shifts(rng, t, 0.06, 12),
        bow=rng.uniform(0.06, 0.11),
        neck=rng.uniform(-0.7, -0.3),
        head=rng.uniform(-0.8, -0.4) + shifts(rng, t, 0.25, 8),
        breath=breathing(t, rng.uniform(1.8, 2.6), 0.018),
        tail_rise=-0.2,
        tail_bend=0.0,
        tail_curl=rng.choice([-1, 1]) * rng.uniform(2.0, 4.0) + shifts(rng, t, 0.5, 15),
    )
    pose["head"] = np.maximum(pose["head"], -np.arcsin(0.9 * pose["lift"] / HEAD) - 0.2)
    at = spine(pose)
    paws(pose, at["chest"][:, 0] + 0.06, np.full(len(t), 0.03))
    return pose


def rear(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """Upright on its hind legs, the front paws hanging or raised, looking about."""
    pose = standing(
        t,
        lift=0.19 + wander(rng, t, 0.01, 0.6),
        stretch=rng.uniform(1.0, 1.1),
        torso=rng.uniform(1.20, 1.50) + wander(rng, t, 0.06, 0.5),
        bow=0.02,
        neck=rng.uniform(0.9, 1.3) + wander(rng, t, 0.1, 0.6),
        head=rng.uniform(0.0, 0.7) + wander(rng, t, 0.25, 0.7) + 0.03 * np.sin(2 * np.pi * 8 * t),
        gaze=wander(rng, t, 0.35, 0.6),
        breath=breathing(t, 3.0, 0.012),
        tail_rise=-0.3,
        tail_curl=rng.uniform(-1, 1),
        hl_u=0.06,
        hr_u=0.0,
    )
    at = spine(pose)
    raised = rng.uniform(-0.12, 0.10)
    paws(pose, at["chest"][:, 0] + 0.13, at["chest"][:, 1] + raised + wander(rng, t, 0.03, 0.8), apart=0.03)
    return pose


def at_site(rng: np.random.Generator, t: np.ndarray, height: float, head: float, nod: np.ndarray) -> Pose:
    """Standing half up with the nose at `height`."""
    pose = standing(
        t,
        lift=0.15 + wander(rng, t, 0.004, 0.5),
        stretch=rng.uniform(0.98, 1.08),
        bow=0.03,
        neck=head + 0.15,
        head=head + nod,
        breath=breathing(t, 3.0, 0.012),
        tail_rise=rng.uniform(-0.2, 0.2),
        tail_curl=rng.uniform(-1.2, 1.2),
    )
    pose["torso"] = reach(dict(pose, head=pose["head"] - nod), height)
    return pose


def drink(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """The snout at the spout's tip, licking at about 8 Hz."""
    lick = 0.035 * np.sin(2 * np.pi * rng.uniform(7.5, 8.5) * t) + wander(rng, t, 0.015, 0.6)
    pose = at_site(rng, t, around.spout, rng.uniform(0.25, 0.55), lick)
    at = spine(pose)
    paws(pose, at["chest"][:, 0] + 0.10, at["chest"][:, 1] - rng.uniform(0.05, 0.15), apart=0.03)
    return pose


def eat(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """The snout and the front paws at the feeder's underside, gnawing and tugging."""
    gnaw = 0.05 * np.sin(2 * np.pi * rng.uniform(4, 6) * t) * (wander(rng, t, 1, 0.5) > -0.4)
    pose = at_site(rng, t, around.feeder, rng.uniform(0.55, 0.95), gnaw + wander(rng, t, 0.04, 0.7))
    at = spine(pose)
    paws(pose, at["nose"][:, 0] - 0.06, at["nose"][:, 1] - 0.05, apart=0.04)
    return pose


def walk(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """Stretched, level; the legs are set by `step`, once it is known how far the mouse goes."""
    return standing(
        t,
        stretch=rng.uniform(1.0, 1.1),
        neck=rng.uniform(0.05, 0.3) + wander(rng, t, 0.05, 1.0),
        head=rng.uniform(-0.45, -0.15) + wander(rng, t, 0.06, 1.2),
        tail_rise=rng.uniform(0.0, 0.35),
        tail_bend=rng.uniform(-0.7, -0.3),
        tail_curl=0.5 * np.sin(2 * np.pi * 1.5 * t + rng.uniform(0, 6)),
    )


def step(pose: Pose, travelled: np.ndarray, weight: np.ndarray) -> None:
    """Move the legs of a pose with the distance `travelled` on the floor (mouse lengths); weight 0 holds them."""
    stride = 0.42
    lift = pose["lift"].copy()
    for name, offset in (("fl", 0.0), ("hr", 0.05), ("fr", 0.5), ("hl", 0.55)):
        phase = 2 * np.pi * (travelled / stride + offset)
        pose[name + "_u"] = pose[name + "_u"] + weight * 0.13 * np.sin(phase)
        pose[name + "_v"] = pose[name + "_v"] + weight * 0.05 * np.maximum(np.cos(phase), 0)
    pose["lift"] = lift + weight * 0.008 * np.sin(4 * np.pi * travelled / stride)
    pose["torso"] = pose["torso"] + weight * 0.03 * np.sin(4 * np.pi * travelled / stride + 1)


def hang(rng: np.random.Generator, t: np.ndarray, around: Surroundings) -> Pose:
    """From the bars: by all four paws with the belly up, or by the front paws with the body down."""
    swing = 2 * np.pi * rng.uniform(0.8, 1.3) * t + rng.uniform(0, 6)
    sway = 0.05 * np.sin(swing) + wander(rng, t, 0.05, 0.6)
    held = _hang_belly_up if rng.random() < 0.6 else _hang_upright
    return held(rng, t, around, sway)


def _hang_belly_up(rng: np.random.Generator, t: np.ndarray, around: Surroundings, sway: np.ndarray) -> Pose:
    grip = wander(rng, t, 0.05, 1.2)
    pose = standing(
        t,
        lift=around.bars - 0.25 + wander(rng, t, 0.015, 0.8),
        torso=rng.uniform(-0.15, 0.2) + sway,
        stretch=rng.uniform(0.9, 1.05),
        bow=-rng.uniform(0.02, 0.06),
        flip=-1.0,
        neck=-0.1 + sway,
        head=rng.uniform(-0.4, 0.3) + wander(rng, t, 0.15, 0.8),
        gaze=wander(rng, t, 0.3, 0.6),
        breath=breathing(t, 3.0, 0.012),
        tail_rise=-1.1 + sway,
        tail_bend=rng.uniform(-0.5, 0.6),
        hl_u=0.06 + grip, hl_v=around.bars, hr_u=-0.04 - grip, hr_v=around.bars,
    )  # fmt: skip
    chest = spine(pose)["chest"]
    paws(pose, chest[:, 0] + 0.08 - grip, np.full(len(t), around.bars), apart=0.05)
    pose["fl_v"][:] = pose["fr_v"][:] = around.bars
    return pose


def _hang_upright(rng: np.random.Generator, t: np.ndarray, around: Surroundings, sway: np.ndarray) -> Pose:
    kick = wander(rng, t, 0.07, 1.8)
    torso = rng.uniform(1.25, 1.6) + sway
    lift = around.bars - 0.24 - TORSO * np.sin(torso)
    pose = standing(
        t,
        lift=lift,
        torso=torso,
        stretch=1.05,
        bow=0.01,
        neck=rng.uniform(0.9, 1.3),
        head=rng.uniform(0.3, 1.0) + wander(rng, t, 0.15, 0.8),
        gaze=wander(rng, t, 0.3, 0.6),
        breath=breathing(t, 3.0, 0.012),
        tail_rise=-1.25 + sway,
        tail_bend=rng.uniform(-0.3, 0.5),
        hl_u=0.10 + kick, hl_v=lift - 0.12 + kick, hr_u=0.03 - kick, hr_v=lift - 0.15,
    )  # fmt: skip
    chest = spine(pose)["chest"]
    paws(pose, chest[:, 0] + 0.08, np.full(len(t), around.bars), apart=0.04)
    pose["fl_v"][:] = pose["fr_v"][:] = around.bars
    return pose


BEHAVIOURS: dict[str, Callable[[np.random.Generator, np.ndarray, Surroundings], Pose]] = {
    "drink": drink,
    "eat": eat,
    "groom": groom,
    "hang": hang,
    "sniff": sniff,
    "rear": rear,
    "rest": rest,
    "walk": walk,
    "eathand": eathand,
}
