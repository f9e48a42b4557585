"""Draws the mouse into the cage, frame by frame.

The balls of the mouse are drawn as a height field at half the frame's resolution, lit from above as by
infrared lamps, covered with fur and laid over the picture of the empty cage, with a shadow on the bedding and
the sensor's noise on all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from data_prep.simulate import cage as cages
from data_prep.simulate.cage import HEIGHT, WIDTH, Cage, Camera
from data_prep.simulate.mouse import Animal, Pose, balls

HALF = 0.5  # resolution of the height field
DEPTH = 16.0  # pixels of the cage's depth that `Pose`'s depth 1 stands for
VIEW_DOWN = 0.16  # the camera looks down a little: how much nearer is lower
LIGHT = np.array([0.15, 0.78, 0.60], np.float32)  # where the light comes from: x right, up, to the camera
EDGE = 6  # pixels around the balls at half resolution
NOISE_BANK = 6
# Luma of H.264 runs from 16 to 235 (ITU-R BT.601); every reader expects it so.
BLACK, WHITE = 16, 235


class Scene(NamedTuple):
    """All that stays the same in a video's frames."""

    animal: Animal
    cage: Cage
    camera: Camera
    background: np.ndarray  # float32 (480, 640), grey levels
    cover: np.ndarray  # float32 (480, 640), 1 before the mouse
    light: np.ndarray  # float32 (480, 640)
    fur: np.ndarray  # float32, larger than any mouse, around 1
    noise: list[tuple[np.ndarray, np.ndarray]]  # uint8 (560, 720) to add and to subtract
    to_frame: np.ndarray  # (2, 3): cage pixels to frame pixels


def prepare_scene(animal: Animal, cage: Cage, camera: Camera, rng: np.random.Generator) -> Scene:
    """Paint the cage and prepare the fur and the noise."""
    background, cover = cages.paint(rng, cage, camera)
    return Scene(
        animal,
        cage,
        camera,
        np.clip(background, 0, 255),
        np.clip(cover, 0, 1),
        cages.light_map(camera),
        _fur(rng),
        [_noise(rng, camera.noise) for _ in range(NOISE_BANK)],
        cages.camera_matrix(camera),
    )


def _fur(rng: np.random.Generator) -> np.ndarray:
    """Hair: noise drawn out along the body, around 1."""
    fine = rng.standard_normal((420, 420)).astype(np.float32)
    hair = cv2.GaussianBlur(fine, (0, 0), sigmaX=2.6, sigmaY=0.8)
    tufts = cv2.GaussianBlur(fine[::-1], (0, 0), sigmaX=9, sigmaY=5)
    return (1 + 0.10 * hair / hair.std() + 0.07 * tufts / tufts.std()).astype(np.float32)


def _noise(rng: np.random.Generator, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Sensor noise larger than a frame, what to add and what to subtract."""
    grain = rng.standard_normal((HEIGHT + 80, WIDTH + 80), dtype=np.float32)
    soft = cv2.GaussianBlur(grain, (0, 0), 0.6)
    grain = soft * np.float32(sigma / soft.std())
    return np.rint(np.maximum(grain, 0)).astype(np.uint8), np.rint(np.maximum(-grain, 0)).astype(np.uint8)


def frames_of(scene: Scene, pose: Pose, start: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of one `Pose`, luma, uint8 (480, 640); `start` is the first one's number in the video."""
    shape, shade = balls(pose, scene.animal)
    spheres = _to_frame(scene, pose, shape)
    shadows = _shadows(scene, pose, spheres)
    still = scene.background.astype(np.uint8)
    offsets = rng.integers(0, 80, (len(spheres), 2))
    picks = rng.integers(0, NOISE_BANK, len(spheres))
    for k in range(len(spheres)):
        frame = still.copy()
        _cast(frame, scene, shadows[k])
        _lay(frame, scene, spheres[k], shade, float(pose["yaw"][k]), float(pose["torso"][k]))
        more, less = scene.noise[picks[k]]
        y, x = offsets[k]
        window = slice(y, y + HEIGHT), slice(x, x + WIDTH)
        cv2.add(frame, more[window], dst=frame)
        cv2.subtract(frame, less[window], dst=frame)
        yield cv2.LUT(frame, _luma(scene.camera, start + k))


def _luma(camera: Camera, number: int) -> np.ndarray:
    """Table from grey levels to luma, with the slow change of the light at frame `number`."""
    drift = 1 + camera.flicker * np.sin(number / 1100 + 40 * camera.flicker)
    levels = np.clip(np.arange(256) * drift, 0, 255)
    return np.rint(BLACK + levels * (WHITE - BLACK) / 255).astype(np.uint8)


def _to_frame(scene: Scene, pose: Pose, shape: np.ndarray) -> np.ndarray:
    """Balls in frame pixels, (frames, balls, 4): x, y, nearness, radius."""
    size = scene.animal.length
    cos, sin = np.cos(pose["yaw"])[:, None], np.sin(pose["yaw"])[:, None]
    u, v, w, radius = (shape[:, :, i] for i in range(4))
    near = size * (u * sin + w * cos) + DEPTH * pose["depth"][:, None]
    x = pose["x"][:, None] + size * (u * cos - w * sin)
    y = scene.cage.floor - size * v + VIEW_DOWN * near
    matrix, zoom = scene.to_frame, scene.camera.zoom
    return np.stack(
        [
            matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
            matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
            zoom * near,
            zoom * size * radius,
        ],
        axis=2,
    ).astype(np.float32)


TRUNK, BODY = 8, 14  # the first balls of the mouse: the trunk, and with it neck and head


def centres(scene: Scene, pose: Pose) -> np.ndarray:
    """Centre of mass of the outline of trunk and head on every frame, in frame widths and heights, (frames, 2)."""
    found = []
    for balls_of_frame in _to_frame(scene, pose, balls(pose, scene.animal)[0])[:, :BODY]:
        outline = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x, y, _, radius in balls_of_frame:
            cv2.circle(outline, (round(float(x)), round(float(y))), round(float(radius)), 1, -1)
        mass = cv2.moments(outline, binaryImage=True)
        found.append((mass["m10"] / mass["m00"] / WIDTH, mass["m01"] / mass["m00"] / HEIGHT))
    return np.array(found)


def _shadows(scene: Scene, pose: Pose, spheres: np.ndarray) -> np.ndarray:
    """The shadow on the bedding per frame: x, y, half width, strength from 0 to 1."""
    trunk = spheres[:, :TRUNK]
    x = trunk[:, :, 0].mean(axis=1)
    wide = np.ptp(trunk[:, :, 0], axis=1) / 2 + 0.17 * scene.animal.length
    floor = scene.cage.floor + VIEW_DOWN * DEPTH * pose["depth"]
    y = scene.to_frame[1, 0] * x + scene.to_frame[1, 1] * floor + scene.to_frame[1, 2]
    height = np.clip((y - trunk[:, :, 1].max(axis=1)) / scene.animal.length, 0, 2)
    return np.stack([x, y + 2, wide, 0.62 * np.exp(-1.8 * np.maximum(height - 0.12, 0))], axis=1)


def _cast(frame: np.ndarray, scene: Scene, shadow: np.ndarray) -> None:
    """Darken the bedding under the mouse."""
    x, y, wide, strength = shadow
    tall = 11.0
    x0, x1 = max(int(x - 1.8 * wide), 0), min(int(x + 1.8 * wide), WIDTH)
    y0, y1 = max(int(y - 2 * tall), 0), min(int(y + 2 * tall), HEIGHT)
    if x1 <= x0 or y1 <= y0 or strength < 0.02:
        return
    across = np.exp(-(((np.arange(x0, x1) - x) / (0.8 * wide)) ** 4)).astype(np.float32)
    down = np.exp(-(((np.arange(y0, y1) - y) / tall) ** 2)).astype(np.float32)
    view = frame[y0:y1, x0:x1]
    view[:] = view * (1 - strength * down[:, None] * across)


def _lay(frame: np.ndarray, scene: Scene, spheres: np.ndarray, shade: np.ndarray, yaw: float, torso: float) -> None:
    """Draw the mouse over `frame`."""
    x, y, radius = spheres[:, 0], spheres[:, 1], spheres[:, 3]
    shown = radius > 0.3
    left, right = int((x - radius)[shown].min() * HALF) - EDGE, int((x + radius)[shown].max() * HALF) + EDGE
    top, bottom = int((y - radius)[shown].min() * HALF) - EDGE, int((y + radius)[shown].max() * HALF) + EDGE
    left, right = max(left, 0), min(right, WIDTH // 2)
    top, bottom = max(top, 0), min(bottom, HEIGHT // 2)
    if right - left < 4 or bottom - top < 4:
        return
    local = spheres * np.float32(HALF)
    local[:, 0] -= left
    local[:, 1] -= top
    near, grey, alpha = height_field(local[shown], shade[shown], (bottom - top, right - left))
    lit = shine(near, grey)
    size = (2 * (right - left), 2 * (bottom - top))
    lit = cv2.resize(lit, size, interpolation=cv2.INTER_LINEAR)
    alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
    rows, columns = slice(2 * top, 2 * bottom), slice(2 * left, 2 * right)
    fur = _fur_at(scene.fur, size, spheres[3, 0] - 2 * left, spheres[3, 1] - 2 * top, yaw, torso)
    light = scene.light[min(int(y[3]), HEIGHT - 1) if y[3] > 0 else 0, min(max(int(x[3]), 0), WIDTH - 1)]
    cv2.multiply(lit, fur, dst=lit, scale=float(light))
    alpha *= 1 - scene.cover[rows, columns]
    view = frame[rows, columns]
    view[:] = view + alpha * (lit - view)


def _fur_at(fur: np.ndarray, size: tuple[int, int], x: float, y: float, yaw: float, torso: float) -> np.ndarray:
    """The fur's pattern, moved and turned with the body."""
    turn = torso if np.cos(yaw) >= 0 else -torso
    cos, sin = np.cos(turn), np.sin(turn)
    middle = fur.shape[0] / 2
    matrix = np.array([[cos, -sin, middle - cos * x + sin * y], [sin, cos, middle - sin * x - cos * y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(fur, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)


def height_field(
    spheres: np.ndarray, shade: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearness of the surface, its reflectance, and how far each pixel is covered (0 to 1), as float32."""
    near = np.full(shape, -1e3, np.float32)
    grey = np.full(shape, shade[0], np.float32)
    alpha = np.zeros(shape, np.float32)
    height, width = shape
    for (x, y, z, r), tone in zip(spheres.tolist(), shade.tolist()):
        x0, x1 = max(int(x - r - 1), 0), min(int(x + r + 2), width)
        y0, y1 = max(int(y - r - 1), 0), min(int(y + r + 2), height)
        if x1 <= x0 or y1 <= y0:
            continue
        dx = np.arange(x0 - x, x1 - x - 1e-3, dtype=np.float32)
        dy = np.arange(y0 - y, y1 - y - 1e-3, dtype=np.float32)
        square = np.subtract.outer(r * r - dy * dy, dx * dx)
        view = alpha[y0:y1, x0:x1]
        np.maximum(view, square * (0.5 / r) + 0.5, out=view)
        surface = np.sqrt(np.maximum(square, 0))
        surface += z
        view = near[y0:y1, x0:x1]
        front = (surface > view) & (square > -r)
        np.copyto(view, surface, where=front)
        np.copyto(grey[y0:y1, x0:x1], tone, where=front)
    return near, grey, np.minimum(alpha, 1, out=alpha)


def shine(near: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Grey levels of a surface lit from LIGHT, by soft half-Lambert shading."""
    solid = np.maximum(near, near.max() - 120)
    solid = cv2.GaussianBlur(solid, (0, 0), 1.6)
    slope_x = cv2.Sobel(solid, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y = cv2.Sobel(solid, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    norm = np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    # The normal of z(x, y) is (-dz/dx, -dz/dy, 1); up is against y.
    facing = (LIGHT[2] - slope_x * LIGHT[0] + slope_y * LIGHT[1]) / norm
    soft = 0.5 + 0.5 * np.clip(facing, -1, 1)
    tone = cv2.GaussianBlur(grey, (0, 0), 0.7)
    return 255 * tone * (0.30 + 0.95 * soft * soft)
