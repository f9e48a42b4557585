"""Making one simulated video with its labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import cv2
import numpy as np

from data_prep.dataset import write_labels
from data_prep.simulate.cage import draw_cage, draw_camera
from data_prep.simulate.mouse import Pose, draw_animal
from data_prep.simulate.movie import write_movie
from data_prep.simulate.plan import CLASSES, Bout, frame_labels, make_plan
from data_prep.simulate.render import Scene, centres, frames_of, prepare_scene
from data_prep.simulate.stage import poses

FPS = 30
# Random numbers are drawn per seed, video and purpose, so that no part depends on how many others there are.
PLAN, ANIMAL, CAGE, CAMERA, PAINT, POSES, NOISE = range(7)


class Order(NamedTuple):
    """One video to make."""

    number: int  # from 0
    frames: int
    seed: int
    balanced: bool
    movie: Path
    labels: Path


def bouts_of(order: Order) -> list[Bout]:
    """The plan of a video. Raises InputError if it is too short for one."""
    return make_plan(_random(order, PLAN), order.frames, FPS, order.balanced)


def pictures(order: Order, bouts: list[Bout] | None = None) -> Iterator[np.ndarray]:
    """The frames of a video, luma, uint8 (480, 640); `bouts`: another plan than the video's own."""
    scene, noise = _scene(order), _random(order, NOISE)
    bouts = bouts or bouts_of(order)
    for bout, pose in zip(bouts, _poses(order, scene, bouts)):
        yield from frames_of(scene, pose, bout.start, noise)


def places(order: Order, bouts: list[Bout] | None = None) -> np.ndarray:
    """Where the mouse is on every frame of those `pictures`, (frames, 2): see `render.centres`."""
    scene = _scene(order)
    return np.concatenate([centres(scene, pose) for pose in _poses(order, scene, bouts or bouts_of(order))])


def _scene(order: Order) -> Scene:
    animal = draw_animal(_random(order, ANIMAL))
    cage = draw_cage(_random(order, CAGE))
    camera = draw_camera(_random(order, CAMERA))
    return prepare_scene(animal, cage, camera, _random(order, PAINT))


def _poses(order: Order, scene: Scene, bouts: list[Bout]) -> Iterator[Pose]:
    return poses(bouts, scene.cage, scene.animal, FPS, (order.seed, order.number, POSES))


def make_video(order: Order, count: Callable[[int], None]) -> None:
    """Write one video and its labels; `count` is called with numbers of frames as they are done."""
    cv2.setNumThreads(1)  # the processes are as many as the cores
    write_movie(order.movie, _counted(pictures(order), count), FPS)
    write_labels(order.labels, CLASSES, frame_labels(bouts_of(order)))


def facts_of(order: Order) -> dict[str, Any]:
    """What simulation.json says of a video."""
    bouts = bouts_of(order)
    labels = frame_labels(bouts)
    return {
        "frames": len(labels),
        "frames_per_class": dict(zip(CLASSES, np.bincount(labels, minlength=len(CLASSES)).tolist())),
        "bouts": len(bouts),
        "animal": draw_animal(_random(order, ANIMAL))._asdict(),
        "cage": draw_cage(_random(order, CAGE))._asdict(),
        "camera": draw_camera(_random(order, CAMERA))._asdict(),
    }


def _counted(frames: Iterator[np.ndarray], count: Callable[[int], None]) -> Iterator[np.ndarray]:
    done = 0
    for frame in frames:
        yield frame
        done += 1
        if done == FPS:
            count(done)
            done = 0
    count(done)


def _random(order: Order, purpose: int) -> np.random.Generator:
    return np.random.default_rng([order.seed, order.number, purpose])
