"""The stages of a prediction, each alone, timed: python -m benchmarks.stage_runs MODEL VIDEO [GPU], prints JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

STARTED = time.perf_counter()
BATCHES = 8  # that stand for all


def main(model_path: str, file: str, gpu: int | None) -> dict[str, Any]:
    """`seconds` of every stage over the whole video, and what its floors are computed from."""
    from tools import backend, model

    backend.use_device(gpu)
    caffe = backend.load_caffe()
    trained = model.load(model_path)
    net = caffe.Net(str(trained.path / model.DEPLOY), caffe.TEST, weights=str(trained.path / model.WEIGHTS))
    loaded = time.perf_counter() - STARTED

    from benchmarks import side, stages, work
    from data_prep import motion, streams, video

    way = trained.preprocessing
    seconds = {stages.START: loaded, stages.DECODING: _timed(lambda: _through(video.read_frames(file)))}
    kept: list[Any] = []
    stored = streams.stored_frames(file, None, way["stored_size"])
    both = _timed(lambda: kept.extend(frame.grey for frame in stored))
    seconds[stages.SIZING] = max(0.0, both - seconds[stages.DECODING])
    seconds[stages.MOTION] = _timed(lambda: _through(motion.motion_images(kept)))
    frames, batch = len(kept), way["batch_size"]
    kept.clear()

    for name in net.inputs:
        if name != "cont":
            net.blobs[name].reshape(batch, *net.blobs[name].data.shape[1:])
    net.reshape()
    opened = side.Open()
    opened.net = net
    side.fill(net)
    side.forward(opened, 2)
    seconds[stages.NET] = median(side.forward(opened, BATCHES)) * frames / batch
    seconds[stages.WRITING] = _timed(lambda: _write(trained, frames))
    layers = work.of_layers(side.describe(opened))
    return {"seconds": seconds, "layers": layers, "frames": frames, "batch": batch, "stored": way["stored_size"]}


def _timed(what: Callable[[], Any]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _through(made: Iterable[Any]) -> None:
    deque(made, maxlen=0)


def _write(trained: Any, frames: int) -> None:
    """What `ethocaffe predict` writes of a video with so many frames."""
    import numpy as np

    from tools import bouts, predictions
    from tools.plots.ethogram import plot_ethogram

    random = np.random.RandomState(1)
    shares = random.dirichlet(np.ones(len(trained.classes)), frames).astype(np.float32)
    rate = trained.info["frame_rate"]
    times = np.arange(frames) / rate
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        predictions.write(folder / "predictions.csv", range(frames), times, shares, trained.classes)
        predicted = predictions.read(folder / "predictions.csv")
        rows = bouts.table(predicted.labels, predicted.times, 1 / rate, trained.classes, predicted.probabilities)
        bouts.write_table(folder / "bouts.csv", rows)
        tracks = {"predicted": (predicted.times, predicted.labels)}
        plot_ethogram(tracks, trained.classes, folder / "ethogram.png", "")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)))
