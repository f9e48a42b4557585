"""A long real video is predicted start to end in the memory that a short one takes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import tiny

from tools.train import train

REPOSITORY = Path(__file__).resolve().parents[2]
SHORT, LONG = 1_000, 10_000
# The memory of one process differs by some MB from run to run: allocators, not frames.
SLACK = 1.05


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small network trained on moving squares: what it says of mice does not matter here."""
    from data_prep.prepare import prepare

    folder = tmp_path_factory.mktemp("model")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    train(str(folder / "net"), folder / "data", "v2", folder / "model", iterations=20, workers=0, quiet=True)
    return folder / "model"


def cut(source: Path, target: Path, frames: int) -> Path:
    """The first `frames` frames of a video, packet by packet."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as part:
        stream = part.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(video=0)):
            if number == frames or packet.dts is None:
                break
            packet.stream = stream
            part.mux(packet)
    return target


def predict(model: Path, video: Path, output: Path) -> tuple[int, float]:
    """(peak memory in kB, frames per second) of a process of its own."""
    script = (
        "import sys; from tools import cli; status = cli.main(sys.argv[1:]);"
        # getrusage's peak would do, but it begins with that of the process that started this one.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')));"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(model), str(video), "--output", str(output), "--quiet"],
        cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )
    run = json.loads((output / video.stem / "run.json").read_text())
    return int(done.stdout), run["frames_per_second"]


def test_memory_is_flat_and_every_frame_is_there(shared, model, tmp_path):
    whole = shared / "video" / "open_field_10000.mp4"
    short = cut(whole, tmp_path / "short.mp4", SHORT)
    short_memory, _ = predict(model, short, tmp_path / "out")
    long_memory, speed = predict(model, whole, tmp_path / "out")
    print(f"{speed:.0f} frames/s; {short_memory >> 10} MB for {SHORT} frames, {long_memory >> 10} MB for {LONG}")
    assert long_memory <= short_memory * SLACK
    for video, frames in ((short, SHORT), (whole, LONG)):
        with open(tmp_path / "out" / video.stem / "predictions.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["frame"]) for row in rows] == list(range(frames))
        assert np.diff([float(row["time"]) for row in rows]).min() > 0
