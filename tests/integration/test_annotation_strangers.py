"""What strangers, and people who mean harm, get out of the annotation server."""

from __future__ import annotations

from fastapi.testclient import TestClient
from test_annotation import lab  # noqa: F401


def test_of_strangers_nothing_long_is_taken_apart(lab):  # noqa: F811
    long = b"[" + b"[]," * 100_000 + b"no JSON"
    for path in ("sign-in", "join", "tracks/1/edits", "tracks/1/import"):
        answer = TestClient(lab.app).post(f"/api/{path}", content=long, headers={"Content-Type": "application/json"})
        assert answer.status_code == 401, (path, answer.text[:100])
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    assert lab.admin.http.post(f"/api/tracks/{track}/edits", content=long).status_code == 422
    lab.admin.http.headers.pop("X-CSRF-Token")
    assert lab.admin.http.post(f"/api/tracks/{track}/edits", content=long).status_code == 403
