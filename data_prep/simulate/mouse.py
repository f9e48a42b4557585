"""The simulated mouse: a chain of balls on a skeleton.

Lengths are in mouse lengths (snout to rump of the stretched animal), angles in radians. The skeleton lies
in the mouse's own plane, u forward and v up from the floor under its pelvis; w points to its side, at the
camera when it faces right. All arrays run over frames. All proportions are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Pose = dict[str, np.ndarray]

TORSO, NECK, HEAD = 0.43, 0.09, 0.23
TAIL_BALLS = 38
# (share of the way from shoulder or hip to paw, radius)
FORELEG = ((0.25, 0.050), (0.45, 0.040), (0.62, 0.033), (0.77, 0.028), (0.90, 0.025))
HIND_LEG = ((0.35, 0.075), (0.60, 0.050), (0.80, 0.034))

# Standing on all fours; behaviours change what they need. x in pixels, the rest as above.
STANDING = {
    "x": 0.0,  # of the pelvis, along the cage
    "depth": 0.0,  # 0 at the middle of the cage, 1 nearest the camera
    "yaw": 0.0,  # 0 faces right, pi/2 the camera, pi left
    "lift": 0.165,  # height of the pelvis
    "torso": 0.06,  # angle of pelvis to chest
    "stretch": 1.0,
    "bow": 0.04,  # how far the back arches
    "flip": 1.0,  # 1 belly down, -1 belly up
    "neck": 0.15,  # angles against the horizontal
    "head": -0.25,
    "gaze": 0.0,  # sideways turn of the head
    "breath": 0.0,  # relative swelling of the trunk
    "tail_rise": 0.1,  # angle of the tail's root
    "tail_bend": -0.5,  # its change towards the tip
    "tail_curl": 0.4,  # sideways bend from root to tip
    "pellet": 0.0,  # 1 while it holds food
    "fl_u": 0.52, "fl_v": 0.02, "fr_u": 0.46, "fr_v": 0.02,  # front paws
    "hl_u": 0.10, "hl_v": 0.02, "hr_u": 0.04, "hr_v": 0.02,  # hind paws
}  # fmt: skip


class Animal(NamedTuple):
    """One mouse: `length` in pixels, `shade` and `skin` as reflectances from 0 to 1, the rest as factors."""

    length: float
    shade: float
    skin: float
    girth: float
    tail: float
    ears: float


def draw_animal(rng: np.random.Generator) -> Animal:
    """A mouse of random size and colour: black to grey fur, as of the usual laboratory strains."""
    shade = float(rng.uniform(0.10, 0.30))
    return Animal(
        length=float(rng.uniform(180, 216)),
        shade=shade,
        skin=float(np.clip(shade + rng.uniform(0.12, 0.22), 0, 1)),
        girth=float(rng.uniform(0.92, 1.12)),
        tail=float(rng.uniform(0.65, 0.95)),
        ears=float(rng.uniform(0.85, 1.2)),
    )


def spine(pose: Pose) -> dict[str, np.ndarray]:
    """The points pelvis, chest, skull and nose, each of shape (frames, 2), as (u, v)."""
    pelvis = np.stack([np.zeros_like(pose["lift"]), pose["lift"]], axis=1)
    chest = pelvis + _polar(TORSO * pose["stretch"], pose["torso"])
    skull = chest + _polar(NECK, pose["neck"])
    nose = skull + _polar(HEAD, pose["head"])
    return {"pelvis": pelvis, "chest": chest, "skull": skull, "nose": nose}


def balls(pose: Pose, animal: Animal) -> tuple[np.ndarray, np.ndarray]:
    """Every ball of the mouse, farther parts not sorted out.

    Returns an array (frames, balls, 4) of u, v, w and radius in mouse lengths, and the reflectance of each
    ball, an array (balls,) from 0 to 1. Balls that are not to be seen have radius 0.
    """
    at = spine(pose)
    flip = pose["flip"]
    parts: list[tuple[np.ndarray, float]] = []

    def add(point: np.ndarray, w: np.ndarray | float, radius: np.ndarray | float, shade: float) -> None:
        ball = np.empty((len(point), 4), np.float32)
        ball[:, :2] = point
        ball[:, 2] = w
        ball[:, 3] = radius
        parts.append((ball, shade))

    fur, skin = animal.shade, animal.skin
    side = np.stack([-np.sin(pose["torso"]), np.cos(pose["torso"])], axis=1)  # towards the back
    arch = (at["pelvis"] + at["chest"]) / 2 + side * (2 * pose["bow"])[:, None]

    # Trunk: a quadratic curve from pelvis to chest.
    radii = animal.girth * np.array([0.118, 0.146, 0.158, 0.158, 0.150, 0.138, 0.122, 0.106])
    for s, radius in zip(np.linspace(-0.06, 1.06, len(radii)), radii):
        point = (1 - s) ** 2 * at["pelvis"] + 2 * s * (1 - s) * arch + s**2 * at["chest"]
        # A shortened trunk is a thicker one.
        add(point, 0.0, radius * pose["stretch"] ** -0.5 * (1 + pose["breath"]), fur)

    # Neck and head.
    gaze = np.cos(pose["gaze"]), np.sin(pose["gaze"])
    forward = at["nose"] - at["skull"]
    crown = np.stack([-forward[:, 1], forward[:, 0]], axis=1) / HEAD * flip[:, None]

    def head_point(along: float, up: float) -> tuple[np.ndarray, np.ndarray]:
        point = at["skull"] + along * forward + up * crown
        point[:, 0] -= along * forward[:, 0] * (1 - gaze[0])
        return point, along * forward[:, 0] * gaze[1]

    add((at["chest"] + at["skull"]) / 2, 0.0, 0.102 * animal.girth, fur)
    for along, radius in ((0.0, 0.096), (0.2, 0.092), (0.40, 0.077), (0.60, 0.059), (0.80, 0.041)):
        point, w = head_point(along, 0.0)
        add(point, w, radius, fur * 1.05)
    point, w = head_point(1.0, 0.0)
    add(point, w, 0.020, skin)
    for lateral in (1.0, -1.0):
        point, w = head_point(-0.02, 0.105)
        add(point, w + lateral * 0.066, 0.060 * animal.ears, skin * 0.80)
        point, w = head_point(0.46, 0.032)
        add(point, w + lateral * 0.064, 0.0165, 0.01)

    # Legs: thigh or shoulder, then a line to the paw.
    for name, lateral in (("fl", 0.06), ("fr", -0.06), ("hl", 0.075), ("hr", -0.075)):
        paw = np.stack([pose[name + "_u"], pose[name + "_v"]], axis=1)
        front = name[0] == "f"
        root = at["chest"] - side * (0.04 * flip)[:, None] if front else at["pelvis"]
        add(root, lateral, 0.068 if front else 0.118 * animal.girth, fur)
        steps = FORELEG if front else HIND_LEG
        for s, radius in steps:
            add((1 - s) * root + s * paw, lateral, radius, fur * 1.05)
        add(paw, lateral * (0.7 if front else 1.1), 0.025, skin)
        if not front:  # a mouse stands on its whole long hind foot
            toes = paw + np.stack([np.full(len(paw), 0.055), np.zeros(len(paw))], axis=1)
            add(toes, lateral * 1.1, 0.021, skin)

    mouth, w = head_point(0.97, -0.05)
    add(mouth, w, 0.040 * pose["pellet"], 0.62)

    for ball in _tail(pose, at["pelvis"], animal):
        add(*ball, skin * 0.75)
    return np.stack([ball for ball, _ in parts], axis=1), np.array([shade for _, shade in parts], np.float32)


def _tail(pose: Pose, pelvis: np.ndarray, animal: Animal) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(point, w, radius) of the tail's balls, from the root to the tip; it lies on the floor, not below."""
    step = animal.tail / TAIL_BALLS
    point = pelvis - _polar(0.10, pose["torso"])
    w = np.zeros(len(pelvis))
    out = []
    for k in range(TAIL_BALLS):
        s = k / (TAIL_BALLS - 1)
        rise = pose["tail_rise"] + s * pose["tail_bend"]
        curl = s * pose["tail_curl"]
        point = point - np.stack([np.cos(rise) * np.cos(curl), -np.sin(rise)], axis=1) * step
        point[:, 1] = np.maximum(point[:, 1], 0.02)
        w = w + np.cos(rise) * np.sin(curl) * step
        out.append((point.copy(), w.copy(), 0.027 * (1 - s) + 0.008 * s))
    return out


def _polar(length: np.ndarray | float, angle: np.ndarray) -> np.ndarray:
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=1)
