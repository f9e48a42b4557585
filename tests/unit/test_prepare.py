"""`ethocaffe prepare`: what it makes, what it refuses, and that it never leaves half of anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest
from video_files import cut, moving_square, write_video

from data_prep import lmdb_store, prepare_video
from data_prep.dataset import fingerprint, open_dataset, prepared, write_labels
from data_prep.errors import InputError
from data_prep.files import locked
from data_prep.images import crop_grey, resize_grey
from data_prep.motion import motion_images
from data_prep.position import FEATURES, FEEDER, moments
from data_prep.prepare import parse_feeder, parse_region, prepare
from data_prep.streams import stored_frames
from data_prep.video import read_frames
from tools.cli import main

SIZE = 32
FRAMES = 40
ALL = ("shape", "motion", "position")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two videos, the first one labelled."""
    path = tmp_path / "data set"
    write_video(path / "videos" / "one.mp4", moving_square(FRAMES))
    write_video(path / "videos" / "two.avi", moving_square(25)[::-1], "ffv1", pixels="gray")
    (path / "classes.txt").write_text("walk\nrest\n")
    write_labels(path / "labels" / "one.csv", ("walk", "rest"), [0, 1] * (FRAMES // 2))
    return path


def run(path: Path, **options) -> None:
    prepare(path, **{"size": SIZE, "workers": 1, "quiet": True, **options})


def fault(path: Path, **options) -> str:
    with pytest.raises(InputError) as caught:
        run(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def content(path: Path, stem: str = "one") -> dict[str, list[bytes]]:
    """All that lies in the LMDBs of a prepared video."""
    video = prepared(open_dataset(path), stem)
    readers = {stream: lmdb_store.open_reader(place) for stream, place in video.streams.items()}
    return {s: [reader.read_bytes(frame) for frame in range(video.frames)] for s, reader in readers.items()}


def left_over(path: Path) -> list[str]:
    """Whatever is in the folder of prepared videos and is no finished video."""
    entries = (path / "prepared").iterdir() if (path / "prepared").exists() else []
    return [entry.name for entry in entries if not (entry / "meta.json").exists()]


def test_it_makes_frames_motion_times_and_meta(folder):
    run(folder)
    video = prepared(open_dataset(folder), "one", ["shape", "motion"])
    frames = [resize_grey(grey, SIZE) for _, _, grey in read_frames(folder / "videos" / "one.mp4")]
    motion = list(motion_images(frames))
    shape_reader, motion_reader = (lmdb_store.open_reader(video.streams[stream]) for stream in ("shape", "motion"))
    assert len(shape_reader) == len(motion_reader) == video.frames == FRAMES
    for frame in range(FRAMES):
        assert np.array_equal(shape_reader.read(frame), frames[frame][None])
        assert np.array_equal(motion_reader.read(frame), motion[frame])
    assert video.meta["mean"]["shape"] == pytest.approx([np.mean(frames)])
    assert video.meta["mean"]["motion"] == pytest.approx(np.mean(motion, axis=(0, 2, 3)).tolist())
    assert np.allclose(video.times, np.arange(FRAMES) / 30, atol=1e-6)
    assert video.meta["fps"] == pytest.approx(30)
    assert {name: video.meta[name] for name in ("video", "width", "height", "size", "crop", "streams")} == {
        "video": "one.mp4", "width": 64, "height": 48, "size": SIZE, "crop": None, "streams": ["shape", "motion"],
    }  # fmt: skip
    assert left_over(folder) == []
    assert sorted(path.name for path in video.path.rglob("*")) == [
        "data.mdb", "data.mdb", "frames.csv", "meta.json", "motion.lmdb", "shape.lmdb",
    ]  # fmt: skip


def test_positions_lie_beside_the_frames_as_the_tracker_gives_them(folder):
    run(folder)
    run(folder, streams=["position"], size=SIZE)
    video = prepared(open_dataset(folder), "one", ALL)
    assert video.meta["streams"] == list(ALL)
    expected = [frame.position for frame in stored_frames(folder / "videos" / "one.mp4", None, SIZE, track=True)]
    reader = lmdb_store.open_reader(video.streams["position"])
    for frame, row in enumerate(expected):
        found = reader.read(frame)
        assert found.dtype == np.float32 and np.array_equal(found, row[:, None, None])
    assert np.mean([row[-1] for row in expected]) > 0.9
    assert video.meta["mean"]["position"] == pytest.approx(np.mean([moments(row) for row in expected], axis=0).tolist())


def position_rows(folder: Path) -> np.ndarray:
    video = prepared(open_dataset(folder), "one", ["position"])
    reader = lmdb_store.open_reader(video.streams["position"])
    return np.array([reader.read(frame).ravel() for frame in range(video.frames)])


def test_the_feeder_is_where_it_is_said_to_be(folder):
    run(folder, streams=ALL)
    usual = position_rows(folder)
    shape, known = folder / "prepared" / "one" / "shape.lmdb" / "data.mdb", fingerprint(open_dataset(folder), ["one"])
    before = shape.stat()
    assert "feeder" not in prepared(open_dataset(folder), "one").meta

    run(folder, streams=["position"], feeder=(0.25, 1))
    moved, column = position_rows(folder), FEATURES.index("feeder")
    assert prepared(open_dataset(folder), "one", ALL).meta["feeder"] == [0.25, 1]
    found = moved[:, -1] > 0
    assert found.mean() > 0.9
    distance = np.hypot(moved[:, 0] - 0.25, moved[:, 1] - 1)
    np.testing.assert_allclose(moved[found, column], distance[found], atol=1e-6)
    np.testing.assert_array_equal(np.delete(moved, column, axis=1), np.delete(usual, column, axis=1))
    assert (shape.stat().st_ino, shape.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert fingerprint(open_dataset(folder), ["one"]) != known

    run(folder, streams=["shape", "motion"])  # which know of no feeder, and leave the position as it is
    np.testing.assert_array_equal(position_rows(folder), moved)
    assert prepared(open_dataset(folder), "one", ALL).meta["feeder"] == [0.25, 1]
    run(folder, streams=ALL, feeder=FEEDER)
    np.testing.assert_array_equal(position_rows(folder), usual)
    assert fingerprint(open_dataset(folder), ["one"]) == known


@pytest.mark.parametrize(
    ("text", "what"),
    [("0.5", "two numbers, X,Y"), ("a,b", "two numbers, X,Y"), ("320,0", "outside the frame"), ("nan,0", "outside")],
)
def test_places_of_the_feeder_that_are_none(text, what):
    with pytest.raises(InputError, match=f"--feeder {text}: .*{what}"):
        parse_feeder(text)


def test_a_feeder_without_positions_is_refused(folder, capsys):
    assert main(["prepare", str(folder), "--size", str(SIZE), "--feeder", "0.2,0.5", "--quiet"]) == 2
    assert "add --streams shape,motion,position" in capsys.readouterr().err


def test_positions_do_not_depend_on_the_stored_size_but_on_the_region(folder):
    rows = {}
    for options in ({"size": SIZE}, {"size": 48}, {"size": 48, "crop": (0, 0, 48, 50)}):
        run(folder, streams=["position"], videos="one", **options)
        rows[str(options)] = content(folder)["position"]
    first, second, third = rows.values()
    assert first == second != third


def test_caffe_reads_the_datums_by_their_keys(folder):
    run(folder, videos="one")
    with lmdb.open(str(folder / "prepared" / "one" / "shape.lmdb"), readonly=True, lock=False) as environment:
        keys = [key for key, _ in environment.begin().cursor()]
    assert keys == [b"%08d" % frame for frame in range(FRAMES)]


def test_a_second_time_it_leaves_what_is_there(folder, capsys):
    run(folder)
    files = {path: path.stat().st_mtime_ns for path in (folder / "prepared").rglob("*.*")}
    run(folder, quiet=False)
    assert {path: path.stat().st_mtime_ns for path in (folder / "prepared").rglob("*.*")} == files
    assert "0 videos prepared now, 2 were before" in capsys.readouterr().out


def test_a_stream_can_be_added(folder):
    run(folder, streams=["shape"])
    shape = folder / "prepared" / "one" / "shape.lmdb" / "data.mdb"
    before = shape.stat().st_mtime_ns
    with pytest.raises(InputError, match=f"no motion stream; run `.* --streams motion --size {SIZE}`"):
        prepared(open_dataset(folder), "one", ["motion"])
    run(folder, streams=["motion"])
    assert shape.stat().st_mtime_ns == before
    both = content(folder)
    shutil.rmtree(folder / "prepared")
    run(folder)
    assert content(folder) == both


def test_another_size_region_or_video_is_made_anew(folder):
    run(folder)
    run(folder, size=24, streams=["shape"])
    assert prepared(open_dataset(folder), "one").meta["streams"] == ["shape"]
    assert not (folder / "prepared" / "one" / "motion.lmdb").exists()
    run(folder, size=24, streams=["shape"], crop=(8, 10, 40, 58))
    _, _, first = next(read_frames(folder / "videos" / "one.mp4"))
    video = prepared(open_dataset(folder), "one")
    assert video.meta["crop"] == [8, 10, 40, 58] and (video.meta["width"], video.meta["height"]) == (64, 48)
    expected = resize_grey(crop_grey(first, (8, 10, 40, 58)), 24)
    assert np.array_equal(lmdb_store.open_reader(video.streams["shape"]).read(0)[0], expected)

    write_video(folder / "videos" / "one.mp4", moving_square(FRAMES)[::-1])
    with pytest.raises(InputError, match="made from another video"):
        prepared(open_dataset(folder), "one")
    run(folder, size=24, streams=["shape"])
    prepared(open_dataset(folder), "one")


def test_an_lmdb_of_another_video_is_noticed_and_replaced(folder):
    run(folder)
    own = content(folder)
    shutil.rmtree(folder / "prepared" / "one" / "motion.lmdb")
    shutil.copytree(folder / "prepared" / "two" / "motion.lmdb", folder / "prepared" / "one" / "motion.lmdb")
    with pytest.raises(InputError, match=r"motion\.lmdb: not the LMDB that meta.json"):
        prepared(open_dataset(folder), "one")
    run(folder)
    assert content(folder) == own


def test_what_is_not_prepared_says_so(folder):
    data = open_dataset(folder)
    with pytest.raises(InputError, match="video 'one' is not prepared; run `ethocaffe prepare"):
        prepared(data, "one")
    run(folder)
    (folder / "prepared" / "one" / "meta.json").write_text('{"version": 99}')
    with pytest.raises(InputError, match="not of this version"):
        prepared(data, "one")
    (folder / "prepared" / "one" / "meta.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        prepared(data, "one")
    run(folder)
    prepared(data, "one")


def spoil_labels(path: Path, rows: int) -> None:
    write_labels(path / "labels" / "one.csv", ("walk", "rest"), [0] * rows)


@pytest.mark.parametrize(
    "spoil, what",
    [
        (lambda path: (path / "videos" / "one.mp4").write_text("text" * 999), "one.mp4: not a video"),
        (lambda path: (path / "videos" / "one.mp4").write_bytes(b""), "one.mp4: empty"),
        (lambda path: cut(path / "videos" / "two.avi", path / "videos" / "two.avi"), "two.avi: cut short"),
        (lambda path: (path / "labels" / "one.csv").write_text(""), "one.csv: empty"),
        (lambda path: spoil_labels(path, FRAMES + 1), f"line {FRAMES + 2}: a label for frame {FRAMES}, which is not"),
        (lambda path: spoil_labels(path, FRAMES - 1), f"{FRAMES - 1} rows, but the video has {FRAMES} frames"),
        (lambda path: (path / "classes.txt").write_text("walk\n"), "class 'rest' is not in classes.txt"),
        (lambda path: (path / "labels" / "three.csv").touch(), "three.csv: there is no video 'three'"),
        (lambda path: (path / "videos" / "one.avi").touch(), "has the same name"),
    ],
)
def test_bad_videos_and_labels_are_refused_before_the_work(folder, spoil, what):
    spoil(folder)
    assert what in fault(folder)
    assert left_over(folder) == [] and not list(folder.glob("prepared/*"))


@pytest.mark.parametrize(
    "options, what",
    [
        ({"streams": ["shade"]}, "'shade' is not a stream"),
        ({"streams": []}, "no stream"),
        ({"size": 8}, "choose 16 to"),
        ({"workers": 0}, "at least 1"),
        ({"videos": "three"}, "no video 'three'"),
        ({"crop": (0, 0, 49, 64)}, "not inside its 64×48 pixels"),
        ({"free_bytes": lambda folder: 1000}, "its disk has 0.000 GB free"),
    ],
)
def test_bad_options_are_refused_before_the_work(folder, options, what):
    assert what in fault(folder, **options)
    assert not list(folder.glob("prepared/*"))


def test_all_faults_are_told_at_once(folder):
    (folder / "videos" / "one.mp4").write_bytes(b"")
    (folder / "videos" / "two.avi").write_bytes(b"")
    message = fault(folder)
    assert "2 videos have faults" in message and "one.mp4: empty" in message and "two.avi: empty" in message


def test_frames_that_no_decoder_shows_do_not_count_against_labels(folder):
    """A recording that was cut out of a longer one has packets at its start that give no frame."""
    whole = write_video(folder.parent / "a.ts", moving_square(60), "mpeg2video").read_bytes()
    (folder / "videos" / "late.ts").write_bytes(whole[len(whole) // 188 // 3 * 188 :])
    frames = sum(1 for _ in read_frames(folder / "videos" / "late.ts"))
    write_labels(folder / "labels" / "late.csv", ("walk", "rest"), [0] * frames)
    run(folder, videos="late")
    assert prepared(open_dataset(folder), "late").frames == frames


def test_a_video_that_fails_late_does_not_stop_the_others(folder, monkeypatch):
    content = bytearray(write_video(folder / "videos" / "bad.mov", moving_square(100), "mjpeg", pixels="yuvj420p")
                        .read_bytes())  # fmt: skip
    pictures = [at for at in range(len(content)) if content.startswith(b"\xff\xd8\xff", at)]
    content[pictures[90] : pictures[91]] = bytes(pictures[91] - pictures[90])  # behind the frames looked at first
    (folder / "videos" / "bad.mov").write_bytes(content)
    for workers in (1, 2):
        shutil.rmtree(folder / "prepared", ignore_errors=True)
        message = fault(folder, workers=workers)
        assert "bad.mov: frame 90 " in message
        assert left_over(folder) == []
        for stem in ("one", "two"):
            prepared(open_dataset(folder), stem)


def test_processes_make_the_same_as_one(folder):
    run(folder, workers=2)
    parallel = content(folder, "one"), content(folder, "two")
    shutil.rmtree(folder / "prepared")
    run(folder, workers=1)
    assert (content(folder, "one"), content(folder, "two")) == parallel


@pytest.mark.parametrize("stop", [1, 3, 9, 22, FRAMES])
def test_stopped_anywhere_it_goes_on_to_the_same_result(folder, monkeypatch, stop):
    run(folder, videos="one", streams=ALL)
    whole, meta = content(folder), json.loads((folder / "prepared" / "one" / "meta.json").read_text())
    shutil.rmtree(folder / "prepared")
    monkeypatch.setattr(prepare_video, "BATCH_FRAMES", 4)
    write = lmdb_store.Writer.write
    written: list[int] = []

    def interrupted(writer, datums):
        batch = list(datums)
        if batch and batch[-1][0] + 1 >= stop:
            raise KeyboardInterrupt
        write(writer, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lmdb_store.Writer, "write", interrupted)
        run(folder, videos="one", streams=ALL)
    assert left_over(folder) == [".one.partial"]

    def counted(writer, datums):
        batch = list(datums)
        written.extend(frame for frame, _ in batch)
        write(writer, batch)

    monkeypatch.setattr(lmdb_store.Writer, "write", counted)
    run(folder, videos="one", streams=ALL)
    assert content(folder) == whole
    assert json.loads((folder / "prepared" / "one" / "meta.json").read_text()) == meta
    assert min(written) == (stop - 1) // 4 * 4
    assert left_over(folder) == []


def test_interrupted_work_of_another_size_is_not_taken_up(folder, monkeypatch):
    monkeypatch.setattr(prepare_video, "BATCH_FRAMES", 4)
    finish = prepare_video._finish
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prepare_video, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(folder, videos="one", size=48)
    assert finish is prepare_video._finish
    run(folder, videos="one")
    stopped = content(folder)
    shutil.rmtree(folder / "prepared")
    run(folder, videos="one")
    assert content(folder) == stopped


@pytest.mark.parametrize("error", [lmdb.DiskError("mdb_txn_commit: No space left"), OSError(28, "No space left")])
def test_a_disk_that_fills_up_leaves_nothing_half_written(folder, monkeypatch, error):
    monkeypatch.setattr(prepare_video, "BATCH_FRAMES", 4)
    write = lmdb_store.Writer.write

    def full(writer, datums):
        batch = list(datums)
        if batch and batch[-1][0] > 20:
            raise error
        write(writer, batch)

    with monkeypatch.context() as patch:
        patch.setattr(lmdb_store.Writer, "write", full)
        message = fault(folder)
    assert "one: cannot be written (the disk is full)" in message
    assert list(folder.glob("prepared/*")) == [] or left_over(folder) == []
    run(folder)


def test_two_at_once_are_kept_apart(folder):
    (folder / "prepared").mkdir()
    with locked(folder / "prepared"):
        assert "another command is writing" in fault(folder)
    run(folder)


def test_it_says_what_it_needs(folder, capsys):
    run(folder, quiet=False)
    first, last = capsys.readouterr().out.splitlines()
    assert "needs 0.001 GB for 65 frames of 2 videos; its disk has" in first
    assert last.endswith("2 videos prepared now, 0 were before")


def test_odd_names_and_links(tmp_path):
    path = tmp_path / "data"
    real = write_video(tmp_path / "elsewhere.mp4", moving_square(12))
    (path / "videos").mkdir(parents=True)
    names = ["Käfig 1, links.mp4", "a.b.c.MP4", "50%d:x.mp4"]
    for name in names:
        (path / "videos" / name).symlink_to(real)
    (path / "classes.txt").write_text("walk\n")
    run(path)
    for name in names:
        assert prepared(open_dataset(path), name[:-4]).frames == 12


def test_a_fingerprint_changes_with_the_data_only(folder):
    run(folder)
    data = open_dataset(folder)
    both = fingerprint(data, ["one", "two"])
    assert fingerprint(data, ["two", "one"]) == both != fingerprint(data, ["one"])
    moved = folder.with_name("moved")
    shutil.copytree(folder, moved)
    assert fingerprint(open_dataset(moved), ["one", "two"]) == both
    spoil_labels(folder, FRAMES)
    assert fingerprint(data, ["one", "two"]) != both


def test_the_command(folder, capsys):
    arguments = ["prepare", str(folder), "--size", str(SIZE), "--workers", "1", "--quiet"]
    assert main([*arguments, "--streams", "shape", "--crop", "0,0,40,64", "--videos", "one"]) == 0
    assert prepared(open_dataset(folder), "one").meta["crop"] == [0, 0, 40, 64]
    assert capsys.readouterr() == ("", "")
    assert main([*arguments, "--streams", "colour"]) == 2
    assert "'colour' is not a stream; there are shape, motion, position" in capsys.readouterr().err


def test_regions():
    assert parse_region(None) is None
    assert parse_region("0, 1,20,30") == (0, 1, 20, 30)
    for text in ("1,2,3", "a,b,c,d", "5,0,5,9", "0,9,5,9", "-1,0,5,5"):
        with pytest.raises(InputError, match="--crop"):
            parse_region(text)
