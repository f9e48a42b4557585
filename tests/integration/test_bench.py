"""What `make bench` measures, on a video of three seconds and the small network."""

from __future__ import annotations

import re

import numpy as np
import tiny

from tools import bench


def test_every_system_is_measured_on_the_same_video(tmp_path, monkeypatch):
    video = tmp_path / "v.mp4"
    tiny.write_video(video, np.repeat([0, 1, 2], 30), seed=1)
    monkeypatch.setattr(bench, "NETWORKS", ("mini/shape_motion/cnn",))
    assert bench.main(["--video", str(video), "--repeats", "2", "--output", str(tmp_path / "bench.md"), "--quiet"]) == 0
    text = (tmp_path / "bench.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[1:]] == ["decoding alone", "current_system", "mini/shape_motion/cnn"]
    for _, seconds, spread, rate, memory in rows[1:]:
        low, high = (float(number) for number in re.findall(r"[\d.]+", spread))
        assert low <= float(seconds) <= high
        assert abs(float(rate) * float(seconds) - 60 * 30) < 60 * 30 * 0.1
        assert 20 < float(memory.split()[0]) < 4000
    assert "90 frames of 64×64" in text and "--repeats 2" in text
