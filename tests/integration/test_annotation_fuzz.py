"""The annotation server's API fuzzed from its own OpenAPI document: whatever is asked, it never fails (no 5xx).

With more examples than in CI: FUZZ_EXAMPLES=500 python -m pytest tests/integration/test_annotation_fuzz.py
"""

from __future__ import annotations

import os
import warnings

import postgresql
import pytest
import schemathesis
import tiny
import tiny_lab
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings

from annotation import projects
from annotation.app import make_app
from annotation.database import Database

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))  # of each operation, on each database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def app(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    tiny.write_dataset(folder / "data", videos=1)
    if request.param == "sqlite":
        database = Database(f"sqlite:///{folder / 'annotation.sqlite'}")
    else:
        database = Database(postgresql.new_database(request.getfixturevalue("postgresql_server"), "fuzz"))
    tiny_lab.bring_in(database, folder / "data")
    made = make_app(database)
    with database.writing() as session:
        secret = projects.admin_invitation(session)
    http = TestClient(made)
    body = {"name": "ada", "password": "long enough to be one", "invitation": secret}
    http.headers["X-CSRF-Token"] = http.post("/api/join", json=body).json()["csrf"]
    token = http.post("/api/tokens", json={"name": "fuzz"}).json()["secret"]
    track = http.post("/api/videos/1/tracks").json()["id"]
    bout = {"id": "a", "behaviour": "down", "start": 0, "stop": 9}
    mark = {"id": "a", "name": "nose", "kind": "point", "keyframes": [[0, 1, 1], [9, 2, 2]]}
    edits = [{"edit": "a", "action": "put", "bout": bout}, {"edit": "b", "action": "mark", "mark": mark}]
    assert http.post(f"/api/tracks/{track}/edits", json={"edits": edits}).status_code == 200
    assert http.post("/api/projects/1/jobs", json={"kind": "train"}).status_code == 201
    made.state.fuzz_token = token
    return made


def operations():
    """Method and path of everything in the document, which no database is needed for."""
    paths = make_app(None).openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize("method, path", operations())
def test_nothing_makes_the_server_fail(app, method, path):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operation = schema[path][method]
    headers = {"Authorization": f"Bearer {app.state.fuzz_token}"}

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case):
        # The numbers of things that are there, so that what is behind them is met too.
        for name in ("project_id", "video_id", "track_id", "job_id"):
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = case.call(headers=headers)
        assert answer.status_code < 500, (answer.status_code, case.as_curl_command())

    ask()
