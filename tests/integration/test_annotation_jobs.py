"""The annotation server trains on what was accepted and predicts what is left: real commands, on tiny videos."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import tiny
import tiny_lab
from fastapi.testclient import TestClient
from sqlalchemy import text
from test_annotation import PASSWORD, Lab, put

from annotation import apart, jobs, models, networks, processes, training_set
from annotation.database import Database
from annotation.runner import Runner
from annotation.tables import MODEL, Job, Project, Track, User, Video
from data_prep.dataset import read_labels, write_labels
from data_prep.errors import InputError
from data_prep.prepare import prepare
from tools import network, predictions

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from site_under_test import Site

MINI = "mini/shape_motion/cnn"
SECONDS = 60.0  # after which a command that is waited for has failed


class Loop(Lab):
    """A lab with a third video."""

    def __init__(self, folder, url):
        super().__init__(folder, url)
        labels = np.repeat(np.arange(9) % 3, 10)
        tiny.write_video(self.folder / "videos" / "v2.mp4", labels, seed=2)
        tiny_lab.bring_in(self.database, self.folder)

    def accept(self, video):
        """A labelling of all frames of a video, all three classes in it, made, handed in and accepted."""
        track = self.admin.post(f"videos/{video}/tracks", status=201)["id"]
        edits = [put(f"b{at}", tiny.CLASSES[at // 10 % 3], at, at + 10) for at in range(0, 90, 10)]
        self.admin.post(f"tracks/{track}/edits", {"edits": edits})
        for state in ("submitted", "accepted"):
            self.admin.post(f"tracks/{track}/state", {"state": state})

    def ended(self, number):
        """A job, when it has ended."""
        return until(lambda: self.admin.get(f"projects/1/jobs/{number}"), lambda job: job["ended"])


def until(ask, so):
    end = time.monotonic() + SECONDS
    while True:
        found = ask()
        if so(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def lab(request, tmp_path):
    if request.param == "postgresql":
        return Loop(tmp_path, request.getfixturevalue("postgresql_database"))
    return Loop(tmp_path, f"sqlite:///{tmp_path / 'annotation.sqlite'}")


@pytest.fixture
def small(tmp_path):
    """A lab in SQLite alone, where the database does not matter."""
    return Loop(tmp_path, f"sqlite:///{tmp_path / 'annotation.sqlite'}")


@contextmanager
def serving(lab):
    """The server as it runs: with its jobs."""
    with TestClient(lab.app):
        yield


def test_accepted_labellings_become_a_model_and_the_third_video_is_predicted_and_next(lab):
    lab.accept(1)
    lab.accept(2)
    offered = lab.admin.get("projects/1/jobs")
    assert offered["labelled"] == [1, 2] and offered["left"] == [3] and offered["jobs"] == []
    assert lab.admin.get("projects/1")["next"] == []
    body = {"kind": "train", "network": MINI, "iterations": 4, "then_predict": True}
    with serving(lab):
        training, prediction = [one["id"] for one in lab.admin.post("projects/1/jobs", body, 201)]
        until(lambda: lab.admin.get(f"projects/1/jobs/{training}"), lambda one: one.get("step") == 1)
        (lab.folder / "labels" / "v0.csv").write_text("not what it was\n")  # no matter to what runs
        trained, predicted = lab.ended(training), lab.ended(prediction)
    assert trained["state"] == "done", trained
    assert trained["trained_on"] == ["v1"] and trained["held_out"] == ["v0"]
    model = json.loads((lab.folder / "annotation" / "models" / "1" / "model.json").read_text())
    assert trained["balanced_accuracy"] == model["validation"]["balanced_accuracy"]
    assert model["classes"] == list(tiny.CLASSES) and model["iterations"] == 4
    assert [shlex.split(one)[:2] for one in trained["commands"]] == [["ethocaffe", "prepare"], ["ethocaffe", "train"]]
    assert all(f"$ {one}\n" in trained["log"] for one in trained["commands"])
    assert "iteration 4: training loss" in trained["log"]
    assert predicted["state"] == "done" and predicted["brought_in"] == ["v2"], predicted
    (track,) = lab.admin.get("videos/3/tracks")
    assert track["kind"] == MODEL and track["name"].startswith("mini/shape_motion/cnn ")
    bouts = lab.admin.get(f"tracks/{track['id']}")["bouts"]
    assert bouts[0]["start"] == 0 and bouts[-1]["stop"] == 90 and 0 < bouts[0]["confidence"] <= 1
    assert lab.admin.get("videos/1/tracks")[0]["kind"] != MODEL  # what is handed in needs no prediction
    assert lab.admin.get("projects/1")["next"] == [3]
    tiny_lab.bring_in(lab.database, lab.folder)  # what was prepared and trained is no video
    assert [one["name"] for one in lab.admin.get("projects/1")["videos"]] == ["v0", "v1", "v2"]


def ordered(lab, kind, arguments):
    """What the runner gets of a job."""
    with lab.database.writing() as session:
        job = jobs.add(session, session.get_one(Project, 1), 1, kind, arguments)
        job.log = "1.log"
        return jobs.order_of(session, job)


def test_one_labelled_video_is_trained_on_and_measured_on(small):
    small.accept(2)
    asked = {"network": MINI, "iterations": 10, "hold_out": None, "gpu": None}
    (_, command), about = jobs.plan(ordered(small, "train", asked), apart.here)
    assert "--hold-out=none" in command and about["videos"] == ["v1"] and about["held_out"] == []


def test_one_video_that_cannot_be_predicted_does_not_keep_the_others_out(small):
    order = ordered(small, "predict", {"model": 9, "videos": None, "gpu": None})
    for stem, frames in (("v0", 80), ("v1", 90)):  # v0 has 90 as well
        file = order.place("predictions") / stem / "predictions.csv"
        shares = np.tile([0.6, 0.3, 0.1], (frames, 1))
        predictions.write(file, range(frames), np.arange(frames) / 30, shares, tiny.CLASSES)
    told = jobs.outcome(small.database, order, apart.here)
    assert told["brought_in"] == ["v1"] and told["state"] == "failed" and "90 frames" in told["error"]


def test_what_fails_is_told_in_its_own_words_and_what_waits_for_it_fails_too(small):
    small.accept(1)
    (small.folder / "videos" / "v0.mp4").write_bytes(b"no video")
    with serving(small):
        small.admin.post("projects/1/jobs", {"kind": "train", "iterations": 1, "then_predict": True}, 201)
        trained, predicted = small.ended(1), small.ended(2)
    assert trained["state"] == "failed" and "v0.mp4" in trained["error"] and trained["error"] in trained["log"]
    assert predicted["state"] == "failed" and "job 1" in predicted["error"]
    small.admin.post("projects/1/jobs", {"kind": "predict", "model": 1}, 409)


def test_what_cannot_be_is_refused_before_anything_runs(small):
    assert "accept" in small.admin.post("projects/1/jobs", {"kind": "train"}, 409)["detail"]
    small.accept(1)
    for wrong in (
        {"kind": "train", "network": "../../etc"},
        {"kind": "train", "network": "/tmp"},
        {"kind": "train", "iterations": 20_001},
        {"kind": "train", "hold_out": [1]},  # nothing left to train on
        {"kind": "train", "hold_out": [3]},  # no labels
        {"kind": "predict"},
        {"kind": "predict", "model": 7},
        {"kind": "simulate"},
    ):
        small.admin.post("projects/1/jobs", wrong, 422)
    small.accept(2)
    small.accept(3)
    small.admin.post("projects/1/jobs", {"kind": "train", "then_predict": True}, 409)
    for _ in range(jobs.MOST_WAITING):
        small.admin.post("projects/1/jobs", {"kind": "train"}, 201)
    small.admin.post("projects/1/jobs", {"kind": "train"}, 409)
    small.admin.post("projects/1/jobs/3/stop")
    small.admin.post("projects/1/jobs/3/stop", status=409)
    small.admin.post("projects/1/jobs", {"kind": "train"}, 201)


def test_what_is_stopped_ends_at_once_and_leaves_no_process(small):
    small.accept(1)
    log = small.folder / "annotation" / "jobs" / "1.log"
    with serving(small):
        for _ in range(2):
            small.admin.post("projects/1/jobs", {"kind": "train", "iterations": 20_000}, 201)
        until(lambda: small.admin.get("projects/1/jobs/1"), lambda one: one.get("step") == 1)
        until(lambda: processes.marked(log), bool)
        assert Runner(small.database).turn() is None  # another server leaves alone what this one runs
        assert processes.marked(log) and small.admin.get("projects/1/jobs/1")["state"] == "running"
        assert small.admin.post("projects/1/jobs/2/stop")["state"] == "stopped"  # while it waits
        assert small.admin.post("projects/1/jobs/1/stop")["state"] == "stopped"
        until(lambda: processes.marked(log), lambda left: not left)
        small.admin.post("projects/1/jobs", {"kind": "train", "iterations": 1}, 201)
        until(lambda: small.admin.get("projects/1/jobs/3"), lambda one: one["state"] == "running")  # its turn
        assert [small.ended(number)["state"] for number in (1, 2)] == ["stopped", "stopped"]
    assert small.ended(3)["state"] == "stopped"  # with the server
    assert not (small.folder / "annotation" / "jobs" / "2.log").exists()


def test_a_server_that_is_killed_or_ended_leaves_no_training_behind(tmp_path):
    data = tiny.write_dataset(tmp_path / "data", videos=1)
    site = Site(data)
    try:
        http = httpx.Client(base_url=f"{site.address}/api/")
        body = {"name": "ada", "password": PASSWORD, "invitation": site.link.partition("invitation=")[2]}
        http.headers["X-CSRF-Token"] = http.post("join", json=body).json()["csrf"]

        def log_of_started():
            number = http.post("projects/1/jobs", json={"kind": "train", "iterations": 20_000}).json()[0]["id"]
            log = data / "annotation" / "jobs" / f"{number}.log"
            until(lambda: http.get(f"projects/1/jobs/{number}").json(), lambda one: one.get("step") == 1)
            until(lambda: processes.marked(log), bool)
            return number, log

        number, log = log_of_started()
        site.kill()
        assert processes.marked(log)  # or this test could not fail
        site.start(site.port)
        killed = until(lambda: http.get(f"projects/1/jobs/{number}").json(), lambda one: one["ended"])
        assert killed["state"] == "failed" and "killed" in killed["error"]
        assert processes.marked(log) == []
        number, log = log_of_started()
        site.stop()
        assert processes.marked(log) == []
        site.start(site.port)
        ended = http.get(f"projects/1/jobs/{number}").json()
        assert ended["state"] == "stopped" and "ended" in ended["error"]
    finally:
        site.stop()


def test_predictions_come_into_the_right_project(small, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(small.folder, other)
    tiny_lab.bring_in(small.database, other)
    shares = np.tile([0.6, 0.3, 0.1], (90, 1))
    predictions.write(tmp_path / "out" / "v0" / "predictions.csv", range(90), np.arange(90) / 30, shares, tiny.CLASSES)
    models.bring_in(small.database, tmp_path / "out", 2)
    with small.database.reading() as session:
        assert session.query(Video.project_id).join(Track).where(Track.kind == MODEL).all() == [(2,)]


CLASSES = ["walk", "groom", "rest"]


def written(data, target, videos, classes=CLASSES, network=MINI):
    """A training set of a dataset; `videos` with their number of frames."""
    listed = [[stem, f"{stem}.mp4", frames] for stem, frames in videos.items()]
    return training_set.write(
        {"target": target, "dataset": data, "videos": listed, "classes": list(classes), "network": network}
    )


def test_a_training_set_has_the_projects_classes_and_only_labelled_videos(tmp_path):
    data, target = tmp_path / "data", tmp_path / "set"
    for part in ("videos", "labels"):
        (data / part).mkdir(parents=True)
    for stem, labels in {"a": [0, 1, -1, 2], "b": [-1, -1], "c": [2, 2]}.items():
        (data / "videos" / f"{stem}.mp4").touch()
        write_labels(data / "labels" / f"{stem}.csv", CLASSES, labels)
    classes = ["rest", "sniff", "walk"]  # groom is gone, sniff new, the order another
    counts = written(data, target, {"a": 4, "b": 2, "c": 2, "d": 3}, classes)["counts"]
    assert counts == {"a": [1, 0, 1], "c": [2, 0, 0]}
    assert read_labels(target / "labels" / "a.csv", classes).tolist() == [2, -1, -1, 0]
    assert sorted(one.name for one in (target / "videos").iterdir()) == ["a.mp4", "c.mp4"]
    with pytest.raises(InputError, match="spaces"):
        written(data, tmp_path / "2", {"a": 4}, ["walk ", "rest"])
    with pytest.raises(InputError, match="no video has labels"):
        written(data, tmp_path / "3", {"b": 2})
    with pytest.raises(InputError, match=r"data/labels/a\.csv: 4 rows, but the video has 5"):
        written(data, tmp_path / "4", {"a": 5})


def test_the_video_held_out_takes_no_behaviour_from_the_training():
    chosen = training_set.to_hold_out
    assert chosen({"a": [5, 5, 0]}) is None
    assert chosen({"a": [5, 5, 0], "b": [0, 5, 5]}) is None
    assert chosen({"a": [5, 5, 0], "b": [5, 5, 5]}) == "a"
    assert chosen({"a": [5, 0, 0], "b": [5, 5, 5], "c": [5, 5, 5]}) == "b"  # most classes, then by name
    assert chosen({"a": [5, 0, 0], "b": [5, 5, 6], "c": [5, 5, 5]}) == "c"  # fewest frames


def test_what_was_prepared_at_another_size_stays(tmp_path):
    data = tiny.write_dataset(tmp_path / "data", videos=2)
    prepare(data, size=32, crop=(0, 0, 60, 64), workers=1, quiet=True)
    own = {"size": 32, "crop": [0, 0, 60, 64], "feeder": None}
    found = written(data, tmp_path / "set", {"v0": 90, "v1": 90}, tiny.CLASSES)["prepared"]
    assert found == {**own, "place": str(data / "annotation" / "prepared_64"), "size": 64}
    found = written(data, tmp_path / "any", {"v0": 90, "v1": 90}, tiny.CLASSES, "current_system")["prepared"]
    assert found == {**own, "place": str(data)}


def test_the_networks_offered_are_there_and_need_what_is_said():
    for name, offered in networks.NETWORKS.items():
        if name == "current_system":
            continue
        origin = network.find_network(name) / "train_val.prototxt"
        data = network.data_settings(network.read_net(origin), "TRAIN", origin)
        assert (data["size"], data["streams"]) == (offered.size, offered.streams.split(",")), name
        assert offered.solver is None or (networks.PROTOTXT / offered.solver).is_file()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_of_before_is_brought_up_to_date(kind, request, tmp_path, monkeypatch):
    from alembic import command

    url = f"sqlite:///{tmp_path / 'a.sqlite'}" if kind == "sqlite" else request.getfixturevalue("postgresql_database")
    newest = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: newest(config, "0001"))
        with Database(url).writing() as session:
            for table, values in (
                ("projects (name, folder, behaviours, exclusive, created)", "'old', '/old', '[]', true, 0"),
                ("users (name, password, admin, created)", "'ada', 'x', true, 0"),
            ):
                session.execute(text(f"INSERT INTO {table} VALUES ({values})"))
    with Database(url).writing() as session:
        project, user = session.query(Project).one(), session.query(User).one()
        assert project.name == "old"
        session.add(Job(project_id=project.id, user_id=user.id, kind="train", arguments={}, result={}))
        session.flush()
        assert session.query(Job).one().state == "waiting"
