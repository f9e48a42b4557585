"""The annotation server's API: the whole way of a labelling, who may do what, and what is kept."""

from __future__ import annotations

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny
import tiny_lab
from fastapi.testclient import TestClient

from annotation import models, projects
from annotation.app import make_app
from annotation.database import Database
from data_prep.dataset import read_labels
from data_prep.errors import InputError
from tools import predictions

PASSWORD = "long enough to be one"


class Person:
    """A browser of somebody's."""

    def __init__(self, app, name, invitation):
        self.http = TestClient(app)
        joined = self.post("join", {"name": name, "password": PASSWORD, "invitation": invitation}, 201)
        self.http.headers["X-CSRF-Token"] = joined["csrf"]

    def get(self, path, status=200):
        return self._checked(self.http.get(f"/api/{path}"), status)

    def post(self, path, body=None, status=200):
        return self._checked(self.http.post(f"/api/{path}", json=body or {}), status)

    def _checked(self, answer, status):
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer


class Lab:
    """A server with a dataset of tiny videos, and its people."""

    def __init__(self, folder, url):
        tiny.write_dataset(folder / "data", videos=2)
        for labels in (folder / "data" / "labels").iterdir():
            labels.unlink()
        self.folder = folder / "data"
        self.database = Database(url)
        tiny_lab.bring_in(self.database, self.folder)
        self.app = make_app(self.database)
        with self.database.writing() as session:
            secret = projects.admin_invitation(session)
        self.admin = Person(self.app, "ada", secret)

    def invited(self, name, role):
        return Person(self.app, name, self.admin.post("projects/1/invitations", {"role": role}, 201)["secret"])


@pytest.fixture(params=["sqlite", "postgresql"])
def lab(request, tmp_path):
    if request.param == "postgresql":
        return Lab(tmp_path, request.getfixturevalue("postgresql_database"))
    return Lab(tmp_path, f"sqlite:///{tmp_path / 'annotation.sqlite'}")


def put(name, behaviour, start, stop, edit=None):
    bout = {"id": name, "behaviour": behaviour, "start": start, "stop": stop}
    return {"edit": edit or f"{name}-{start}-{stop}", "action": "put", "bout": bout}


def test_a_labelling_is_made_handed_in_reviewed_and_becomes_the_datasets_labels(lab):
    ann, bob = lab.invited("ann", "annotator"), lab.invited("bob", "expert")
    assert ann.get("videos/1")["times"]["step"] == pytest.approx(1 / 30)
    track = ann.post("videos/1/tracks", status=201)["id"]
    looked = {"edit": "looked", "action": "annotated", "spans": [[0, 40], [30, 60]]}
    edits = [put("a", "across", 10, 20), put("b", "down", 20, 35), looked]
    assert ann.post(f"tracks/{track}/edits", {"edits": edits})["version"] == 3
    assert ann.post(f"tracks/{track}/edits", {"edits": edits})["version"] == 3  # sent again: done once
    erase = {"edit": "erased", "action": "delete", "id": "b"}
    ann.post(f"tracks/{track}/edits", {"edits": [put("a", "across", 12, 20, "moved"), erase]})
    bob.get(f"tracks/{track}")
    bob.post(f"tracks/{track}/edits", {"edits": [erase]}, 403)
    bob.post(f"tracks/{track}/state", {"state": "accepted"}, 409)  # not handed in
    ann.post(f"tracks/{track}/state", {"state": "submitted"})
    ann.post(f"tracks/{track}/edits", {"edits": [put("c", "down", 0, 5)]}, 409)
    ann.post(f"tracks/{track}/state", {"state": "accepted"}, 403)
    bob.post(f"tracks/{track}/state", {"state": "returned"})
    ann.post(f"tracks/{track}/edits", {"edits": [put("c", "down", 0, 5)]})
    ann.post(f"tracks/{track}/state", {"state": "submitted"})
    bob.post(f"tracks/{track}/state", {"state": "accepted"})
    labels = read_labels(lab.folder / "labels" / "v0.csv", tiny.CLASSES)
    expected = np.full(90, -1)  # a looked-at frame without a behaviour is no class either
    expected[:5], expected[12:20] = 2, 1
    np.testing.assert_array_equal(labels, expected)
    rows = list(csv.reader(io.StringIO(ann.get(f"tracks/{track}/export").text)))
    assert rows[0] == ["frame", *tiny.CLASSES] and rows[1 + 50] == ["50", "0", "0", "0"]
    assert rows[1 + 70] == ["70", "-1", "-1", "-1"]
    history = ann.get(f"tracks/{track}/history")
    assert [one["action"] for one in history] == (
        ["put", "put", "annotated", "put", "delete", "state", "state", "put", "state", "state"]
    )
    assert history[4]["before"]["behaviour"] == "down" and history[3]["before"]["start"] == 10
    assert {one["by"] for one in history} == {"ann", "bob"}


def test_files_of_other_tools_come_in_and_go_out(lab):
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    lab.admin.post(f"tracks/{track}/edits", {"edits": [put("a", "across", 10, 20), put("b", "down", 20, 35)]})
    other = lab.invited("ann", "annotator")
    mine = other.post("videos/1/tracks", status=201)["id"]
    for kind in ("bouts", "boris-aggregated", "via3", "deepethogram", "labels"):
        content = lab.admin.get(f"tracks/{track}/export?kind={kind}").content
        answer = other.http.post(f"/api/tracks/{mine}/import?name=x", content=content)
        assert answer.status_code == 200 and answer.json()["bouts"] == 2, (kind, answer.text)
        bouts = other.get(f"tracks/{mine}")["bouts"]
        assert sorted((one["behaviour"], one["start"], one["stop"]) for one in bouts) == (
            [("across", 10, 20), ("down", 20, 35)]
        ), kind
        other.post(f"tracks/{mine}/edits", {"edits": [
            {"edit": f"{kind}{one['id']}"[:40], "action": "delete", "id": one["id"]} for one in bouts
        ]})  # fmt: skip
    assert other.http.post(f"/api/tracks/{mine}/import", content=b"\x00 nothing").status_code == 422
    assert other.http.post(f"/api/tracks/{track}/import", content=content).status_code == 404  # not hers to see
    assert lab.admin.http.get(f"/api/tracks/{track}/export?kind=nothing").status_code == 422


def looked(name, start, stop, *spans):
    return {"edit": name, "action": "annotated", "start": start, "stop": stop, "spans": spans}


def test_what_was_looked_at_is_told_for_a_part_of_the_video(lab):
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    edits = [looked("a", 0, 90, [0, 10], [20, 60]), looked("b", 5, 40, [8, 12], [30, 40]), looked("c", 50, 55)]
    lab.admin.post(f"tracks/{track}/edits", {"edits": edits})
    assert lab.admin.get(f"tracks/{track}")["annotated"] == [[0, 5], [8, 12], [30, 50], [55, 60]]
    (*_, last) = lab.admin.get(f"tracks/{track}/history")
    assert last["before"] == {"start": 50, "stop": 55, "spans": [[50, 55]]} and last["after"]["spans"] == []
    for wrong in (looked("d", 10, 5), looked("d", 0, 91), looked("d", 10, 20, [5, 12]), looked("d", 10, 20, [15, 15])):
        lab.admin.post(f"tracks/{track}/edits", {"edits": [wrong]}, 422)


def test_thousands_of_changes_at_once(lab):
    """More than a statement of SQLite may name."""
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    many = [put(f"b{number}", "down", number % 80, number % 80 + 5, f"e{number}") for number in range(40_000)]
    assert lab.admin.post(f"tracks/{track}/edits", {"edits": many})["version"] == 40_000
    again = [*many[:10], *({"edit": f"d{number}", "action": "delete", "id": f"b{number}"} for number in range(39_990))]
    assert lab.admin.post(f"tracks/{track}/edits", {"edits": again})["version"] == 79_990
    assert {one["id"] for one in lab.admin.get(f"tracks/{track}")["bouts"]} == {f"b{n}" for n in range(39_990, 40_000)}


def test_two_windows_of_a_person_may_do_the_same_at_once(lab):
    def window(number):
        track = lab.admin.post("videos/2/tracks", status=201)["id"]
        edits = [put(f"b{at}", "down", at, at + 9, f"e{at}") for at in range(20)]
        return track, lab.admin.post(f"tracks/{track}/edits", {"edits": edits})["version"]

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(window, range(24)))
    ((track, version),) = set(done)
    assert version == 20 and len(lab.admin.get(f"tracks/{track}")["bouts"]) == 20


def test_changes_made_on_an_old_version_are_refused_and_repeated_ones_are_not(lab):
    track = lab.admin.post("videos/1/tracks", status=201)["id"]

    def send(version, *edits, status=200):
        return lab.admin.post(f"tracks/{track}/edits", {"edits": edits, "version": version}, status).get("version")

    first, second, third = (put(name, "down", at, at + 5) for at, name in enumerate("abc"))
    assert send(0, first) == 1
    assert send(0, first) == 1  # the answer was lost
    assert send(0, first, second) == 2  # and another change came to it
    send(1, third, status=409)  # of another window
    send(3, third, status=409)
    assert [one["id"] for one in lab.admin.get(f"tracks/{track}")["bouts"]] == ["a", "b"]
    assert send(None, third) == 3
    lab.admin.post(f"tracks/{track}/state", {"state": "submitted"})
    assert lab.admin.post(f"tracks/{track}/state", {"state": "draft"})["version"] == 5
    assert send(5, put("d", "down", 9, 10)) == 6


def test_all_of_a_request_or_nothing(lab):
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    for wrong in (put("b", "fly", 0, 5), put("b", "down", 80, 91), put("b", "down", 5, 5), put("b b", "down", 0, 5)):
        edits = [put("a", "down", 0, 5, f"right-{wrong['bout']['start']}"), wrong]
        lab.admin.post(f"tracks/{track}/edits", {"edits": edits}, 422)
    assert lab.admin.get(f"tracks/{track}")["bouts"] == []
    assert lab.admin.get(f"tracks/{track}/history") == []


def test_blind_annotators_see_nobody_elses_labels_until_they_hand_in(lab):
    ann, eve = lab.invited("ann", "annotator"), lab.invited("eve", "expert")
    people = {one["name"]: one["id"] for one in ann.get("projects/1/members")}
    for name in ("ann", "eve"):
        lab.admin.post("projects/1/assignments", {"video": 1, "user": people[name], "blind": True}, 201)
    tracks = {}
    for person, name in ((ann, "ann"), (eve, "eve")):
        tracks[name] = person.post("videos/1/tracks", status=201)["id"]
        person.post(f"tracks/{tracks[name]}/edits", {"edits": [put("a", "down", 0, 9)]})
    eve.get(f"tracks/{tracks['ann']}", 404)
    assert [one["author"] for one in eve.get("videos/1/tracks")] == ["eve"]
    eve.post(f"tracks/{tracks['eve']}/state", {"state": "submitted"})
    assert {one["author"] for one in eve.get("videos/1/tracks")} == {"ann", "eve"}
    ann.get(f"tracks/{tracks['eve']}", 404)


def test_who_handed_in_blindly_sees_what_a_role_may_and_cannot_change_it_any_more(lab):
    ann, bob, eve = lab.invited("ann", "annotator"), lab.invited("bob", "annotator"), lab.invited("eve", "expert")
    people = {one["name"]: one["id"] for one in ann.get("projects/1/members")}
    lab.admin.post("projects/1/assignments", {"video": 1, "user": people["ann"], "blind": True}, 201)
    box = {"edit": "m", "action": "mark",
           "mark": {"id": "m", "name": "nose", "kind": "point", "keyframes": [[0, 1, 1]]}}  # fmt: skip
    tracks = {}
    for person, name in ((ann, "ann"), (bob, "bob"), (eve, "eve")):
        tracks[name] = person.post("videos/1/tracks", status=201)["id"]
        person.post(f"tracks/{tracks[name]}/edits", {"edits": [put("a", "down", 0, 9)]})
    bob.post(f"tracks/{tracks['bob']}/edits", {"edits": [box]})
    bob.post(f"tracks/{tracks['bob']}/state", {"state": "submitted"})
    bob.post(f"tracks/{tracks['bob']}/state", {"state": "draft"})  # not blind: he may
    bob.post(f"tracks/{tracks['bob']}/state", {"state": "submitted"})
    eve.post(f"tracks/{tracks['bob']}/state", {"state": "accepted"})
    ann.get(f"tracks/{tracks['bob']}", 404)
    assert ann.get("projects/1/mark-names") == []
    ann.post(f"tracks/{tracks['ann']}/state", {"state": "submitted"})
    assert {one["author"] for one in ann.get("videos/1/tracks")} == {"ann", "bob"}  # eve's is a draft
    ann.get(f"tracks/{tracks['eve']}", 404)
    assert ann.get("projects/1/mark-names") == ["nose"]
    ann.post(f"tracks/{tracks['ann']}/state", {"state": "draft"}, 409)
    eve.post(f"tracks/{tracks['ann']}/state", {"state": "returned"})
    ann.post(f"tracks/{tracks['ann']}/edits", {"edits": [put("a", "down", 0, 10)]})


ROLES = {  # what a role may not do; everything else is open to all members
    "annotator": {
        ("patch", "/api/projects/1"), ("post", "/api/projects/1/invitations"), ("put", "/api/projects/1/members/1"),
        ("post", "/api/projects/1/assignments"), ("get", "/api/projects/1/progress"), ("get", "/api/projects/1/bouts"),
        ("get", "/api/projects/1/jobs"), ("post", "/api/projects/1/jobs"), ("get", "/api/projects/1/jobs/1"),
        ("post", "/api/projects/1/jobs/1/stop"),
        ("get", "/api/projects/1/agreement"), ("get", "/api/videos/1/agreement"), ("post", "/api/videos/1/consensus"),
        ("get", "/api/projects/1/invitations"), ("delete", "/api/projects/1/invitations/1"),
        ("delete", "/api/projects/1/members/1"), ("delete", "/api/projects/1/assignments/1"),
        ("post", "/api/projects"), ("post", "/api/projects/1/videos"),
    },
    "expert": {
        ("patch", "/api/projects/1"), ("post", "/api/projects/1/invitations"), ("put", "/api/projects/1/members/1"),
        ("post", "/api/projects/1/assignments"), ("post", "/api/projects/1/jobs"),
        ("post", "/api/projects/1/jobs/1/stop"), ("get", "/api/projects/1/invitations"),
        ("delete", "/api/projects/1/invitations/1"), ("delete", "/api/projects/1/members/1"),
        ("delete", "/api/projects/1/assignments/1"), ("post", "/api/projects"), ("post", "/api/projects/1/videos"),
    },
}  # fmt: skip
OPEN = {("post", "/api/sign-in"), ("post", "/api/join")}
# Everybody's, with or without a project.
OWN = ("/api/me", "/api/password", "/api/tokens", "/api/sign-out", "/api/projects", "/api/bouts")
BODIES = {
    "/api/projects/1": {"behaviours": [{"name": "still"}]},
    "/api/projects/1/invitations": {"role": "annotator"},
    "/api/projects/1/members/1": {"role": "expert"},
    "/api/projects/1/assignments": {"video": 1, "user": 1},
    "/api/projects/1/jobs": {"kind": "train"},
    "/api/tracks/1/edits": {"edits": [put("a", "still", 0, 1)]},
    "/api/tracks/1/marks": {"marks": []},
    "/api/tracks/1/state": {"state": "submitted"},
    "/api/videos/1/work": {"seconds": 1},
    "/api/tokens": {"name": "x"},
    "/api/password": {"old": "x", "new": "long enough too"},
    "/api/videos/1/consensus": {"tracks": [1, 2]},
    "/api/projects": {"name": "x", "behaviours": ["still"]},
}


def routes(app):
    """Every method and path of the API, with 1 for each number."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method, re.sub(r"\{\w+\}", "1", path)


def ask(http, method, path):
    body = {"json": BODIES.get(path, {})} if method in ("post", "put", "patch") else {}
    return http.request(method.upper(), path, **body).status_code


def test_every_route_is_closed_to_nobody_to_strangers_and_to_lesser_roles(lab):
    lab.admin.post("videos/1/tracks", status=201)
    with lab.database.writing() as session:
        secret = projects.admin_invitation(session)
    outsider = Person(lab.app, "otto", secret)
    with lab.database.writing() as session:
        session.get_one(projects.User, 2).admin = False  # somebody of another project
    seen = list(routes(lab.app))
    assert len(seen) > 20
    for method, path in seen:
        if (method, path) in OPEN:
            continue
        assert ask(TestClient(lab.app), method, path) == 401, (method, path)
        if not path.startswith(OWN) or path.startswith("/api/projects/"):
            assert ask(outsider.http, method, path) == 404, (method, path)
    for role, closed in ROLES.items():
        member = lab.invited(role, role)
        for method, path in seen:
            if (method, path) in closed:
                assert ask(member.http, method, path) == 403, (role, method, path)


def test_a_change_needs_the_token_and_a_program_needs_its_own(lab):
    browser = TestClient(lab.app, cookies=lab.admin.http.cookies)
    assert browser.get("/api/me").json()["name"] == "ada"
    assert browser.post("/api/videos/1/tracks").status_code == 403
    secret = lab.admin.post("tokens", {"name": "script"}, 201)["secret"]
    program = TestClient(lab.app, headers={"Authorization": f"Bearer {secret}"})
    assert program.post("/api/videos/1/tracks").status_code == 201
    assert lab.admin.http.delete("/api/tokens/1").status_code == 204
    assert program.get("/api/me").status_code == 401
    assert secret not in str(lab.admin.get("tokens"))


def test_guessing_is_slowed_down_and_invitations_work_once(lab):
    secret = lab.admin.post("projects/1/invitations", {}, 201)["secret"]
    Person(lab.app, "ann", secret)
    stranger = TestClient(lab.app)
    joined = stranger.post("/api/join", json={"name": "eve", "password": PASSWORD, "invitation": secret})
    assert joined.status_code == 403
    wrong = {"name": "ann", "password": "not hers"}
    assert [stranger.post("/api/sign-in", json=wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    assert stranger.post("/api/sign-in", json={"name": "ann", "password": PASSWORD}).status_code == 429


def test_predictions_come_in_as_a_labelling_and_the_least_sure_video_is_next(lab, tmp_path):
    for stem, sure in (("v0", 0.9), ("v1", 0.5)):
        shares = np.full((90, 3), (1 - sure) / 2)
        shares[np.arange(90), np.arange(90) // 30] = sure
        (tmp_path / "out" / stem).mkdir(parents=True)
        predictions.write(
            tmp_path / "out" / stem / "predictions.csv", range(90), np.arange(90) / 30, shares, tiny.CLASSES
        )
    assert models.bring_in(lab.database, tmp_path / "out") == ["v0", "v1"]
    (track,) = lab.admin.get("videos/2/tracks")
    bouts = lab.admin.get(f"tracks/{track['id']}")["bouts"]
    assert [(one["behaviour"], one["start"], one["stop"]) for one in bouts] == [
        ("still", 0, 30), ("across", 30, 60), ("down", 60, 90),
    ]  # fmt: skip
    assert bouts[0]["confidence"] == pytest.approx(0.5) and track["kind"] == "model"
    assert lab.admin.get("projects/1")["next"] == [2]
    with pytest.raises(InputError, match="no predictions"):
        models.bring_in(lab.database, tmp_path)


def test_what_would_fill_the_memory_is_refused_before_it_is_read(lab):
    large = {"Content-Length": str(1 << 40)}
    assert TestClient(lab.app).post("/api/sign-in", content=b"{}", headers=large).status_code == 413
    assert TestClient(lab.app).post("/api/sign-in", content=iter([b"{}"])).status_code == 411


def test_bouts_are_found_over_a_project(lab):
    bob = lab.invited("bob", "expert")
    for person, stop in ((lab.admin, 20), (bob, 80)):
        track = person.post("videos/1/tracks", status=201)["id"]
        person.post(f"tracks/{track}/edits", {"edits": [put("a", "down", 0, stop)]})
    found = bob.get("projects/1/bouts?behaviour=down&least_seconds=2&role=expert")
    assert [(one["video"], one["seconds"]) for one in found] == [("v0", pytest.approx(80 / 30))]
    assert bob.get("projects/1/bouts?behaviour=across") == []


def test_a_name_that_no_database_holds_is_refused_before_a_table_begins(lab):
    assert lab.admin.http.get("/api/bouts?behaviour=%00&as=csv").status_code == 422
    assert lab.admin.http.get("/api/projects/1/bouts?behaviour=%00&as=csv").status_code == 422


def test_the_video_comes_in_ranges(lab):
    answer = lab.admin.http.get("/api/videos/1/file", headers={"Range": "bytes=100-199"})
    whole = (lab.folder / "videos" / "v0.mp4").read_bytes()
    assert answer.status_code == 206 and answer.content == whole[100:200]
    assert answer.headers["content-type"] == "video/mp4"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
