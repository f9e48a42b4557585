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
    from tools.classifier import INPUTS, Classifier

    trained = model.load(model_path)
    backend.use_device(gpu)
    reader = Classifier(trained)
    loaded = time.perf_counter() - STARTED

    from benchmarks import side, stages, work
    from data_prep import streams, video
    from tools import feed

    way = trained.preprocessing
    seconds = {stages.START: loaded, stages.DECODING: _timed(lambda: _through(video.read_frames(file)))}
    # One after the other and not both at once, and no copy of a minute at full size in memory.
    kept: list[streams.Frame] = []
    both = _timed(lambda: kept.extend(streams.stored_frames(file, None, way["stored_size"])))
    seconds[stages.SIZING] = max(0.0, both - seconds[stages.DECODING])
    seconds[stages.MOTION] = _timed(lambda: _through(streams.STREAMS["motion"].images(kept)))
    frames = len(kept)
    kept.clear()
    fed = feed.batches(Path(file), way, trained.streams, reader.batch_size)
    seconds[stages.FEEDING] = _timed(lambda: _through(fed))
    batch = next(feed.batches(Path(file), way, trained.streams, reader.batch_size))
    probabilities = reader.probabilities(batch)
    whole = median(_timed(lambda: reader.probabilities(batch)) for _ in range(BATCHES))
    net = median(_timed(lambda: _forward(reader.net)) for _ in range(BATCHES))
    count = frames / reader.batch_size
    seconds[stages.INPUT], seconds[stages.NET] = max(0.0, whole - net) * count, net * count
    seconds[stages.WRITING] = _timed(lambda: _write(trained, frames, probabilities))
    opened = side.Open()
    opened.net = reader.net
    layers = work.of_layers(side.describe(opened))
    inputs = sum(reader.net.blobs[INPUTS[name]].data[0].size for name in trained.streams)
    numbers = {"frames": frames, "batch": reader.batch_size, "stored": way["stored_size"], "inputs": int(inputs)}
    return {"seconds": seconds, "layers": layers, **numbers}


def _timed(what: Callable[[], Any]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _through(made: Iterable[Any]) -> None:
    deque(made, maxlen=0)


def _forward(net: Any) -> None:
    for array in net.forward().values():
        array.copy()


def _write(trained: Any, frames: int, probabilities: Any) -> None:
    """What `ethocaffe predict` writes of a video with so many frames."""
    import numpy as np

    from tools import bouts, predictions
    from tools.plots.ethogram import plot_ethogram

    rows = np.resize(probabilities, (frames, probabilities.shape[1]))
    times = np.arange(frames) / trained.info["frame_rate"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        predictions.write(folder / "predictions.csv", range(frames), times, rows, trained.classes)
        predicted = predictions.read(folder / "predictions.csv")
        bout_rows = bouts.table(
            predicted.labels, predicted.times, 1 / trained.info["frame_rate"], trained.classes, predicted.probabilities
        )
        bouts.write_table(folder / "bouts.csv", bout_rows)
        tracks = {"predicted": (predicted.times, predicted.labels)}
        plot_ethogram(tracks, trained.classes, folder / "ethogram.png", "")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)))
