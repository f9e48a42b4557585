"""The simulated home cage: its measures and its picture without the mouse, as an infrared camera sees it.

Pixels are those of a 640×480 frame before the video's own camera (see `Camera`) is applied: x to the right,
y down.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
Point = tuple[float, float]
MARGIN = 70  # the cage is painted larger than the frame, so that a tilted camera sees no edge


class Cage(NamedTuple):
    """Where the walls, the floor, the bars, the spout's tip and the feeder's lower end are."""

    left: float
    right: float
    floor: float
    bars_y: float
    spout_x: float
    spout_y: float
    feeder_x: float
    feeder_y: float
    feeder_reach: float  # how far from the feeder's middle the snout meets its underside


class Camera(NamedTuple):
    """A camera: zoom, tilt in radians and offset in pixels; noise in grey levels; the rest as factors."""

    zoom: float
    tilt: float
    dx: float
    dy: float
    noise: float
    blur: float
    vignette: float
    light_x: float  # fall-off of the light to one side
    gain: float
    flicker: float  # slow change of the light in the course of the video


def draw_cage(rng: np.random.Generator) -> Cage:
    """A cage of about the same build each time: spout on the left, feeder right of the middle."""
    return Cage(
        left=float(rng.uniform(34, 52)),
        right=float(rng.uniform(588, 606)),
        floor=float(rng.uniform(412, 426)),
        bars_y=float(rng.uniform(72, 88)),
        spout_x=float(rng.uniform(112, 150)),
        spout_y=float(rng.uniform(296, 316)),
        feeder_x=float(rng.uniform(370, 425)),
        feeder_y=float(rng.uniform(272, 290)),
        feeder_reach=float(rng.uniform(8, 20)),
    )


def draw_camera(rng: np.random.Generator) -> Camera:
    """A camera of its own place and quality, and the light it works in."""
    return Camera(
        zoom=float(rng.uniform(0.95, 1.06)),
        tilt=float(rng.uniform(-0.030, 0.030)),
        dx=float(rng.uniform(-12, 12)),
        dy=float(rng.uniform(-10, 10)),
        noise=float(rng.uniform(1.5, 3.5)),
        blur=float(rng.uniform(0.5, 1.0)),
        vignette=float(rng.uniform(0.15, 0.40)),
        light_x=float(rng.uniform(-0.22, 0.22)),
        gain=float(rng.uniform(0.88, 1.12)),
        flicker=float(rng.uniform(0.01, 0.04)),
    )


def camera_matrix(camera: Camera) -> np.ndarray:
    """The 2×3 matrix from cage pixels to frame pixels."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), float(np.degrees(camera.tilt)), camera.zoom)
    matrix[:, 2] += np.array([camera.dx, camera.dy])
    return matrix


def light_map(camera: Camera) -> np.ndarray:
    """Relative brightness over the frame, float32 (480, 640): vignette, light from one side, gain."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    fall = 1 - camera.vignette * (x**2 + 0.7 * y**2) / 1.7
    return (camera.gain * fall * (1 + camera.light_x * x)).astype(np.float32)


def paint(rng: np.random.Generator, cage: Cage, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The empty cage as the camera sees it, and what of it stands before the mouse.

    Returns the picture, in grey levels, and the cover, from 0 (behind the mouse) to 1 (before it), both float32
    (480, 640).
    """
    canvas = Canvas(rng)
    _back(canvas, cage)
    _walls(canvas, cage)
    _bedding(canvas, cage)
    _feeder(canvas, cage)
    _bottle(canvas, cage)
    _lid(canvas, cage)
    _glare(canvas, cage)
    matrix = camera_matrix(camera)
    matrix = matrix @ np.array([[1, 0, -MARGIN], [0, 1, -MARGIN], [0, 0, 1]])
    out = []
    for layer in (canvas.grey, canvas.cover):
        soft = cv2.GaussianBlur(layer, (0, 0), camera.blur)
        out.append(cv2.warpAffine(soft, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR))
    return out[0] * light_map(camera), out[1]


class Canvas:
    """Two layers to paint on: `grey`, the picture, and `cover`, what hides the mouse."""

    def __init__(self, rng: np.random.Generator) -> None:
        shape = (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
        self.rng = rng
        self.grey = np.zeros(shape, np.float32)
        self.cover = np.zeros(shape, np.float32)

    def line(self, a: Point, b: Point, grey: float, width: int, cover: float = 0) -> None:
        """A straight stroke between two points in cage pixels."""
        ends = _fixed_point([a, b])
        cv2.line(self.grey, ends[0], ends[1], grey, width, cv2.LINE_AA, 4)
        if cover:
            cv2.line(self.cover, ends[0], ends[1], cover, width, cv2.LINE_AA, 4)

    def fill(self, points: list[Point], grey: float, opacity: float = 1.0) -> None:
        """A filled polygon, let through by `opacity`."""
        mask = np.zeros_like(self.grey)
        cv2.fillPoly(mask, [np.array(_fixed_point(points))], opacity, cv2.LINE_AA, 4)
        self.grey += mask * (grey - self.grey)

    def cloud(self, scale: float, amplitude: float) -> np.ndarray:
        """Smooth random relief over the canvas, of about this `scale` in pixels and standard deviation."""
        height, width = self.grey.shape
        small = self.rng.standard_normal((int(height / scale) + 3, int(width / scale) + 3)).astype(np.float32)
        return amplitude * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _fixed_point(points: list[Point]) -> list[tuple[int, int]]:
    """Points for OpenCV with four binary places."""
    return [(round((x + MARGIN) * 16), round((y + MARGIN) * 16)) for x, y in points]


def _back(canvas: Canvas, cage: Cage) -> None:
    """The room behind and the translucent back wall."""
    height = canvas.grey.shape[0]
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    canvas.grey[:] = canvas.rng.uniform(140, 168) + 40 * np.sin(np.pi * np.clip(ramp * 1.1, 0, 1))
    canvas.grey += canvas.cloud(160, 5) + canvas.cloud(45, 2.0) + canvas.cloud(3, 1.0)
    # Corners of the back wall, seen through the front.
    inset = canvas.rng.uniform(26, 40)
    for x, way in ((cage.left + inset, 1), (cage.right - inset, -1)):
        canvas.line((x, cage.bars_y + 8), (x + way * 5, cage.floor - 18), 118, 3)
        canvas.line((x + way * 3, cage.bars_y + 8), (x + way * 8, cage.floor - 18), 178, 2)


def _walls(canvas: Canvas, cage: Cage) -> None:
    """The side walls: dark edges with a bright line of refracted light, and the shade outside."""
    outer = 60
    for x, way in ((cage.left, -1), (cage.right, 1)):
        far = x + way * (outer + MARGIN)
        canvas.fill([(x, -MARGIN), (far, -MARGIN), (far, HEIGHT + MARGIN), (x, HEIGHT + MARGIN)], 88, 0.75)
        lean = way * canvas.rng.uniform(4, 9)
        canvas.line((x + lean, cage.bars_y - 10), (x, cage.floor + 22), 70, 7, 0.6)
        canvas.line((x + lean - way * 5, cage.bars_y - 10), (x - way * 5, cage.floor + 20), 205, 2, 0.5)
        canvas.line((x + lean + way * 7, cage.bars_y), (x + way * 7, cage.floor + 26), 120, 2)


def _bedding(canvas: Canvas, cage: Cage) -> None:
    """Wood chips: a floor that rises to the back, and a lip of them before the mouse's feet."""
    rng = canvas.rng
    x = np.arange(canvas.grey.shape[1], dtype=np.float32) - MARGIN
    y = np.arange(canvas.grey.shape[0], dtype=np.float32)[:, None] - MARGIN

    def ridge(base: float, swing: float) -> np.ndarray:
        phases, rates = rng.uniform(0, 6.3, 4), rng.uniform(0.006, 0.035, 4)
        return base + swing * np.sin(np.outer(rates, x) + phases[:, None]).mean(axis=0).astype(np.float32)

    back, front = ridge(cage.floor - 20, 9), ridge(cage.floor + 19, 9)
    floor = np.clip((y - back) / 3, 0, 1)
    tone = rng.uniform(138, 172) + 18 * np.clip((y - cage.floor) / 40, -1, 1)
    canvas.grey += floor * (tone + canvas.cloud(24, 5) - canvas.grey)
    depth = canvas.grey.shape[0] - MARGIN
    for _ in range(4200):
        cx, cy = rng.uniform(-MARGIN, WIDTH + MARGIN), rng.uniform(cage.floor - 20, depth)
        if cy < back[int(cx) + MARGIN - (cx < 0)] - 1:
            continue
        angle, length = rng.uniform(-0.8, 0.8), rng.uniform(2, 8)
        tip = (cx + length * np.cos(angle), cy + length * np.sin(angle))
        shade = tone.mean() + rng.normal(0, 26)
        canvas.line((cx, cy), tip, float(np.clip(shade, 60, 215)), int(rng.integers(1, 3)))
    lip = np.clip((y - front + canvas.cloud(5, 3)) / 4, 0, 1)
    canvas.cover[:] = np.maximum(canvas.cover, lip)
    # Below the tray's edge there is only the shelf.
    under = np.clip((y - cage.floor - 46) / 4, 0, 1)
    canvas.grey += under * (96 + canvas.cloud(60, 4) - canvas.grey)
    canvas.line((cage.left - 4, cage.floor + 44), (cage.right + 4, cage.floor + 44), 190, 3)
    canvas.line((cage.left - 4, cage.floor + 49), (cage.right + 4, cage.floor + 49), 66, 3)


def _feeder(canvas: Canvas, cage: Cage) -> None:
    """A wedge of wire hanging from the lid, with pellets in it."""
    rng = canvas.rng
    top, bottom = cage.bars_y + 2, cage.feeder_y
    left, right = cage.feeder_x - rng.uniform(88, 104), cage.feeder_x + rng.uniform(88, 104)
    foot = 20
    outline = [(left, top), (right, top), (cage.feeder_x + foot, bottom), (cage.feeder_x - foot, bottom)]
    canvas.fill(outline, 84, 0.7)
    level = top + rng.uniform(0.15, 0.4) * (bottom - top)
    for _ in range(90):
        s = rng.uniform(0, 1)
        y = level + s * (bottom - 8 - level)
        share = (y - top) / (bottom - top)
        half = 88 * (1 - share) + foot * share - 13
        x = cage.feeder_x + rng.uniform(-1, 1) * max(half, 3)
        angle, length = rng.uniform(0, np.pi), rng.uniform(3, 9)
        dx, dy = length * np.cos(angle), length * np.sin(angle)
        grey = float(rng.uniform(105, 165))
        canvas.line((x - dx, y - dy), (x + dx, y + dy), grey - 26, 11)
        canvas.line((x - dx, y - dy - 1), (x + dx, y + dy - 1), grey, 8)
    for s in np.linspace(0, 1, 15):
        upper = (left + s * (right - left), top)
        lower = (cage.feeder_x - foot + s * 2 * foot, bottom)
        canvas.line(upper, lower, 62, 3)
        canvas.line((upper[0] - 1, upper[1]), (lower[0] - 1, lower[1]), 172, 1)
    canvas.line(outline[3], outline[2], 58, 5)
    canvas.line((outline[3][0], outline[3][1] - 2), (outline[2][0], outline[2][1] - 2), 165, 1)


def _bottle(canvas: Canvas, cage: Cage) -> None:
    """The water bottle above the lid and its steel spout, slanting down to the right."""
    x, y = cage.spout_x, cage.spout_y
    slant = canvas.rng.uniform(0.16, 0.30)
    root = (x - slant * (y - cage.bars_y), cage.bars_y)
    for dx, grey, width in ((0, 70, 12), (0, 120, 9), (-2, 206, 3), (3, 92, 2)):
        canvas.line((root[0] + dx, root[1]), (x - 1 + dx, y - 5), grey, width)
    canvas.line((x, y - 7), (x, y - 3), 60, 9)
    canvas.line((x - 1, y - 5), (x - 1, y - 4), 210, 3)
    wide, tall = 40, 100
    body = [
        (root[0] - wide, root[1] - tall),
        (root[0] + wide, root[1] - tall),
        (root[0] + wide - 4, root[1] - 16),
        (root[0] + 9, root[1] - 2),
        (root[0] - 9, root[1] - 2),
        (root[0] - wide + 4, root[1] - 16),
    ]
    canvas.fill(body, 205, 0.75)
    canvas.fill([body[0], body[1], body[2], body[5]], 150, 0.35)
    canvas.line((root[0] - wide + 9, root[1] - tall), (root[0] - wide + 12, root[1] - 18), 226, 4)


def _lid(canvas: Canvas, cage: Cage) -> None:
    """Steel bars on top, across the picture and towards us; the foremost is before the mouse."""
    y = cage.bars_y
    canvas.fill([(cage.left, y - 40), (cage.right, y - 40), (cage.right, y), (cage.left, y)], 100, 0.35)
    for k, offset in enumerate((-26, -17, -8, 1)):
        cover = 0.95 if k == 3 else 0.0
        canvas.line((cage.left - 6, y + offset + 1), (cage.right + 6, y + offset + 1), 58, 4, cover)
        canvas.line((cage.left - 6, y + offset), (cage.right + 6, y + offset), 186, 1)
    for x in np.arange(cage.left + 8, cage.right, 23):
        canvas.line((x + 5, y - 27), (x, y + 2), 72, 3, 0.8)
        canvas.line((x + 4, y - 27), (x - 1, y + 2), 168, 1)
    canvas.line((cage.left - 12, y - 34), (cage.right + 12, y - 34), 64, 9)
    canvas.line((cage.left - 12, y - 37), (cage.right + 12, y - 37), 196, 2)


def _glare(canvas: Canvas, cage: Cage) -> None:
    """Reflections on the front wall, faint, and scratches."""
    rng = canvas.rng
    for _ in range(3):
        x, width, tilt = rng.uniform(cage.left, cage.right), rng.uniform(12, 50), rng.uniform(-60, 60)
        mask = np.zeros_like(canvas.grey)
        top, foot = cage.bars_y, cage.floor
        corners = [(x, top), (x + width, top), (x + width + tilt, foot), (x + tilt, foot)]
        cv2.fillPoly(mask, [np.array(_fixed_point(corners))], 1.0, cv2.LINE_AA, 4)
        canvas.grey += cv2.GaussianBlur(mask, (0, 0), 9) * rng.uniform(4, 13)
    for _ in range(40):
        x, y = rng.uniform(cage.left, cage.right), rng.uniform(cage.bars_y, cage.floor)
        canvas.line((x, y), (x + rng.normal(0, 14), y + rng.normal(0, 14)), float(rng.uniform(150, 190)), 1)
