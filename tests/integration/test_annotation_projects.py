"""Projects as people run them: who is in, which behaviours, new projects and the videos that come in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny
from fastapi.testclient import TestClient
from test_annotation import Lab, Person, lab, put  # noqa: F401

from annotation import projects, server, uploads
from data_prep.dataset import open_dataset, read_classes, read_labels, write_labels
from data_prep.errors import InputError


def ids(person):
    return {one["name"]: one["id"] for one in person.get("projects/1/members")}


def delete(person, path, status=204):
    answer = person.http.delete(f"/api/{path}")
    assert answer.status_code == status, answer.text


def patch(person, body, status=200):
    answer = person.http.patch("/api/projects/1", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_members_assignments_and_invitations_come_and_go(lab):  # noqa: F811
    mia, ann = lab.invited("mia", "manager"), lab.invited("ann", "annotator")
    people = ids(mia)
    delete(mia, f"projects/1/members/{people['mia']}", 409)  # the last manager
    assert mia.http.put(f"/api/projects/1/members/{people['mia']}", json={"role": "expert"}).status_code == 409
    for video, blind in ((1, False), (2, True)):
        mia.post("projects/1/assignments", {"video": video, "user": people["ann"], "blind": blind}, 201)
    (first, second) = mia.get("projects/1")["videos"]
    assert [one["name"] for one in first["assigned_to"]] == ["ann"] and second["assigned_to"][0]["blind"]
    delete(ann, f"projects/1/assignments/{first['assigned_to'][0]['id']}", 403)
    delete(mia, f"projects/1/assignments/{first['assigned_to'][0]['id']}")
    delete(mia, f"projects/1/assignments/{first['assigned_to'][0]['id']}", 404)
    assert [one["assigned"] for one in ann.get("projects/1")["videos"]] == [False, True]
    secret = mia.post("projects/1/invitations", {"role": "expert"}, 201)["secret"]
    (open_one,) = mia.get("projects/1/invitations")
    assert open_one["role"] == "expert" and secret not in str(open_one)
    delete(mia, f"projects/1/invitations/{open_one['id']}")
    assert mia.get("projects/1/invitations") == []
    body = {"name": "eve", "password": "long enough to be one", "invitation": secret}
    assert TestClient(lab.app).post("/api/join", json=body).status_code == 403
    delete(mia, f"projects/1/members/{people['ann']}")
    ann.get("projects/1", 404)
    assert mia.get("projects/1")["videos"][1]["assigned_to"] == []
    delete(lab.admin, f"projects/1/members/{people['mia']}")  # an administrator may
    mia.get("projects/1", 404)


def test_classes_and_labels_follow_a_projects_behaviours(lab):  # noqa: F811
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    lab.admin.post(f"tracks/{track}/edits", {"edits": [put("a", "down", 0, 9)]})
    for state in ("submitted", "accepted"):
        lab.admin.post(f"tracks/{track}/state", {"state": state})
    elsewhere = np.arange(90) % 3
    write_labels(lab.folder / "labels" / "v1.csv", tiny.CLASSES, elsewhere)  # not of this server's
    named = [{"name": name} for name in tiny.CLASSES]
    patch(lab.admin, {"behaviours": [*named[:2], {"name": "lower"}]}, 409)  # used
    patch(lab.admin, {"behaviours": named[:2]}, 409)
    patch(lab.admin, {"behaviours": [named[1], named[0], named[2]]}, 409)  # their order is what models know
    for wrong in ("frame", " a", "a\nb", ""):
        patch(lab.admin, {"behaviours": [*named, {"name": wrong}]}, 422)
    assert read_classes(lab.folder / "classes.txt") == tiny.CLASSES
    after = ("still", "along", "down", "new")
    patch(lab.admin, {"behaviours": [{"name": name} for name in after]})
    assert read_classes(lab.folder / "classes.txt") == after
    np.testing.assert_array_equal(read_labels(lab.folder / "labels" / "v1.csv", after), elsewhere)
    assert (read_labels(lab.folder / "labels" / "v0.csv", after)[:9] == 2).all()
    (lab.folder / "classes.txt").write_text("other\n")
    patch(lab.admin, {"behaviours": [{"name": name} for name in (*after, "more")]}, 409)
    assert read_classes(lab.folder / "classes.txt") == ("other",)


def test_one_behaviour_at_a_time_only_where_no_bouts_overlap(lab):  # noqa: F811
    named = [{"name": name} for name in tiny.CLASSES]
    assert not patch(lab.admin, {"behaviours": named, "exclusive": False})["exclusive"]
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    bouts = [put("a", "still", 0, 50), put("b", "down", 10, 20), put("c", "across", 40, 60), put("d", "down", 60, 70)]
    lab.admin.post(f"tracks/{track}/edits", {"edits": bouts})
    answer = lab.admin.http.patch("/api/projects/1", json={"behaviours": named, "exclusive": True})
    assert answer.status_code == 409 and answer.json()["detail"].startswith("2 bouts")
    assert not patch(lab.admin, {"behaviours": named})["exclusive"]  # left out, it stays
    gone = [{"edit": f"-{name}", "action": "delete", "id": name} for name in "bc"]
    lab.admin.post(f"tracks/{track}/edits", {"edits": gone})
    assert patch(lab.admin, {"behaviours": named, "exclusive": True})["exclusive"]


@pytest.fixture
def open_lab(lab, tmp_path):  # noqa: F811
    """The lab, where projects may be made and small videos come in."""
    (tmp_path / "made").mkdir()
    lab.app.state.projects, lab.app.state.most_of_a_video = tmp_path / "made", 1 << 20
    return lab


def send(person, name, content, project=1):
    return person.http.post(f"/api/projects/{project}/videos", params={"name": name}, content=content)


def test_a_project_is_made_and_filled_in_the_page(open_lab, tmp_path):
    ann = open_lab.invited("ann", "annotator")
    body = {"name": "birds", "behaviours": ["peck", "fly"], "exclusive": False}
    ann.post("projects", body, 403)
    for wrong in ("../birds", "a b", "", ".", "a/b", "x" * 81):
        open_lab.admin.post("projects", {**body, "name": wrong}, 422)
    made = open_lab.admin.post("projects", body, 201)
    assert [one["key"] for one in made["behaviours"]] == ["p", "f"] and not made["exclusive"]
    open_lab.admin.post("projects", body, 409)
    (tmp_path / "made" / "there").mkdir()
    open_lab.admin.post("projects", {**body, "name": "there"}, 409)
    content = (open_lab.folder / "videos" / "v0.mp4").read_bytes()
    answer = send(open_lab.admin, "C:\\films\\my bird (1).MP4", content, made["id"])
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "my_bird_1" and answer.json()["frames"] == 90
    (video,) = open_lab.admin.get(f"projects/{made['id']}")["videos"]
    assert open_lab.admin.http.get(f"/api/videos/{video['id']}/file").content == content
    assert open_dataset(tmp_path / "made" / "birds").videos.keys() == {"my_bird_1"}
    assert projects.made_in(open_lab.database, tmp_path / "made") == [tmp_path / "made" / "birds"]
    answer = send(open_lab.admin, "my_bird_1.avi", content, made["id"])  # another ending, but the same name
    assert answer.status_code == 409 and "never replaced" in answer.text


def test_without_a_folder_for_projects_none_is_made(lab):  # noqa: F811
    answer = lab.admin.post("projects", {"name": "birds", "behaviours": ["peck"]}, 409)
    assert "--projects" in answer["detail"]


def test_what_is_no_whole_video_is_refused_and_leaves_nothing(open_lab):
    content = (open_lab.folder / "videos" / "v0.mp4").read_bytes()
    before = sorted(
        file.relative_to(open_lab.folder) for file in open_lab.folder.rglob("*") if "sqlite" not in file.name
    )
    playlist = b"ffconcat version 1.0\nfile v0.mp4\n"
    for name, sent in (
        ("a.mp4", b""), ("a.mp4", b"nothing"), ("a.mp4", content[: len(content) // 2]), ("a.mp4", playlist),
        ("a.ts", b"#EXTM3U\n#EXTINF:1,\nv0.mp4\n"), ("a.txt", content), ("...mp4", content), ("", content),
    ):  # fmt: skip
        answer = send(open_lab.admin, name, sent)
        assert answer.status_code == 422, (name, sent[:20], answer.text)
    assert [send(open_lab.admin, name, content).status_code for name in ("v1.mp4", "V1.avi")] == [409, 409]
    assert send(open_lab.admin, "a.mp4", bytes((1 << 20) + 1)).status_code == 413
    after = sorted(
        file.relative_to(open_lab.folder) for file in open_lab.folder.rglob("*") if "sqlite" not in file.name
    )
    assert before == after
    assert len(open_lab.admin.get("projects/1")["videos"]) == 2


def test_what_came_in_halfway_is_removed_when_the_server_starts_again(open_lab):
    partial = uploads.partial_path(open_lab.folder, ".mp4")
    partial.write_bytes(b"half")
    uploads.remove_partial(projects.folders(open_lab.database))
    assert not partial.exists() and (open_lab.folder / "annotation" / "v0.times.npy").exists()


def test_the_server_wants_a_dataset_or_a_folder_for_projects():
    with pytest.raises(InputError, match="--projects"):
        server.open_database([], None, None)
    with pytest.raises(InputError, match="no such folder"):
        server.open_database([], "/nowhere/at/all", None)


def test_of_two_videos_of_one_name_at_the_same_moment_one_is_taken(open_lab):
    content = (open_lab.folder / "videos" / "v0.mp4").read_bytes()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda name: send(open_lab.admin, name, content).status_code, ("new.mp4", "new.mov")))
    assert sorted(answers) == [201, 409]
    assert len(open_dataset(open_lab.folder).videos) == 3


def test_minutes_per_minute_are_of_the_videos_handed_in(lab):  # noqa: F811
    bob = lab.invited("bob", "expert")
    for video, seconds, state in ((1, 60, "submitted"), (2, 30, None)):
        track = bob.post(f"videos/{video}/tracks", status=201)["id"]
        bob.post(f"tracks/{track}/edits", {"edits": [put("a", "down", 0, 9)]})
        for _ in range(2):
            bob.http.post(f"/api/videos/{video}/work", json={"seconds": seconds})
        if state:
            bob.post(f"tracks/{track}/state", {"state": state})
    lab.admin.post("videos/1/tracks", status=201)  # looks at it
    lab.admin.http.post("/api/videos/1/work", json={"seconds": 12})
    ada, told = sorted(lab.admin.get("projects/1/progress"), key=lambda one: one["name"])
    assert told["work_seconds"] == 180 and told["video_minutes"] == pytest.approx(90 / 30 / 60)
    assert told["minutes_per_minute"] == pytest.approx(120 / (90 / 30))  # seconds of work per second of video 1
    assert ada == {"user": 1, "name": "ada", "states": {}, "work_seconds": 12, "video_minutes": 0,
                   "minutes_per_minute": None}  # fmt: skip


def test_labels_that_cannot_be_written_are_said_and_nothing_is_accepted(lab):  # noqa: F811
    ann = lab.invited("ann", "annotator")
    track = ann.post("videos/1/tracks", status=201)["id"]
    ann.post(f"tracks/{track}/edits", {"edits": [put("a", "down", 0, 9)]})
    ann.post(f"tracks/{track}/state", {"state": "submitted"})
    folder = lab.folder / "labels"
    folder.rename(lab.folder / "away")
    folder.write_text("in the way")
    told = lab.admin.post(f"tracks/{track}/state", {"state": "accepted"}, 507)["detail"]
    assert "cannot keep it" in told and str(lab.folder) not in told
    assert ann.get(f"tracks/{track}")["state"] == "submitted"
    folder.unlink()
    (lab.folder / "away").rename(folder)
    lab.admin.post(f"tracks/{track}/state", {"state": "accepted"})
    assert (read_labels(folder / "v0.csv", tiny.CLASSES) == 2).sum() == 9
