"""Preparing the real videos: every format, killed in the middle, and a disk that is really full."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep import lmdb_store
from data_prep.dataset import open_dataset, prepared
from data_prep.prepare import prepare
from data_prep.streams import stored_frames

REPOSITORY = Path(__file__).resolve().parents[2]
FRAMES = {
    "flies.mp4": 128,
    "home_cage.mp4": 1188,
    "home_cage_drink_2.avi": 60,
    "home_cage_drink_5.avi": 31,
    "home_cage_groom.mpg": 94,
}
SIZE = 32


def dataset(path: Path, shared: Path, *names: str) -> Path:
    """A dataset of real videos, which are linked, not copied."""
    (path / "videos").mkdir(parents=True)
    for name in names:
        (path / "videos" / name).symlink_to(shared / "video" / name)
    (path / "classes.txt").write_text("walk\nrest\n")
    return path


def command(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'engine'}"}
    words = ["prepare", str(folder), "--size", str(SIZE), "--workers", "1", *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, "-m", "tools.cli", *words],
        cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'engine'}"}
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True)


def content(path: Path, stem: str, stream: str) -> list[bytes]:
    video = prepared(open_dataset(path), stem)
    reader = lmdb_store.open_reader(video.streams[stream])
    return [reader.read_bytes(frame) for frame in range(video.frames)]


def test_every_real_video_is_prepared(shared, tmp_path):
    folder = dataset(tmp_path / "data", shared, *FRAMES)
    prepare(folder, size=SIZE, workers=2, quiet=True)
    for name, frames in FRAMES.items():
        video = prepared(open_dataset(folder), Path(name).stem, ["shape", "motion"])
        assert video.frames == len(video.times) == frames
        assert video.times[0] == 0 and np.all(np.diff(video.times) > 0)
        shape, motion = (lmdb_store.open_reader(video.streams[stream]) for stream in ("shape", "motion"))
        assert shape.read(frames - 1).shape == (1, SIZE, SIZE)
        assert motion.read(frames - 1).shape == (4, SIZE, SIZE)
        assert all(0 < mean < 255 for means in video.meta["mean"].values() for mean in means)


def test_the_animal_is_where_another_tracker_saw_it(shared):
    """10,000 frames whose positions Tracktor (Sridhar et al. 2019) found, with settings chosen for this video."""
    video = shared / "video" / "open_field_10000.mp4"
    with open(shared / "video" / "open_field_10000_track.csv", newline="") as file:
        table = [[float(row[name]) for name in ("frame", "pos_x", "pos_y")] for row in csv.DictReader(file)]
    rows = np.array([frame.position for frame in stored_frames(video, None, SIZE, track=True)])
    assert np.isfinite(rows).all() and rows[:, -1].mean() > 0.99
    distance = [np.hypot(640 * rows[int(frame) - 1, 0] - x, 480 * rows[int(frame) - 1, 1] - y) for frame, x, y in table]
    assert len(distance) == len(rows) == 10000
    assert np.median(distance) < 5
    assert np.mean(np.array(distance) < 25) > 0.95


def test_killed_again_and_again_it_ends_with_the_same(shared, tmp_path):
    whole = dataset(tmp_path / "whole", shared, "home_cage.mp4")
    prepare(whole, size=SIZE, workers=1, quiet=True)
    killed = dataset(tmp_path / "killed", shared, "home_cage.mp4")
    state = killed / "prepared" / ".home_cage.partial" / "state.json"
    kills = 0
    for _ in range(2):
        before = state.read_text() if state.exists() else ""
        process = command(killed)
        while process.poll() is None and (not state.exists() or state.read_text() == before):
            time.sleep(0.005)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kills > 0 and not (killed / "prepared" / "home_cage").exists()
    process = command(killed)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert [entry.name for entry in (killed / "prepared").iterdir()] == ["home_cage"]
    for stream in ("shape", "motion"):
        assert content(killed, "home_cage", stream) == content(whole, "home_cage", stream)


def test_workers_end_when_their_command_is_killed(shared, tmp_path):
    names = ("flies.mp4", "home_cage.mp4")
    folder = dataset(tmp_path / "data", shared, *names)
    process = command(folder, "--workers", 2)
    while process.poll() is None and len(list(folder.glob("prepared/.*.partial"))) < 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = command(folder, "--workers", 2)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    for name in names:
        assert prepared(open_dataset(folder), Path(name).stem).frames == FRAMES[name]


def test_a_full_disk_is_one_line_and_leaves_nothing(shared, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root only")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        folder = dataset(disk / "data", shared, "home_cage.mp4")
        process = command(folder, "--quiet")
        _, errors = process.communicate()
        assert process.returncode == 2 and errors.count("\n") == 1 and "make room" in errors
        assert not list((folder / "prepared").iterdir())

        # The same when the room is there at first and others take it meanwhile.
        late = f"prepare({str(folder)!r}, size={SIZE}, workers=1, quiet=True, free_bytes=lambda _: 10**12)"
        result = python(f"from data_prep.prepare import prepare; {late}")
        assert "cannot be written (the disk is full)" in result.stderr
        assert not list((folder / "prepared").iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def peak_memory(folder: Path) -> int:
    """Kilobytes that preparing a dataset takes at most, in a process of its own."""
    code = f"prepare({str(folder)!r}, size=16, workers=1, quiet=True); print(open('/proc/self/status').read())"
    result = python(f"from data_prep.prepare import prepare; {code}")
    assert result.returncode == 0, result.stderr
    return int(result.stdout.split("VmHWM:")[1].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from Linux's /proc")
def test_memory_does_not_grow_with_the_video(shared, tmp_path):
    short = peak_memory(dataset(tmp_path / "short", shared, "open_field_2330.mp4"))
    long = peak_memory(dataset(tmp_path / "long", shared, "open_field_10000.mp4"))
    assert long < 1.1 * short
