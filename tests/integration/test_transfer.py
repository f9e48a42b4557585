"""`ethocaffe transfer` on folders: what is copied, when, and what a kill, a change or a full disk leaves."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.files import sha256
from data_prep.transfer import commit, sources
from data_prep.video import read_frames
from tests.unit.video_files import cut, moving_square, write_video
from tools import cli

pytest.importorskip("fsspec")
REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("--settle", "0.3")


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "dataset").mkdir()
    return tmp_path / "dataset"


@pytest.fixture
def camera(tmp_path):
    """A source with one finished recording."""
    write_video(tmp_path / "camera" / "cage.mp4", moving_square(40))
    return tmp_path / "camera"


def transfer(dataset: Path, *arguments: object) -> int:
    return cli.main(["transfer", str(dataset), *QUICK, *map(str, arguments)])


def start(dataset: Path, *arguments: object, code: str = "", **options: Any) -> subprocess.Popen[str]:
    """The command as a process of its own; `code` runs in it before."""
    program = f"{code}\nimport sys\nfrom tools import cli\nsys.exit(cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "transfer", str(dataset), *QUICK, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True, **options)


def entries(dataset: Path) -> list[dict]:
    file = dataset / "transfer.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def videos(dataset: Path) -> list[str]:
    return sorted(file.name for file in (dataset / "videos").glob("*"))


def left_over(dataset: Path) -> list[Path]:
    """What is on its way, or was left behind."""
    return [file for file in (dataset / ".transfer").glob("*/*") if file.name != "lock"]


def until(condition, process: subprocess.Popen[str] | None = None) -> None:
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_a_finished_recording_is_copied_and_registered(camera, dataset, tmp_path):
    log, page = tmp_path / "log.jsonl", tmp_path / "status.html"
    (camera / "notes.txt").write_text("no video")
    (camera / "next.mp4.part").write_bytes(b"half")
    (camera / ".hidden.mp4").write_bytes(b"half")
    assert transfer(dataset, "--source", camera, "--log", log, "--status-page", page) == 0
    assert videos(dataset) == ["cage.mp4"]
    assert (dataset / "videos" / "cage.mp4").read_bytes() == (camera / "cage.mp4").read_bytes()
    (entry,) = entries(dataset)
    assert (entry["state"], entry["video"], entry["frames"]) == ("registered", "videos/cage.mp4", 40)
    assert entry["sha256"] == sha256(camera / "cage.mp4")
    assert entry["fps"] == pytest.approx(30)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["found", "registered"]
    assert "videos/cage.mp4" in page.read_text()
    assert not left_over(dataset)
    assert transfer(dataset, "--source", camera) == 0
    assert len(entries(dataset)) == 1


def test_what_is_still_written_is_never_taken(camera, dataset):
    """By a program that opens it, adds a piece and closes it, which only watching shows."""
    whole = (camera / "cage.mp4").read_bytes()
    recording = camera / "live.mp4"
    process = start(dataset, "--source", camera, "--watch", "--every", "0.1")
    try:
        step = len(whole) // 12
        for begin in range(0, len(whole), step):
            with open(recording, "ab") as file:
                file.write(whole[begin : begin + step] if begin else b"\0" + whole[1:step])
            assert "live.mp4" not in videos(dataset)
            time.sleep(0.1)
        with open(recording, "r+b") as file:  # recorders write a file's head last
            file.write(whole[:1])
        until(lambda: any(entry["url"].endswith("live.mp4") for entry in entries(dataset)), process)
    finally:
        process.terminate()
        _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    states = {Path(entry["url"]).name: (entry["state"], entry["size"]) for entry in entries(dataset)}
    assert states == {"cage.mp4": ("registered", len(whole)), "live.mp4": ("duplicate", len(whole))}


def test_what_a_program_has_open_for_writing_waits(camera, dataset, capsys):
    with open(camera / "cage.mp4", "ab"):
        assert transfer(dataset, "--source", camera) == 0
        if videos(dataset):
            pytest.skip("this file system grants no leases")
        assert "not taken: a program has it open for writing" in capsys.readouterr().out
    assert transfer(dataset, "--source", camera) == 0
    assert videos(dataset) == ["cage.mp4"]


HANG_HALFWAY = """
import time
from data_prep.transfer import sources
sources.PIECE = 500
read = sources.Connection.read
def slow(self, path, start=0):
    done = 0
    for piece in read(self, path, start):
        yield piece
        done += len(piece)
        if done >= 1500:
            print("halfway", flush=True)
            time.sleep(600)
sources.Connection.read = slow
from data_prep.transfer import copying
copying.open = lambda *a: open(*a, buffering=0)
"""


def killed_halfway(dataset: Path, camera: Path) -> Path:
    process = start(dataset, "--source", camera, "--quiet", code=HANG_HALFWAY)
    assert process.stdout is not None and process.stdout.readline() == "halfway\n"
    process.kill()
    process.communicate()
    assert not videos(dataset)
    (part,) = (dataset / ".transfer").glob("*/copy.mp4")
    assert 0 < part.stat().st_size < (camera / "cage.mp4").stat().st_size
    return part


@pytest.fixture
def starts(monkeypatch):
    """From which byte each reading of a source began."""
    seen: list[int] = []
    read = sources.Connection.read

    def recorded(self, path, start=0):
        seen.append(start)
        return read(self, path, start)

    monkeypatch.setattr(sources.Connection, "read", recorded)
    return seen


def test_a_killed_copy_goes_on_where_it_was(camera, dataset, starts):
    part = killed_halfway(dataset, camera)
    there = part.stat().st_size
    assert transfer(dataset, "--source", camera) == 0
    assert starts == [there, 0]  # the rest; and all of it again, to compare
    assert (dataset / "videos" / "cage.mp4").read_bytes() == (camera / "cage.mp4").read_bytes()
    assert not left_over(dataset)


def test_a_copy_of_what_has_changed_since_begins_anew(camera, dataset, starts):
    killed_halfway(dataset, camera)
    write_video(camera / "cage.mp4", moving_square(50))
    assert transfer(dataset, "--source", camera) == 0
    assert starts == [0, 0]
    assert entries(dataset)[0]["frames"] == 50


def test_a_part_that_was_damaged_meanwhile_is_detected(camera, dataset, capsys):
    part = killed_halfway(dataset, camera)
    content = bytearray(part.read_bytes())
    content[700] ^= 1
    part.write_bytes(content)
    assert transfer(dataset, "--source", camera) == 1
    assert "the copy is damaged (not equal to the source)" in capsys.readouterr().err
    assert not videos(dataset) and not left_over(dataset)
    assert transfer(dataset, "--source", camera) == 0


def test_a_bit_that_flips_on_the_way_is_detected(camera, dataset, monkeypatch, capsys):
    read = sources.Connection.read
    calls = []

    def flipped(self, path, start=0):
        calls.append(path)
        for piece in read(self, path, start):
            yield piece[:600] + bytes([piece[600] ^ 4]) + piece[601:] if len(calls) == 1 else piece

    monkeypatch.setattr(sources.Connection, "read", flipped)
    assert transfer(dataset, "--source", camera) == 1
    assert "the copy is damaged" in capsys.readouterr().err
    assert not videos(dataset)
    assert transfer(dataset, "--source", camera) == 0
    assert (dataset / "videos" / "cage.mp4").read_bytes() == (camera / "cage.mp4").read_bytes()


def test_a_source_that_changes_during_the_copy_is_taken_when_it_is_finished(camera, dataset, monkeypatch, capsys):
    read = sources.Connection.read
    longer = write_video(camera.parent / "longer.mp4", moving_square(60)).read_bytes()

    def changing(self, path, start=0):
        yield from read(self, path, start)
        (camera / path).write_bytes(longer)

    with monkeypatch.context() as patch:
        patch.setattr(sources.Connection, "read", changing)
        assert transfer(dataset, "--source", camera) == 0
    assert "was written to while it was copied" in capsys.readouterr().out
    assert not videos(dataset) and not entries(dataset)
    assert transfer(dataset, "--source", camera) == 0
    assert entries(dataset)[0]["frames"] == 60


def test_what_grows_after_it_was_taken_is_taken_anew(camera, dataset):
    assert transfer(dataset, "--source", camera) == 0
    before = (dataset / "videos" / "cage.mp4").read_bytes()
    write_video(camera / "cage.mp4", moving_square(60))
    assert transfer(dataset, "--source", camera) == 0
    assert (dataset / "videos" / "cage.mp4").read_bytes() == before
    first, second = entries(dataset)
    assert (first["frames"], second["frames"]) == (40, 60)
    assert second["video"] == f"videos/cage-{second['sha256'][:6]}.mp4"
    assert "changed at its source since it was taken as videos/cage.mp4" in second["note"]


def test_names_that_collide_and_contents_that_are_the_same(camera, dataset, tmp_path, capsys):
    other = tmp_path / "other"
    write_video(other / "CAGE.mp4", moving_square(20))
    shutil.copy(camera / "cage.mp4", other / "copy.mp4")
    (dataset / "videos").mkdir()
    assert transfer(dataset, "--source", camera, "--source", other) == 0
    digest = sha256(other / "CAGE.mp4")
    assert videos(dataset) == [f"CAGE-{digest[:6]}.mp4", "cage.mp4"]
    assert [entry["state"] for entry in entries(dataset)] == ["registered", "registered", "duplicate"]
    assert "copy.mp4 is, byte for byte, videos/cage.mp4; not registered again" in capsys.readouterr().out


def test_a_video_put_there_by_hand_is_not_overwritten(camera, dataset):
    write_video(dataset / "videos" / "cage.avi", moving_square(5), codec="mpeg4")
    before = sha256(dataset / "videos" / "cage.avi")
    assert transfer(dataset, "--source", camera, "--rename", "{stem}") == 0
    assert sha256(dataset / "videos" / "cage.avi") == before
    assert videos(dataset) == [f"cage-{sha256(camera / 'cage.mp4')[:6]}.mp4", "cage.avi"]


def test_a_transfer_that_died_between_register_and_rename_is_completed(camera, dataset, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commit, "place", die)
        assert transfer(dataset, "--source", camera) == 130
    assert not videos(dataset)
    assert transfer(dataset, "--source", camera) == 0
    assert videos(dataset) == ["cage.mp4"] and len(entries(dataset)) == 1
    assert not left_over(dataset)


def test_two_transfers_of_one_source_copy_each_file_once(dataset, tmp_path):
    camera = tmp_path / "camera"
    for index in range(8):
        write_video(camera / f"cage_{index}.mp4", moving_square(30 + index))
    logs = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    processes = [start(dataset, "--source", camera, "--log", log) for log in logs]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 2
    assert sorted(entry["video"] for entry in entries(dataset)) == [f"videos/cage_{i}.mp4" for i in range(8)]
    told = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    assert sorted(line["url"] for line in told if line["event"] == "registered") == [
        str(camera / f"cage_{index}.mp4") for index in range(8)
    ]
    assert not left_over(dataset)


def test_a_bad_file_does_not_stop_the_others(camera, dataset, capsys):
    cut(camera / "cage.mp4", camera / "a_cut.mp4", 0.3)
    (camera / "b_text.mp4").write_text("this is no video, but long enough for one " * 20)
    assert transfer(dataset, "--source", camera, "--source", camera.parent / "absent") == 1
    faults = capsys.readouterr().err
    assert "a_cut.mp4: cut short" in faults and "b_text.mp4: not a video" in faults
    assert "absent: no such folder or bucket" in faults
    assert videos(dataset) == ["cage.mp4"]
    write_video(camera / "a_cut.mp4", moving_square(45))  # recorded again
    assert transfer(dataset, "--source", camera) == 1
    assert videos(dataset) == ["a_cut.mp4", "cage.mp4"]


def test_names_that_no_text_can_hold_and_links_in_circles(camera, dataset, capsys):
    (camera / "circle").symlink_to(camera)
    (camera / "deep" / "er").mkdir(parents=True)
    shutil.move(camera / "cage.mp4", camera / "deep" / "er" / "Käfig 1, Nacht.mp4")
    (camera / os.fsdecode(b"k\xe4fig.mp4")).write_bytes(b"from another time")
    assert transfer(dataset, "--source", camera, "--rename", "{folder}_{stem}") == 1
    assert r"'k\udce4fig.mp4' has characters in its name that cannot be shown; rename it" in capsys.readouterr().err
    assert videos(dataset) == ["deep_er_Käfig 1_ Nacht.mp4"]


def test_a_full_disk_leaves_nothing_and_is_one_line(camera, dataset):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1200, 1200))

    process = start(dataset, "--source", camera, "--quiet", preexec_fn=little_room)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.count("\n") == 1 and "the dataset's disk is full" in err and "cage.mp4" in err
    assert not videos(dataset) and not entries(dataset) and not left_over(dataset)
    assert transfer(dataset, "--source", camera) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_a_watch_cleanly(camera, dataset, number, status, tmp_path):
    page = tmp_path / "status.html"
    process = start(dataset, "--source", camera, "--watch", "--status-page", page, "--every", "600")
    until(lambda: videos(dataset) and page.exists(), process)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status
    assert err == ("ethocaffe: interrupted\n" if status else "")
    assert "Now: stopped" in page.read_text()


def test_a_source_is_deleted_only_when_asked_and_only_if_the_copy_is_whole(camera, dataset, capsys):
    assert transfer(dataset, "--source", camera) == 0
    assert (camera / "cage.mp4").exists()
    kept = dataset / "videos" / "cage.mp4"
    content = kept.read_bytes()
    kept.write_bytes(content[:-1] + b"?")
    assert transfer(dataset, "--source", camera, "--delete-source") == 1
    assert "kept at its source, since" in capsys.readouterr().err
    assert (camera / "cage.mp4").exists()
    kept.write_bytes(content)
    assert transfer(dataset, "--source", camera, "--delete-source") == 0
    assert not (camera / "cage.mp4").exists()
    assert [entry["state"] for entry in entries(dataset)] == ["registered", "deleted"]


def test_settings_from_the_datasets_file(camera, dataset, capsys):
    content = {"sources": [{"url": str(camera), "name": "lab2"}], "settle": 0.2, "rename": "{source}-{stem}"}
    (dataset / "transfer.json").write_text(json.dumps(content))
    assert cli.main(["transfer", str(dataset)]) == 0
    assert videos(dataset) == ["lab2-cage.mp4"]
    for wrong, told in [
        ({"sorces": []}, "no setting 'sorces'"),
        ({"sources": []}, "no source: give --source URL"),
        ({"sources": [str(camera)], "settle": "soon"}, "settle: 'soon' is not a number of seconds"),
        ({"sources": [str(camera)], "rename": "{name}"}, "its fields are {stem}"),
        ({"sources": [str(dataset / "videos")]}, "lie in each other"),
        ({"sources": [str(camera), f"{camera}/"]}, "is given twice"),
        ({"sources": [str(camera)], "delete_source": True, "discard_original": True}, "would be nowhere"),
    ]:
        (dataset / "transfer.json").write_text(json.dumps(wrong))
        assert cli.main(["transfer", str(dataset)]) == 2
        assert told in capsys.readouterr().err


def test_a_real_recording_that_browsers_cannot_play_is_normalised(shared, dataset, tmp_path):
    camera = tmp_path / "camera"
    camera.mkdir()
    for name in ("home_cage_drink_2.avi", "home_cage.mp4"):
        shutil.copy(shared / "video" / name, camera)
    assert transfer(dataset, "--source", camera) == 0
    assert videos(dataset) == ["home_cage.mp4", "home_cage_drink_2.mp4"]
    assert sha256(dataset / "videos" / "home_cage.mp4") == sha256(camera / "home_cage.mp4")
    assert sha256(dataset / "originals" / "home_cage_drink_2.avi") == sha256(camera / "home_cage_drink_2.avi")
    old, new = (
        list(read_frames(path))
        for path in (camera / "home_cage_drink_2.avi", dataset / "videos" / "home_cage_drink_2.mp4")
    )
    assert [frame[:2] for frame in old] == [frame[:2] for frame in new]
    errors = [np.mean((a[2].astype(float) - b[2]) ** 2) for a, b in zip(old, new)]
    assert 10 * np.log10(255**2 / max(errors)) >= 40
