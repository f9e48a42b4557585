"""The parts of `ethocaffe transfer`: what counts as finished, names, the register, and what H.264 is made."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import moving_square, turn_clockwise, write_video

from data_prep.errors import InputError
from data_prep.transfer.checking import check
from data_prep.transfer.commit import free_name
from data_prep.transfer.finished import Settling, is_partial
from data_prep.transfer.locks import held
from data_prep.transfer.normalise import LEAST_PSNR, keyframes, normalise
from data_prep.transfer.register import Entry, Register
from data_prep.transfer.settings import new_stem
from data_prep.transfer.sources import Look, Source, matches
from data_prep.video import read_frames


def ignore(_: int) -> None:
    """Where progress is told to."""


def made(original: Path, folder: Path) -> Path:
    target = folder / "made.mp4"
    assert normalise(original, check(original, original.name, ignore), target, ignore) >= LEAST_PSNR
    return target


def facts_of(path: Path):
    return check(path, path.name, ignore)


@pytest.mark.parametrize(
    ("codec", "name", "pixels", "playable"),
    [
        ("libx264", "a.mp4", "yuv420p", True),
        ("libx264", "a.mov", "yuvj420p", True),
        ("libvpx-vp9", "a.webm", "yuv420p", True),
        ("libx264", "a.mkv", "yuv420p", False),
        ("libx264", "a.mp4", "yuv444p", False),
        ("libx264", "a.mp4", "yuv420p10le", False),
        ("mpeg4", "a.mp4", "yuv420p", False),
        ("ffv1", "a.avi", "gray", False),
        ("mjpeg", "a.avi", "yuvj420p", False),
    ],
)
def test_what_browsers_play(tmp_path, codec, name, pixels, playable):
    assert facts_of(write_video(tmp_path / name, moving_square(4), codec, pixels=pixels)).playable == playable


def test_a_variable_frame_rate_is_kept(tmp_path):
    ticks = np.cumsum(np.random.default_rng(3).integers(1, 400, 60)) * 90  # whole milliseconds, up to 0.4 s apart
    original = write_video(tmp_path / "a.mkv", moving_square(60), "ffv1", [int(tick) for tick in ticks], "gray")
    before = [time for _, time, _ in read_frames(original)]
    assert before == pytest.approx((ticks - ticks[0]) / 90000, abs=1e-9)
    assert [time for _, time, _ in read_frames(made(original, tmp_path))] == pytest.approx(before, abs=1e-9)


def test_the_form_of_what_is_made(tmp_path):
    """Grey stays grey, keyframes are at most a second apart, nothing refers forward, and the index comes first."""
    target = made(write_video(tmp_path / "a.avi", moving_square(100), "ffv1", pixels="gray"), tmp_path)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert all(packet.pts == packet.dts for packet in packets)
        keys = [float(packet.pts * packet.time_base) for packet in packets if packet.is_keyframe]
        assert keys == pytest.approx([0, 1, 2, 3])
        container.seek(0)
        for frame in container.decode(stream):
            assert (frame.format.name, stream.codec_context.name) == ("yuv420p", "h264")
            assert set(np.unique(frame.to_ndarray()[48:])) == {128}  # 4:2:0's colour, below the luma's 48 rows
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("quality", ["noise", "square"])
def test_hard_pictures_get_the_quality_that_is_promised(tmp_path, quality):
    noise = np.random.default_rng(5).integers(0, 256, (10, 48, 64), np.uint8)
    pictures = list(noise) if quality == "noise" else moving_square(10)
    made(write_video(tmp_path / "a.avi", pictures, "ffv1", pixels="gray"), tmp_path)


def test_odd_sides_are_made_even_and_phones_films_upright(tmp_path):
    odd = write_video(tmp_path / "odd.avi", moving_square(6, 65, 49), "ffv1", pixels="gray")
    facts = facts_of(made(odd, tmp_path))
    assert (facts.width, facts.height) == (66, 50)
    phone = write_video(tmp_path / "phone.mp4", moving_square(6), "mpeg4")
    turn_clockwise(phone)
    facts = facts_of(made(phone, tmp_path))
    assert (facts.width, facts.height) == (48, 64)


def test_keyframes_leave_no_second_without_one():
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.6, 400))
    times -= times[0]
    at = times[sorted(keyframes(times))]
    assert np.diff(at).max() <= 1
    assert sorted(keyframes(np.array([0.0, 5.0, 10.0]))) == [0, 1, 2]


def test_a_file_settles_only_while_nothing_of_it_changes():
    now = [0.0]
    settling = Settling(10, clock=lambda: now[0])
    first, grown, touched = Look("a", 5, 1.0, ""), Look("a", 6, 1.0, ""), Look("a", 6, 2.0, "")
    assert settling.left("a", first) is None
    now[0] = 9
    assert settling.left("a", first) == 1
    now[0] = 11
    assert settling.left("a", grown) is None
    now[0] = 20
    assert settling.left("a", touched) is None
    now[0] = 30
    assert settling.left("a", touched) == 0


def test_names_of_files_that_are_being_written():
    assert all(map(is_partial, ["a.mp4.part", "day/a.tmp", "a.mp4.filepart", "a.mp4~", "A.MP4.PART"]))
    assert not any(map(is_partial, ["a.mp4", "part.mp4", "tmp/a.avi"]))


def test_patterns():
    assert matches("day/a.MP4", None) and not matches("day/a.txt", None)
    assert matches("day/a.mp4", "*.mp4") and not matches("day/a.avi", "*.mp4")
    assert matches("day/a.mp4", "day/*") and not matches("night/a.mp4", "day/*")


def test_passwords_are_not_shown():
    assert Source("a", "sftp://me:se:c@ret@host:2222/x/").shown == "sftp://me@host:2222/x"
    assert Source("a", "s3://bucket/prefix").shown == "s3://bucket/prefix"


def test_new_names():
    source = Source("lab", "")
    assert new_stem("{stem}", source, "day/a b.c.mp4", 0) == "a b.c"
    assert new_stem("{source}/{folder}_{stem}", source, "1/2/a,b.mp4", 0) == "lab_1_2_a_b"
    for template in ("{no}", "{stem", "{stem.x}", "..."):
        with pytest.raises(InputError, match="--rename"):
            new_stem(template, source, "a.mp4", 0)


def entry(url: str, video: str = "", digest: str = "") -> Entry:
    return Entry("s", url, 1, 2.0, "", "registered", "2020-01-01T00:00:00Z", digest, video)


def test_the_register_survives_half_a_line(tmp_path):
    path = tmp_path / "transfer.jsonl"
    Register(path).add(entry("a", "videos/a.mp4", "aa"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    register = Register(path)
    register.add(entry("b", "videos/b.mp4", "bb"))
    again = Register(path)
    again.refresh()
    assert list(again.entries) == list(register.entries) == ["a", "b"]
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(InputError, match=r"transfer.jsonl, line 1: damaged"):
        Register(path).refresh()


def test_a_name_once_given_is_not_given_again(tmp_path):
    """Even where its video was removed since: its labels may still be there."""
    register = Register(tmp_path / "transfer.jsonl")
    register.add(entry("a", "videos/a.mp4", "aa"))
    assert free_name(tmp_path, register, "A", "0123456789abcdef") == "A-012345"
    assert free_name(tmp_path, register, "b", "0123456789abcdef") == "b"


def test_a_lock_is_for_one_and_ends_with_its_process(tmp_path):
    path = tmp_path / "deep" / "lock"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with held(path):
            os.write(writing, b"1")
            signal.pause()
    os.read(reading, 1)
    with held(path) as mine:
        assert not mine
    os.kill(child, 9)
    os.waitpid(child, 0)
    with held(path) as mine:
        assert mine
