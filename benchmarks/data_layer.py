"""The data layer: how fast it is alone, and how long a training step waits for it.

Waiting is the time inside the layer's forward, with whatever it copies into its tops. The net is the real one, or a
sleep of as long as a step takes on a GPU, in which the processor is free.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from data_prep import dataset as datasets
from tools import model, network
from tools.backend import load_caffe

GPU_STEP = 0.01  # seconds
WARM = 8  # batches before the first that counts: the workers' start, and the first use of each part of their memory
MEGABYTE = 1e6


class Waiting(NamedTuple):
    """Per step: its seconds, those of them inside the data layer, and the workers' seconds of processors' time (not a
    number where Linux's /proc is not there). Of a step of `frames` frames."""

    frames: int
    steps: Sequence[float]
    waits: Sequence[float]
    worker: float

    @property
    def share(self) -> float:
        """The part of all the time that was spent waiting, 0 to 1."""
        return sum(self.waits) / sum(self.steps)

    @property
    def usual_share(self) -> float:
        """That of the median step: what it is where nothing else disturbs the machine."""
        return median(self.waits) / median(self.steps)


def copying(megabytes: float, times: int = 20) -> float:
    """Seconds that copying so many MB takes, from memory to memory: what a step would wait at least for a layer that
    copies into its tops."""
    source, target = (np.ones(int(megabytes * MEGABYTE / 4), np.float32) for _ in range(2))
    found = []
    for _ in range(times):
        start = time.perf_counter()
        np.copyto(target, source)
        found.append(time.perf_counter() - start)
    return median(found)


def read_all(dataset: Path) -> int:
    """Read what was prepared once, so that it comes from memory afterwards where it fits; its bytes."""
    total = 0
    for path in sorted(dataset.glob("prepared/*/*.lmdb/data.mdb")):
        with open(path, "rb") as file:
            while piece := file.read(1 << 22):
                total += len(piece)
    return total


def frames_per_second(name: str, dataset: Path, folder: Path, workers: int, batches: int = 50) -> float:
    """Frames a second that the data layer of a network gives in training when nothing else is done.

    name: as in prototxt/. dataset: prepared at the network's size. folder: for the net that is written.
    """
    net = data_net(name, dataset, folder, workers)
    waiting = _measured(net, net.forward, batches)
    return waiting.frames * batches / sum(waiting.steps)


def with_sleep(
    name: str, dataset: Path, folder: Path, workers: int, seconds: float = GPU_STEP, steps: int = 100
) -> Waiting:
    """Waiting with the net replaced by a sleep of so many seconds."""
    net = data_net(name, dataset, folder, workers)

    def step() -> None:
        net.forward()
        time.sleep(seconds)

    return _measured(net, step, steps)


def with_net(name: str, dataset: Path, folder: Path, workers: int, steps: int = 4) -> Waiting:
    """Waiting in training steps of the network itself, from random weights."""
    caffe = load_caffe()
    file = network.find_network(name) / model.TRAIN_VAL
    net = _filled(file, dataset, workers)
    solver = network.read_solver(network.find_solver(file.parent))
    for field in ("net", "test_iter", "test_interval"):
        solver.ClearField(field)
    solver.train_net, solver.snapshot_prefix = str(folder / "train.prototxt"), str(folder / "train")
    solver.display, solver.snapshot, solver.snapshot_after_train = 0, 0, False
    network.write_message(folder / "train.prototxt", net)
    network.write_message(folder / "solver.prototxt", solver)
    opened = caffe.get_solver(str(folder / "solver.prototxt"))
    return _measured(opened.net, lambda: opened.step(1), steps, warm=1)


def data_net(name: str, dataset: Path, folder: Path, workers: int) -> Any:
    """A net of nothing but the data layer that a network has in training, at its own size of pictures and batches."""
    caffe = load_caffe()
    file = network.find_network(name) / model.TRAIN_VAL
    net = _filled(file, dataset, workers)
    alone = type(net)(name=net.name, layer=[network.data_layer(net, "TRAIN", file)])
    network.write_message(folder / "data.prototxt", alone)
    return caffe.Net(str(folder / "data.prototxt"), caffe.TRAIN)


def bytes_per_step(name: str, dataset: Path) -> dict[str, float]:
    """What a step moves, in MB: `stored`, pixels that are read, and `tops`, numbers that are written."""
    from python_layers.settings import STORED_CHANNELS, Settings, batch_shapes, top_shapes

    file = network.find_network(name) / model.TRAIN_VAL
    data = network.data_settings(_filled(file, dataset, 0), "TRAIN", file)
    settings = Settings(**data)
    stored = sum(_count(shape) for shape in batch_shapes(settings, STORED_CHANNELS).values())
    return {"stored": stored / MEGABYTE, "tops": 4 * sum(map(_count, top_shapes(settings))) / MEGABYTE}


def _count(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _filled(file: Path, dataset: Path, workers: int) -> Any:
    """A network whose data layer reads all the annotated videos of a dataset in training. Its means stay as they are:
    they cost the same."""
    data = datasets.open_dataset(dataset)
    videos = [stem for stem in data.videos if data.labels(stem).is_file()]
    net = network.read_net(file)
    network.fill_data(net, "TRAIN", file, dataset=str(data.path.resolve()), videos=videos, workers=workers)
    return net


def _measured(net: Any, step: Callable[[], Any], steps: int, warm: int = WARM) -> Waiting:
    """Waiting in `steps` steps of a net whose first layer is its data layer, after some that do not count."""
    marks: list[float] = []
    net.before_forward(lambda layer: marks.append(time.perf_counter()) if layer == 0 else None)
    net.after_forward(lambda layer: marks.append(time.perf_counter()) if layer == 0 else None)
    for _ in range(warm):
        step()
    marks.clear()
    pids = _children()
    computed, ends = _computed(pids), [time.perf_counter()]
    for _ in range(steps):
        step()
        ends.append(time.perf_counter())
    computed = _computed(pids) - computed
    waits = [end - start for start, end in zip(marks[::2], marks[1::2])]
    frames = next(iter(net.blobs.values())).data.shape[0]
    return Waiting(frames, [end - start for start, end in zip(ends, ends[1:])], waits, computed / steps)


def _children() -> list[int]:
    """The processes that this one started and that are at work: the workers."""
    found = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in found.read_text().split()] if found.is_file() else []


def _computed(pids: Sequence[int]) -> float:
    """Seconds of processors' time of these processes."""
    if not Path("/proc/self/stat").is_file():
        return float("nan")
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
