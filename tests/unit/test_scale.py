"""What many cameras cost, checked by hand."""

from __future__ import annotations

import json

import pytest

from benchmarks import scale


def rows(capsys, *arguments: object) -> dict[str, list[str]]:
    """The tables' rows by their first cell."""
    assert scale.main(list(map(str, arguments))) == 0
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_a_core_that_needs_a_minute_for_a_minute_keeps_up_with_one_camera(capsys):
    options = ["--cameras", 3, "--seconds", "slow=60", "--seconds", "fast=15", "--gpu-seconds", "net=12"]
    found = rows(capsys, *options, "--watts", 10, "--electricity", 0.5, "--core-price", 2, "--gpu-price", 5)
    # 3 × 24 h of video; 72 core-hours are 0.72 kWh, 0.36 for electricity, 144 for rent
    assert found["slow"] == ["60.0", "72", "3", "1", "0", "144"]
    assert found["fast"] == ["15.0", "18", "1", "0", "0", "36"]
    assert found["net"] == ["12.0", "14", "1", "5", "3", "72"]


def test_raw_footage_is_pixels_times_frames(capsys):
    found = rows(capsys, "--cameras", 10, "--hours", 1, "--size", "100x50", "--rate", 20, "--seconds", "x=1")
    # 5,000 bytes × 20 × 3,600 s = 360 MB an hour of a camera
    minute, of_camera, day, year, network = found["raw, grey"][-5:]
    assert (minute, of_camera, day, year) == ("6", "360 MB", "3.6 GB", "1.31 TB")
    assert network == "0.333 Mbit/s"  # 3.6 GB in a day


def test_a_recording_gives_its_own_bytes_per_minute(capsys, shared):
    file = shared / "video" / "open_field_2330.mp4"
    found = rows(capsys, "--seconds", "x=1", "--size", "640x480", file)
    per_minute = file.stat().st_size / 2330 * 30 * 60 / 1e6  # with its container
    assert float(found["h264, as open_field_2330.mp4"][-5]) == pytest.approx(per_minute, rel=0.05)
    scaled = rows(capsys, "--seconds", "x=1", "--size", "1280x480", "--rate", 15, file)
    assert scaled["h264, as open_field_2330.mp4"][-5] == found["h264, as open_field_2330.mp4"][-5]


def test_the_benchmark_s_medians_are_taken(capsys, tmp_path):
    costs = {"decoding alone": [{"computed": 1}], "net": [{"computed": one} for one in (10, 90, 60)]}
    parts = {"predict": {"results": {"minutes": 2, "costs": costs}}}
    (tmp_path / "bench.json").write_text(json.dumps({"parts": parts}))
    found = rows(capsys, "--bench", tmp_path / "bench.json")
    assert found["net"][0] == "30.0" and "decoding alone" not in found


def test_it_takes_its_place_in_a_page(capsys, tmp_path):
    file = tmp_path / "page.md"
    file.write_text(f"before\n{scale.BEGIN.format('old')}\nold text\n{scale.END}\nafter\n")
    options = ["--seconds", "x=1", "--into", str(file)]
    assert scale.main(options) == scale.main(options) == 0
    text = file.read_text()
    assert text.startswith("before\n<!-- made by `python -m benchmarks.scale --seconds x=1` -->\n100 cameras")
    assert "old" not in text and text.endswith(f"{scale.END}\nafter\n") and text.count("| x |") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bench", "missing.json"], "missing.json: no such file"),
        (["--seconds", "x"], "give SYSTEM=SECONDS"),
        (["--seconds", "x=1", "--size", "640"], "give width and height"),
        (["--seconds", "x=1", __file__], "cannot be read as a video"),
        (["--seconds", "x=1", "--into", __file__], "lacks the marks"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, options, words):
    assert scale.main(options) == 2
    line = capsys.readouterr().err
    assert words in line and len(line.splitlines()) == 1
