"""Reading videos: timestamps, sizes, turning, and every way in which a file can be broken."""

from __future__ import annotations

import numpy as np
import pytest
from video_files import FRAME, TICKS, cut, moving_square, turn_clockwise, write_video

from data_prep.errors import InputError
from data_prep.video import count_frames, probe, read_frames


def fault(path) -> str:
    with pytest.raises(InputError) as caught:
        for _ in read_frames(path):
            pass
    text = str(caught.value)
    assert str(path) in text and "\n" not in text
    return text


@pytest.mark.parametrize(
    "name, codec, pixels",
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "ffv1", "gray"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mpg", "mpeg1video", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
    ],
)
def test_frames_of_many_formats(tmp_path, name, codec, pixels):
    pictures = moving_square(40)
    path = write_video(tmp_path / name, pictures, codec, pixels=pixels)
    frames = list(read_frames(path))
    assert [index for index, _, _ in frames] == list(range(40))
    assert count_frames(path) == 40
    assert np.allclose([seconds for _, seconds, _ in frames], np.arange(40) / 30, atol=0.001)
    assert all(grey.dtype == np.uint8 and grey.shape == (48, 64) for _, _, grey in frames)
    worst = max(np.abs(grey.astype(int) - picture).mean() for (_, _, grey), picture in zip(frames, pictures))
    assert worst < (0.1 if codec == "ffv1" else 6)


def test_variable_frame_rate_is_exact(tmp_path):
    steps = np.random.default_rng(1).integers(FRAME // 2, 4 * FRAME, 59)
    ticks = [0, *np.cumsum(steps).tolist()]
    path = write_video(tmp_path / "vfr.mp4", moving_square(60), ticks=ticks)
    assert [seconds for _, seconds, _ in read_frames(path)] == pytest.approx([t / TICKS for t in ticks], abs=1e-12)
    assert probe(path).fps == pytest.approx(60 * TICKS / (ticks[-1] + FRAME), rel=0.05)


def test_times_count_from_the_first_frame(tmp_path):
    ticks = [45000 + FRAME * frame for frame in range(30)]
    path = write_video(tmp_path / "late.ts", moving_square(30), ticks=ticks)
    assert [seconds for _, seconds, _ in read_frames(path)] == pytest.approx([f / 30 for f in range(30)], abs=1e-9)


def test_probe_says_what_the_file_says(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", moving_square(30)))
    assert (info.width, info.height, info.frames, info.fps) == (64, 48, 30, 30)
    assert probe(write_video(tmp_path / "a.ts", moving_square(30))).frames is None


def test_a_turned_film_is_turned(tmp_path):
    path = write_video(tmp_path / "phone.mp4", moving_square(3))
    _, _, upright = next(read_frames(path))
    turn_clockwise(path)
    _, _, turned = next(read_frames(path))
    assert np.array_equal(turned, np.rot90(upright, -1))
    assert (probe(path).width, probe(path).height) == (48, 64)


@pytest.mark.parametrize("name", ["a b.mp4", "Käfig-№1.mp4", "a:b.mp4", "50%d.mp4", "-x.mp4"])
def test_odd_names_and_links(tmp_path, name, monkeypatch):
    real = write_video(tmp_path / "real.mp4", moving_square(3))
    (tmp_path / name).symlink_to(real)
    monkeypatch.chdir(tmp_path)
    assert count_frames(name) == len(list(read_frames(name))) == 3


def test_files_that_are_no_video(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film\n" * 1000)
    (tmp_path / "text.txt").write_text("not a film\n" * 1000)
    (tmp_path / "empty.mp4").touch()
    assert "no such file" in fault(tmp_path / "none.mp4")
    assert "not a file" in fault(tmp_path)
    assert "not a video" in fault(tmp_path / "text.mp4")
    assert "not a video" in fault(tmp_path / "text.txt")
    assert "empty" in fault(tmp_path / "empty.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mpg"])
def test_files_cut_short(tmp_path, name):
    codec = {"a.mpg": "mpeg1video", "a.avi": "mpeg4"}.get(name, "libx264")
    noise = np.random.default_rng(2).integers(0, 255, (150, 48, 64), dtype=np.uint8)
    whole = write_video(tmp_path / name, list(noise), codec)
    assert "cut short" in fault(cut(whole, tmp_path / f"cut_{name}"))


def test_an_index_at_the_start_does_not_hide_a_cut(tmp_path):
    whole = write_video(tmp_path / "a.mp4", moving_square(200), options={"movflags": "faststart"})
    short = cut(whole, tmp_path / "cut.mp4")
    assert "cut short" in fault(short)
    with pytest.raises(InputError, match="cut short"):
        count_frames(short)


def test_a_size_that_changes_midway(tmp_path):
    small = write_video(tmp_path / "small.ts", moving_square(30))
    large = write_video(tmp_path / "large.ts", moving_square(30, 96, 64))
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    assert "changes from 64×48 to 96×64 at frame 30" in fault(tmp_path / "both.ts")


def test_a_damaged_frame_is_named(tmp_path):
    noise = np.random.default_rng(2).integers(0, 255, (60, 48, 64), dtype=np.uint8)
    content = bytearray(write_video(tmp_path / "a.mpg", list(noise), "mpeg1video").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(range(200))
    (tmp_path / "spoilt.mpg").write_bytes(content)
    # FFmpeg patches a frame here, and silently loses three more.
    assert "s) is damaged" in fault(tmp_path / "spoilt.mpg")


def test_a_frame_that_is_lost_is_named(tmp_path):
    whole = write_video(tmp_path / "a.mov", moving_square(30), "mjpeg", pixels="yuvj420p")
    spoilt = bytearray(whole.read_bytes())
    start = [at for at in range(len(spoilt)) if spoilt.startswith(b"\xff\xd8\xff", at)][12]
    end = spoilt.index(b"\xff\xd8\xff", start + 3)
    spoilt[start:end] = bytes(end - start)
    (tmp_path / "lost.mov").write_bytes(spoilt)
    assert "frame 12 " in fault(tmp_path / "lost.mov")


def test_a_hole_in_the_file_shifts_no_frame(tmp_path):
    noise = np.random.default_rng(2).integers(0, 255, (60, 48, 64), dtype=np.uint8)
    content = write_video(tmp_path / "a.ts", list(noise)).read_bytes()
    middle = len(content) // 188 // 2 * 188
    (tmp_path / "hole.ts").write_bytes(content[:middle] + content[middle + 5 * 188 :])
    try:
        frames = sum(1 for _ in read_frames(tmp_path / "hole.ts"))
    except InputError as error:
        assert "damaged" in str(error)
    else:
        assert frames == 60  # FFmpeg 4 patches what is missing, and loses no frame


def test_a_gap_in_a_steady_rate_is_told(tmp_path, capsys):
    ticks = [FRAME * (frame + 3 * (frame >= 40)) for frame in range(100)]
    path = write_video(tmp_path / "gap.mp4", moving_square(100), ticks=ticks)
    for _ in read_frames(path):
        pass
    warning = capsys.readouterr().err
    assert "missing in 1 places" in warning and "before frame 40" in warning


def test_timestamps_that_go_back_are_told(tmp_path, capsys):
    parts = [write_video(tmp_path / f"{name}.ts", moving_square(10), "mpeg2video").read_bytes() for name in "ab"]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    assert [index for index, _, _ in read_frames(tmp_path / "joined.ts")] == list(range(20))
    warning = capsys.readouterr().err
    assert "not later than the one before" in warning and "frame 10's" in warning


def test_a_recording_cut_out_of_a_longer_one_is_read(tmp_path):
    """Its first frames depend on others that are not there: the first one that can be decoded is frame 0."""
    content = write_video(tmp_path / "a.ts", moving_square(100), "mpeg2video").read_bytes()
    packets = len(content) // 188
    (tmp_path / "late.ts").write_bytes(content[188 * (packets // 3) :])
    frames = list(read_frames(tmp_path / "late.ts"))
    assert 20 < len(frames) < 80 and frames[0][:2] == (0, 0.0)
