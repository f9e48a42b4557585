"""Boxes and points on frames: what the server takes, keeps, interpolates, gives out and takes back."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session
from test_annotation import lab, put  # noqa: F401

from annotation import mark_edits
from annotation.database import MIGRATIONS, Database
from annotation.tables import Bout, Mark, Track
from data_prep import marks

FRAMES, SIZE = 90, 64  # of the videos of `tiny`


def mark(name, keyframes, kind="box", called="face", edit=None):
    body = {"id": name, "name": called, "kind": kind, "keyframes": keyframes}
    return {"edit": edit or f"{name}-{len(keyframes)}", "action": "mark", "mark": body}


def box(frame, x=1.0, y=2.0, width=3.0, height=4.0):
    return [frame, x, y, width, height]


@pytest.fixture
def track(lab):  # noqa: F811
    return lab.admin.post("videos/1/tracks", status=201)["id"]


def test_a_mark_is_put_replaced_and_removed_once_and_leaves_its_trail(lab, track):  # noqa: F811
    first, moved = mark("a", [box(3)], edit="one"), mark("a", [box(3), box(9, 7.25)], edit="two")
    point = mark("p", [[5, 0, SIZE]], "point", "nose tip, left", "three")
    everything = [first, put("bout", "down", 0, 9), moved, point]
    assert lab.admin.post(f"tracks/{track}/edits", {"edits": everything})["version"] == 4
    assert lab.admin.post(f"tracks/{track}/edits", {"edits": everything})["version"] == 4
    found = lab.admin.get(f"tracks/{track}")
    assert found["marks"] == [moved["mark"], point["mark"]] and len(found["bouts"]) == 1
    again = mark("a", [box(4)], edit="five")
    gone = {"edit": "four", "action": "unmark", "id": "a"}
    lab.admin.post(f"tracks/{track}/edits", {"edits": [gone, again, {**gone, "edit": "six", "id": "nothing"}]})
    assert [one["id"] for one in lab.admin.get(f"tracks/{track}")["marks"]] == ["a", "p"]
    trail = lab.admin.get(f"tracks/{track}/history")
    assert [one["action"] for one in trail] == ["mark", "put", "mark", "mark", "unmark", "mark", "unmark"]
    assert trail[2]["before"] == first["mark"] and trail[2]["after"] == moved["mark"]
    assert trail[4]["before"] == moved["mark"] and trail[4]["after"] is None
    assert lab.admin.get("projects/1/mark-names") == ["face", "nose tip, left"]
    lab.admin.post(f"tracks/{track}/state", {"state": "submitted"})
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("z", [box(1)])]}, 409)
    lab.admin.post(f"tracks/{track}/marks", {"marks": []}, 409)
    other = lab.invited("ann", "expert")
    other.post(f"tracks/{track}/edits", {"edits": [mark("z", [box(1)])]}, 403)
    other.post(f"tracks/{track}/marks", {"marks": []}, 403)
    assert other.get("projects/1/mark-names") == []  # until it is accepted
    other.post(f"tracks/{track}/state", {"state": "accepted"})
    assert other.get("projects/1/mark-names") == ["face", "nose tip, left"]


WRONG = {
    "no keyframe": [],
    "after the video": [box(FRAMES)],
    "before it": [box(-1)],
    "half a frame": [box(1.5)],
    "twice the same frame": [box(3), box(3)],
    "not in order": [box(3), box(2)],
    "left of the picture": [box(3, x=-0.5)],
    "over its right edge": [box(3, x=SIZE - 2.5)],
    "below it": [box(3, y=SIZE - 3.9)],
    "no width": [box(3, width=0)],
    "a point's keyframe": [[3, 1, 1]],
    "mixed": [box(3), [4, 1, 1]],
    "infinite": [box(3, x=float("inf"))],
    "no number": [box(3, x=float("nan"))],
    "text": [box(3, x="left")],
    "too long": [[3, 1, 1, 1, 1, 1]],
    "too many": [box(3)] * (marks.MOST_KEYFRAMES + 1),
}


def test_what_cannot_be_in_the_video_is_refused_whole(lab, track):  # noqa: F811
    for why, keyframes in WRONG.items():
        edits = [mark("good", [box(3)]), mark("bad", keyframes)]
        for body in (json.dumps({"edits": edits}), json.dumps({"edits": edits[::-1]})):
            sent = {"Content-Type": "application/json"}
            answer = lab.admin.http.post(f"/api/tracks/{track}/edits", content=body, headers=sent)
            assert answer.status_code == 422, (why, answer.text)
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("edge", [box(3, 0, 0, SIZE, SIZE)])]})
    assert [one["id"] for one in lab.admin.get(f"tracks/{track}")["marks"]] == ["edge"]


def test_names_kinds_and_numbers_of_marks_are_bounded(lab, track, monkeypatch):  # noqa: F811
    for wrong in ("", "x" * 81, "two\nlines", "nothing\x00"):
        lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("a", [box(3)], called=wrong)]}, 422)
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("a", [box(3)], "circle")]}, 422)
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("a b", [box(3)])]}, 422)
    # A text that one of the databases does not hold is no failure of the server.
    comment = put("a", "down", 0, 9)
    comment["bout"]["comment"] = "x\x00"
    answer = lab.admin.http.post(f"/api/tracks/{track}/edits", json={"edits": [comment]})
    assert answer.status_code in (200, 422)
    monkeypatch.setattr(mark_edits, "MOST_MARKS", 2)
    monkeypatch.setattr(mark_edits, "MOST_KEYFRAMES", 4)
    keys = [box(3), box(4)]
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("a", keys), mark("b", keys)]})
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("c", [box(3)])]}, 422)
    lab.admin.post(f"tracks/{track}/edits", {"edits": [mark("a", [*keys, box(5)])]}, 422)
    assert [len(one["keyframes"]) for one in lab.admin.get(f"tracks/{track}")["marks"]] == [2, 2]
    # The trail comes in parts that stay small, and all of it comes.
    seen = []
    while page := lab.admin.get(f"tracks/{track}/history?after={seen[-1]['id'] if seen else 0}"):
        assert len(page) < 4
        seen += page
    assert [one["after"]["id"] for one in seen if one["action"] == "mark"] == ["a", "b"]


def moving(seed, kind):
    """A mark with keyframes drawn at random."""
    rng = np.random.default_rng(seed)
    frames = np.sort(rng.choice(FRAMES, 7, replace=False)).tolist()
    numbers = rng.uniform(0.1, SIZE / 2, (7, 4 if kind == "box" else 2)).tolist()
    keyframes = tuple((at, *row) for at, row in zip(frames, numbers))
    return marks.Mark(f"{kind}{seed}", f'"{kind}", ü = {seed}', kind, keyframes)


@pytest.mark.parametrize("kind", ["box", "point"])
def test_between_keyframes_every_number_goes_straight(kind):
    for seed in range(20):
        one = moving(seed, kind)
        table = np.array(one.keyframes)
        frames, numbers, keys = marks.rows(one)
        np.testing.assert_array_equal(frames, np.arange(table[0, 0], table[-1, 0] + 1))
        for column in range(numbers.shape[1]):
            expected = np.interp(frames, table[:, 0], table[:, column + 1])
            np.testing.assert_allclose(numbers[:, column], expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(frames[keys], table[:, 0])
        np.testing.assert_array_equal(numbers[keys], table[:, 1:])
        for frame in range(FRAMES):
            there = numbers[frames == frame].tolist()
            assert marks.at(one, frame) == (tuple(there[0]) if there else None)
    alone = marks.Mark("a", "a", "point", ((5, 1.0, 2.0),))
    assert marks.at(alone, 5) == (1.0, 2.0) and marks.at(alone, 4) is marks.at(alone, 6) is None


def test_marks_go_out_and_come_back_without_loss(lab, track):  # noqa: F811
    ours = [moving(1, "box"), moving(2, "point"), moving(3, "point")]
    edits = [mark(one.id, one.keyframes, one.kind, one.name) for one in ours]
    lab.admin.post(f"tracks/{track}/edits", {"edits": edits})
    kept = lab.admin.get(f"tracks/{track}")["marks"]
    table = list(csv.DictReader(io.StringIO(lab.admin.http.get(f"/api/tracks/{track}/marks").text)))
    assert len(table) == sum(int(one.keyframes[-1][0] - one.keyframes[0][0]) + 1 for one in ours)
    for row in table:
        one = next(one for one in ours if one.id == row["mark"])
        frame = int(row["frame"])
        numbers = tuple(float(row[name]) for name in marks.NUMBERS[one.kind])
        assert numbers == marks.at(one, frame) and row["name"] == one.name and row["kind"] == one.kind
        assert float(row["seconds"]) == pytest.approx(frame / 30, abs=1e-6)
        assert row["keyframe"] == str(int(frame in [key[0] for key in one.keyframes]))
        assert one.kind == "box" or row["width"] == row["height"] == ""
    ann = lab.invited("ann", "annotator")
    mine = ann.post("videos/1/tracks", status=201)["id"]
    for kind in ("csv", "json"):
        content = lab.admin.http.get(f"/api/tracks/{track}/marks?as={kind}").content
        for _ in range(2):  # again, which changes nothing
            answer = ann.http.post(f"/api/tracks/{mine}/marks", content=content)
            assert answer.status_code == 200 and answer.json()["marks"] == 3, answer.text
            assert ann.get(f"tracks/{mine}")["marks"] == kept
        ann.post(f"tracks/{mine}/edits", {"edits": [
            {"edit": f"{kind}-{one.id}", "action": "unmark", "id": one.id} for one in ours
        ]})  # fmt: skip
    assert {one["action"] for one in ann.get(f"tracks/{mine}/history")} == {"mark", "unmark"}


def test_a_project_of_via_holds_them_beside_the_bouts(lab, track):  # noqa: F811
    ours = [moving(1, "box"), moving(2, "point")]
    edits = [put("a", "down", 3, 30), *(mark(one.id, one.keyframes, one.kind, one.name) for one in ours)]
    lab.admin.post(f"tracks/{track}/edits", {"edits": edits})
    content = lab.admin.http.get(f"/api/tracks/{track}/export?kind=via3").content
    ann = lab.invited("ann", "annotator")
    mine = ann.post("videos/1/tracks", status=201)["id"]
    answer = ann.http.post(f"/api/tracks/{mine}/import?name=x.json", content=content)
    assert answer.status_code == 200 and answer.json()["marks"] == 2, answer.text
    assert ann.get(f"tracks/{mine}")["marks"] == lab.admin.get(f"tracks/{track}")["marks"]
    # A region outside of the picture, and a name that is too long, are told of.
    project = json.loads(content)
    region = next(one for one in project["metadata"].values() if one["xy"])
    for xy, told in (([2, 1, 1, 500, 1], "picture"), ([1, 1], "numbers"), ([2, "a", 1, 1, 1], "damaged")):
        region["xy"] = xy
        answer = ann.http.post(f"/api/tracks/{mine}/import?name=x.json", content=json.dumps(project).encode())
        assert answer.status_code == 422 and told in answer.text, answer.text
    long = f"behaviour,start_frame,stop_frame,frames\n{'x' * 90},1,5,90\n".encode()
    assert ann.http.post(f"/api/tracks/{mine}/import?name=x.csv", content=long).status_code == 422


def test_tables_that_others_wrote_come_in(lab, track):  # noqa: F811
    given = "name,kind,frame,x,y,width,height\nmouse 1,box,9,1,2,3,4\nmouse 1,box,2,1,2,3,5\nnose,point,4,7,8,,\n"
    assert lab.admin.http.post(f"/api/tracks/{track}/marks", content=given).json()["marks"] == 2
    found = {one["name"]: one["keyframes"] for one in lab.admin.get(f"tracks/{track}")["marks"]}
    assert found == {"mouse 1": [[2, 1, 2, 3, 5], [9, 1, 2, 3, 4]], "nose": [[4, 7, 8]]}
    listed = {"id": "a", "name": "b", "kind": "box", "keyframes": [box(1)]}
    for wrong, told in (
        (b"\xff\xfe\x00", "UTF-8"), (b"frame,x\n", "no column name"), (b"[", "damaged JSON"), (b"{}", "not a list"),
        (b"[5]", "not a list"), (b"", "no column"), (b"[" * 100_000, "damaged JSON"),
        (b"name,kind,frame,x,y\nn,point,1,a,2\n", "line 2"), (b"name,kind,frame,x,y\nn,point,1,1,99\n", "inside the"),
        (b"name,kind,frame,x,y\nn,circle,1,1,9\n", "no kind"), (b"name,kind,frame,x,y\nn,point\n", "line 2"),
        (json.dumps([listed, listed]).encode(), "same id"),
        (json.dumps({"frames": 5, "width": 1, "height": 1, "marks": []}).encode(), "same video"),
        (b'[{"name": "a", "kind": "box", "keyframes": 7}]', "not a list"),
        (b'[{"name": "a", "kind": "box", "keyframes": [7]}]', "keyframes of frame"),
        (b'[{"name": "\\ud800", "kind": "point", "keyframes": [[1, 1, 1]]}]', "a name"),
        (b'[{"name": 3, "kind": "box", "keyframes": []}]', "a name"),
        (b'[{"name": "a", "kind": [], "keyframes": []}]', "no kind"),
        (b'[{"name": "a", "kind": "point", "keyframes": [[1, 1e999, NaN]]}]', "keyframes of frame"),
    ):  # fmt: skip
        answer = lab.admin.http.post(f"/api/tracks/{track}/marks", content=wrong)
        assert answer.status_code == 422 and told in answer.text, (wrong[:60], answer.text)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_of_before_opens_with_all_that_is_in_it(request, tmp_path, kind):
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_database")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    else:
        url = f"sqlite:///{tmp_path / 'old.sqlite'}"
        engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO projects VALUES (1, 'p', '/p', '[]', true, 0)",
            "INSERT INTO videos VALUES (1, 1, 'v', 'v.mp4', 1, 'v.mp4', 90, 30, 32, 32)",
            "INSERT INTO tracks VALUES (1, 1, NULL, 'model', 'm', 'draft', '[]', 4, 0)",
            "INSERT INTO bouts VALUES (1, 'b', 'down', 3, 5, '', NULL)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    opened = Database(url)
    with opened.writing() as session:
        assert session.get_one(Bout, (1, "b")).stop == 5 and session.get_one(Track, 1).version == 4
        session.add(Mark(track_id=1, id="a", name="face", kind="point", keyframes=[[1, 2.5, 3.0]], size=1))
    opened.engine.dispose()
    with Session(Database(url).engine) as session:  # and once more, with nothing to bring up to date
        assert session.scalars(select(Mark)).one().keyframes == [[1, 2.5, 3.0]]
