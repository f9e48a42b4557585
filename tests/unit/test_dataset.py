"""Datasets: classes, labels, finding videos; and the small modules below them."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import pickle
import signal
import threading

import cv2
import numpy as np
import pytest

from caffe.proto import caffe_pb2
from data_prep import datum, files, lmdb_store
from data_prep.dataset import choose_videos, open_dataset, read_classes, read_labels, read_times, write_labels
from data_prep.errors import Busy, InputError
from data_prep.progress import Progress, duration

CLASSES = ("walk", "rest")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("b.mp4", "a.avi", "Käfig 1, links.mp4"):
        (tmp_path / "videos" / name).touch()
    (tmp_path / "classes.txt").write_text("walk\nrest\n")
    return tmp_path


def fault(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_dataset_lists_its_videos_and_classes(folder):
    (folder / "videos" / "notes.txt").touch()
    (folder / "videos" / ".hidden.mp4").touch()
    data = open_dataset(folder)
    assert data.classes == CLASSES
    assert list(data.videos) == ["Käfig 1, links", "a", "b"]
    assert data.labels("a") == folder / "labels" / "a.csv"


def test_videos_are_chosen_by_stem_or_file_name(folder):
    data = open_dataset(folder)
    assert choose_videos(data, None) == list(data.videos)
    assert choose_videos(data, "b, a.avi") == ["b", "a"]
    assert choose_videos(data, "Käfig 1, links") == ["Käfig 1, links"]
    assert choose_videos(data, ["b"]) == ["b"]
    assert "no video 'c'; there are Käfig" in fault(choose_videos, data, "a,c")
    assert "named twice" in fault(choose_videos, data, "a,a.avi")


def test_datasets_that_are_none(folder):
    assert "no such folder" in fault(open_dataset, folder / "nothing")
    (folder / "videos" / "a.mp4").touch()
    assert "a.avi has the same name" in fault(open_dataset, folder)
    (folder / "videos" / "a.mp4").unlink()
    (folder / "videos" / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    assert "gone.mp4: not a file" in fault(open_dataset, folder)
    (folder / "classes.txt").unlink()
    assert "classes.txt: no such file" in fault(open_dataset, folder)


def test_a_dataset_without_videos(tmp_path):
    (tmp_path / "classes.txt").write_text("walk\n")
    assert "videos: no such folder" in fault(open_dataset, tmp_path)
    (tmp_path / "videos").mkdir()
    assert "no video there" in fault(open_dataset, tmp_path)


@pytest.mark.parametrize("text", ["walk\nrest\n", "walk\r\nrest\r\n", "\ufeffwalk\nrest", "\n walk \n\nrest\n\n"])
def test_classes_as_editors_write_them(tmp_path, text):
    (tmp_path / "classes.txt").write_bytes(text.encode())
    assert read_classes(tmp_path / "classes.txt") == CLASSES


@pytest.mark.parametrize(
    "content, what",
    [(b"", "no class"), (b"a\nb\na\n", "'a' is there twice"), (b"frame\n", "'frame'"), (b"\xff\xfe\xff", "UTF-8")],
)
def test_classes_that_are_none(tmp_path, content, what):
    (tmp_path / "classes.txt").write_bytes(content)
    assert what in fault(read_classes, tmp_path / "classes.txt")


def test_labels_survive_writing_and_reading(tmp_path):
    labels = [0, 1, -1, 1, 0]
    write_labels(tmp_path / "a.csv", CLASSES, labels)
    assert (tmp_path / "a.csv").read_text().splitlines()[:4] == ["frame,walk,rest", "0,1,0", "1,0,1", "2,-1,-1"]
    read = read_labels(tmp_path / "a.csv", CLASSES, 5)
    assert read.tolist() == labels and read.dtype == np.int64
    assert os.listdir(tmp_path) == ["a.csv"]
    with pytest.raises(ValueError, match="frame 1: class index 2"):
        write_labels(tmp_path / "b.csv", CLASSES, [0, 2])
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "frame,walk,rest\n0,1,0\n1,0,1\n2,0,0\n",
        "\ufeffframe,walk,rest\r\n0,1,0\r\n1,0,1\r\n2,-1,0\r\n",
        "frame, rest, walk\n0, 0, 1\n1, 1, -1\n2, -1, -1\n\n",
        "frame,walk,rest\n0,1.0,0.0\n1,0.0,1.0\n2,0.0,-1.0",
    ],
)
def test_labels_as_programs_write_them(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert read_labels(tmp_path / "a.csv", CLASSES, 3).tolist() == [0, 1, -1]


def test_several_classes_at_once_are_not_annotated_and_told(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("frame,walk,rest\n0,1,1\n1,0,1\n2,1,1\n")
    assert read_labels(tmp_path / "a.csv", CLASSES).tolist() == [-1, 1, -1]
    assert "a.csv: 2 frames have several classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, what",
    [
        ("", "empty"),
        ("frame,walk,rest\n", "no row"),
        ("frame;walk;rest\n0;1;0\n", "separate the columns by commas"),
        ("number,walk,rest\n0,1,0\n", "not 'frame'"),
        ("frame,walk,run\n0,1,0\n", "line 1: class 'run' is not in classes.txt"),
        ("frame,walk,walk,rest\n0,1,0,0\n", "'walk' has two columns"),
        ("frame,walk\n0,1\n", "no column for class 'rest'"),
        ("frame,walk,rest\n0,1,0\n1,0\n", "line 3: 2 columns where the header has 3"),
        ("frame,walk,rest\n0,1,0\n1,0,yes\n2,0,0\n", "line 3: 'yes' for class 'rest'"),
        ("frame,walk,rest\n0,1,0\n1,0,\n2,0,0\n", "line 3: '' for class 'rest'"),
        ("frame,walk,rest\n1,1,0\n2,0,1\n3,0,1\n", "counted from 0"),
        ("frame,walk,rest\n0,1,0\n2,0,1\n", "line 3: frame 2 where 1 should come"),
        ("frame,walk,rest\n0,1,0\n0,0,1\n", "line 3: frame 0 where 1 should come"),
        ("frame,walk,rest\n0,1,0\nx,0,1\n", "'x' is not a frame's number"),
        ("frame,walk,rest\n0,1,0\n1,0,1\n", "2 rows, but the video has 3 frames"),
        ("frame,walk,rest\n0,1,0\n1,1,0\n2,1,0\n3,1,0\n", "line 5: a label for frame 3, which is not there"),
        ("frame,walk,rest\n0,1,0\n-1,1,0\n", "line 3: a label for frame -1, which is not there"),
    ],
)
def test_labels_that_are_wrong_are_named(tmp_path, text, what):
    (tmp_path / "a.csv").write_text(text)
    message = fault(read_labels, tmp_path / "a.csv", CLASSES, 3)
    assert what in message and str(tmp_path / "a.csv") in message


def test_labels_that_are_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(range(256)))
    assert "UTF-8" in fault(read_labels, tmp_path / "a.csv", CLASSES)
    assert "no such file" in fault(read_labels, tmp_path / "b.csv", CLASSES)


def test_frame_tables(tmp_path):
    (tmp_path / "frames.csv").write_text("frame,time\n0,0.0\n1,0.033366667\n")
    assert read_times(tmp_path / "frames.csv").tolist() == [0, 0.033366667]
    for text in ("", "frame,time\n1,0.0\n", "frame,time\n0,x\n", "frame,time\n0\n"):
        (tmp_path / "frames.csv").write_text(text)
        assert "damaged" in fault(read_times, tmp_path / "frames.csv")


def encoded(grey):
    """A Datum with a PNG inside, as datasets of earlier versions hold it."""
    png = cv2.imencode(".png", grey)[1].tobytes()
    return caffe_pb2.Datum(channels=1, height=grey.shape[0], width=grey.shape[1], data=png, encoded=True)


def test_datums_bring_images_back():
    rng = np.random.default_rng(1)
    grey, motion = rng.integers(0, 256, (20, 30), np.uint8), rng.integers(0, 256, (4, 20, 30), np.uint8)
    assert np.array_equal(datum.decode(encoded(grey).SerializeToString()), grey[None])
    assert np.array_equal(datum.decode(datum.encode_raw(motion)), motion)
    numbers = np.array([0.5, -3e-8, 1e9], np.float32)
    assert np.array_equal(datum.decode(datum.encode_floats(numbers)), numbers[:, None, None])
    assert datum.decode(datum.encode_floats(numbers)).dtype == np.float32
    assert "not a Caffe Datum" in fault(datum.decode, b"\xff\xff\xff")
    assert "holds 0 bytes" in fault(datum.decode, b"")
    three = datum.encode_raw(np.zeros((3, 2, 2), np.uint8))
    assert "holds 12" in fault(datum.decode, three.replace(b"\x08\x03", b"\x08\x04"))
    spoilt = encoded(grey).SerializeToString().replace(b"IHDR", b"XXXX")
    assert "cannot be decoded" in fault(datum.decode, spoilt)


def test_raw_images_are_seen_where_they_lie_and_all_others_decoded():
    image = np.random.default_rng(1).integers(0, 256, (4, 20, 30), np.uint8)
    serialised = bytearray(datum.encode_raw(image))
    seen = datum.look(memoryview(serialised), image.shape)
    assert np.array_equal(seen, image)
    serialised[-1] ^= 255
    assert seen[-1, -1, -1] == image[-1, -1, -1] ^ 255
    labelled = caffe_pb2.Datum(channels=4, height=20, width=30, data=image.tobytes(), label=3).SerializeToString()
    for other in (labelled, caffe_pb2.Datum(encoded=False).SerializeToString() + datum.encode_raw(image)):
        assert np.array_equal(datum.look(memoryview(other), image.shape), image)
    assert np.array_equal(datum.look(memoryview(encoded(image[0]).SerializeToString()), (1, 20, 30)), image[:1])
    assert datum.look(memoryview(datum.encode_raw(image)), (4, 30, 20)).shape == (4, 20, 30)
    short = caffe_pb2.Datum(channels=4, height=20, width=30, data=image.tobytes()[:-1]).SerializeToString()
    assert "holds 2399 bytes" in fault(datum.look, memoryview(short), image.shape)


def read_in_child(reader, frame, results):
    results.put(int(reader.read(frame)[0, 0, 0]))


def test_lmdbs_grow_and_are_read_from_many_places(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_store, "FIRST_MAP", 1 << 16)
    images = [np.full((4, 64, 64), frame, np.uint8) for frame in range(40)]
    with lmdb_store.Writer(tmp_path / "a.lmdb") as writer:
        writer.write((frame, datum.encode_raw(image)) for frame, image in enumerate(images))
    reader, again = lmdb_store.open_reader(tmp_path / "a.lmdb"), lmdb_store.open_reader(tmp_path / "a.lmdb")
    assert len(reader) == len(again) == 40
    assert np.array_equal(again.read(39), images[39])
    assert np.array_equal(pickle.loads(pickle.dumps(reader)).read(7), images[7])
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        results = context.SimpleQueue()
        child = context.Process(target=read_in_child, args=(reader, 13, results))
        child.start()
        child.join(60)
        assert child.exitcode == 0 and results.get() == 13
    assert np.array_equal(reader.read(3), images[3])
    assert "no frame 40 (it has 40)" in fault(reader.read, 40)


def test_lmdbs_that_are_none(tmp_path):
    assert "no LMDB there" in fault(lmdb_store.open_reader, tmp_path)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "data.mdb").write_text("no database" * 1000)
    assert "cannot be opened" in fault(lmdb_store.open_reader, tmp_path / "text")
    with lmdb_store.Writer(tmp_path / "short") as writer:
        writer.write([(0, bytes(100000))])
    os.truncate(tmp_path / "short" / "data.mdb", 20000)
    assert "cut short" in fault(lmdb_store.open_reader, tmp_path / "short")
    with lmdb_store.Writer(tmp_path / "junk") as writer:
        writer.write([(0, b"\xff\xff")])
    assert "junk: frame 0: not a Caffe Datum" in fault(lmdb_store.open_reader(tmp_path / "junk").read, 0)


def test_files_and_folders_appear_whole_or_not_at_all(tmp_path):
    for target in (tmp_path / "deep" / "file.txt", tmp_path / "folder"):
        for content in ("first", "second"):
            with files.atomic_path(target) as temporary:
                path = temporary if target.suffix else temporary / "inside"
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
                assert not target.exists() or content == "second"
            with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
                temporary.mkdir()
                raise RuntimeError
        assert (target if target.suffix else target / "inside").read_text() == "second"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "file.txt", "folder", "inside"]


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with files.locked(tmp_path):
        assert "another command" in fault(files.locked(tmp_path).__enter__)
    with files.locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def hold(folder, connection):
    with files.locked(folder):
        connection.send("held")
        connection.recv()


def test_a_holder_that_is_killed_holds_nothing_and_who_waits_comes_in(tmp_path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=hold, args=(tmp_path, theirs))
    holder.start()
    assert ours.recv() == "held"
    with pytest.raises(Busy):
        files.locked(tmp_path).__enter__()
    killer = threading.Timer(0.2, holder.kill)
    killer.start()
    with files.locked(tmp_path, wait=True):
        holder.join()
        assert holder.exitcode == -signal.SIGKILL
        assert "another command" in fault(files.locked(tmp_path).__enter__)
    assert list(tmp_path.iterdir()) == []


def test_a_held_folder_may_be_moved_or_removed(tmp_path):
    (tmp_path / "a").mkdir()
    with files.locked(tmp_path / "a"):
        (tmp_path / "a").rename(tmp_path / "b")
    assert [path.name for path in tmp_path.rglob("*")] == ["b"]
    with files.locked(tmp_path / "b"):
        files.remove(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    assert "knows no locks" in fault(files.locked(tmp_path).__enter__)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_only():
    for stream, quiet in ((io.StringIO(), False), (Terminal(), True)):
        with Progress(10, "frames", "work", quiet, stream) as progress:
            progress.update(10)
        assert stream.getvalue() == ""
    with Progress(10, "frames", "work", stream=(stream := Terminal())) as progress:
        progress.update(4)
        progress.update(6)
    assert "work: 10/10 frames (100 %)" in stream.getvalue() and stream.getvalue().endswith("\n")


def test_remaining_time_counts_only_work_done_now(monkeypatch):
    now = 0.0
    monkeypatch.setattr("data_prep.progress.time.monotonic", lambda: now)
    progress = Progress(100, "frames", "work", stream=io.StringIO())
    progress.skip(40)
    assert progress.remaining() is None
    for second in range(1, 11):
        now = float(second)
        progress.update(2)
    assert progress.remaining() == pytest.approx(40 / 2)
    for second in range(11, 51):  # slower now: the last half minute counts
        now = float(second)
        progress.update(second % 2)
    assert progress.remaining() == pytest.approx(20 / 0.5, rel=0.05)
    assert [duration(s) for s in (3, 185, 7620)] == ["3 s", "3 min 05 s", "2 h 07 min"]
