"""The batches of a data layer: batch k of a net is a function of the task and of k, whichever process makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from python_layers import frame_plan
from python_layers.frame_reader import FrameReader
from python_layers.settings import Settings

Paths = dict[str, list[str]]  # per stream the LMDB of each video


class Task(NamedTuple):
    """What a net's data layer is to give. Of `solvers` that train together it is for the one of this rank, which takes
    every solvers-th batch."""

    settings: Settings
    paths: Paths
    training: bool
    solvers: int = 1
    rank: int = 0


def task_from(values: dict[str, Any]) -> Task:
    """The task whose `_asdict` went through JSON."""
    return Task(**{**values, "settings": Settings(*values["settings"])})


class Batches:
    """Makes the batches of a task from the labels of its videos."""

    def __init__(self, task: Task, timeline: frame_plan.Timeline):
        self._task = task
        self._plan = frame_plan.make_plan(task.settings, timeline)
        self._reader = FrameReader(task.settings, task.paths)

    def make(self, batch: int, tops: Sequence[np.ndarray]) -> None:
        """Write batch `batch` of this net (from 0) into arrays of `settings.top_shapes`; cont may be left out.

        Raises InputError naming the LMDB and the frame that is wrong.
        """
        task = self._task
        number = batch * task.solvers + task.rank
        places = frame_plan.places(self._plan, number)
        if task.solvers > 1:  # what goes on in the next batch goes on in another solver
            places.cont[0] = 0
        frames = frame_plan.frame_list(task.settings, number, places, task.training)
        streams = len(task.settings.streams)
        self._reader.fill(frames, tops[:streams])
        for top, values in zip(tops[streams:], (places.label.ravel(), places.cont)):
            top[...] = values
