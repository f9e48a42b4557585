"""What strangers, and people who mean harm, get out of the annotation server."""

from __future__ import annotations

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from test_annotation import PASSWORD, Person, lab, put  # noqa: F401

from annotation import secrets, server
from data_prep.errors import InputError


def test_of_strangers_nothing_long_is_taken_apart(lab):  # noqa: F811
    long = b"[" + b"[]," * 100_000 + b"no JSON"
    for path in ("sign-in", "join", "tracks/1/edits", "tracks/1/import"):
        answer = TestClient(lab.app).post(f"/api/{path}", content=long, headers={"Content-Type": "application/json"})
        assert answer.status_code == 401, (path, answer.text[:100])
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    assert lab.admin.http.post(f"/api/tracks/{track}/edits", content=long).status_code == 422
    lab.admin.http.headers.pop("X-CSRF-Token")
    assert lab.admin.http.post(f"/api/tracks/{track}/edits", content=long).status_code == 403


def many(app, path, bodies):
    """The answers' statuses to requests that come at the same moment."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        ask = [pool.submit(TestClient(app).post, f"/api/{path}", json=body) for body in bodies]
    return sorted(one.result().status_code for one in ask)


def invitation(lab):  # noqa: F811
    return lab.admin.post("projects/1/invitations", {}, 201)["secret"]


def test_of_many_who_use_an_invitation_at_once_one_comes_in(lab):  # noqa: F811
    secret = invitation(lab)
    bodies = [{"name": f"p{number}", "password": PASSWORD, "invitation": secret} for number in range(8)]
    assert many(lab.app, "join", bodies) == [201, *[403] * 7]
    assert len(lab.admin.get("projects/1/members")) == 1


def test_neither_many_at_once_nor_an_invitation_make_guessing_faster(lab):  # noqa: F811
    guesses = [{"name": "ada", "password": f"a long guess {number}"} for number in range(12)]
    assert many(lab.app, "sign-in", guesses) == [401] * 5 + [429] * 7
    lab.app.state.brake = secrets.Brake()
    secret = invitation(lab)
    assert many(lab.app, "join", [{**one, "invitation": secret} for one in guesses]) == [409] * 5 + [429] * 7


def test_nobody_takes_a_name_that_looks_like_anothers(lab):  # noqa: F811
    secret = invitation(lab)
    for name in ("ada ", " ada", "a\u200bda", "a\u202eda", "a\u00adda", "ada\u00a0b", "a  da"):
        body = {"name": name, "password": PASSWORD, "invitation": secret}
        assert TestClient(lab.app).post("/api/join", json=body).status_code == 422, name
    Person(lab.app, "Ada Žižek 李", secret)


def test_a_member_who_follows_an_invitation_to_a_higher_role_has_it(lab):  # noqa: F811
    lab.invited("ann", "annotator")
    lab.invited("ann", "expert")
    lab.invited("ann", "annotator")
    assert [one["role"] for one in lab.admin.get("projects/1/members")] == ["expert"]


def test_no_comment_is_a_formula_in_a_spreadsheet(lab):  # noqa: F811
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    for at, comment in enumerate(("=HYPERLINK(A1)", "+1", "-1", "@SUM(A1)", "\t=1", "1 = 1")):
        edit = put(f"b{at}", "down", at, at + 1)
        edit["bout"]["comment"] = comment
        lab.admin.post(f"tracks/{track}/edits", {"edits": [edit]})
    rows = list(csv.DictReader(io.StringIO(lab.admin.http.get("/api/bouts?as=csv").text)))
    assert [one["comment"] for one in rows] == ["'=HYPERLINK(A1)", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "1 = 1"]
    assert rows[3]["start"] == "3" and lab.admin.get("bouts")[0]["comment"] == "=HYPERLINK(A1)"


def test_a_password_is_changed_by_who_knows_it_or_runs_the_server(lab, capsys):  # noqa: F811
    ann = lab.invited("ann", "annotator")
    other = TestClient(lab.app)
    assert other.post("/api/sign-in", json={"name": "ann", "password": PASSWORD}).status_code == 200
    ann.post("password", {"old": "not this one", "new": "another long one"}, 403)
    ann.post("password", {"old": PASSWORD, "new": "short"}, 422)
    assert ann.http.post("/api/password", json={"old": PASSWORD, "new": "another long one"}).status_code == 204
    ann.get("me")  # this browser stays signed in, and others do not
    assert other.get("/api/me").status_code == 401
    assert other.post("/api/sign-in", json={"name": "ann", "password": PASSWORD}).status_code == 401
    assert other.post("/api/sign-in", json={"name": "ann", "password": "another long one"}).status_code == 200
    server.reset_password(lab.database, "ann")
    new = re.search(r"is now (\S+)", capsys.readouterr().out)[1]
    assert other.get("/api/me").status_code == 401
    assert other.post("/api/sign-in", json={"name": "ann", "password": new}).status_code == 200
    with pytest.raises(InputError, match="nobody of that name"):
        server.reset_password(lab.database, "otto")
