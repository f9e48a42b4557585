"""What files put into a labelling, where bouts are there already; and that no frame loses its label unsaid."""

from __future__ import annotations

import pytest
from test_annotation import lab, put  # noqa: F401


def table(*spans):
    """A table of bouts (behaviour, start, stop)."""
    return "\n".join(["label,start_frame,stop_frame", *(",".join(map(str, one)) for one in spans), ""]).encode()


def sent(person, track, content, status=200, name="theirs.csv"):
    answer = person.http.post(f"/api/tracks/{track}/import?name={name}", content=content)
    assert answer.status_code == status, answer.text
    return answer.json()


def bouts(person, track):
    found = person.get(f"tracks/{track}")["bouts"]
    return [(one["behaviour"], one["start"], one["stop"]) for one in found]


@pytest.fixture
def track(lab):  # noqa: F811
    made = lab.admin.post("videos/1/tracks", status=201)["id"]
    lab.admin.post(f"tracks/{made}/edits", {"edits": [
        put("a", "across", 0, 30), put("b", "down", 30, 40), put("c", "across", 50, 60), put("d", "down", 70, 80)
    ]})  # fmt: skip
    return made


def test_bouts_that_are_there_give_way_to_a_files(lab, track):  # noqa: F811
    sent(lab.admin, track, table(("down", 10, 20), ("still", 35, 55), ("across", 70, 80)))
    assert bouts(lab.admin, track) == [
        ("across", 0, 10), ("down", 10, 20), ("across", 20, 30), ("down", 30, 35), ("still", 35, 55),
        ("across", 55, 60), ("across", 70, 80),
    ]  # fmt: skip
    sent(lab.admin, track, table(("down", 10, 20), ("still", 35, 55), ("across", 70, 80)))  # the same again
    assert len(bouts(lab.admin, track)) == 7
    told = [one["action"] for one in lab.admin.get(f"tracks/{track}/history")]
    assert told.count("delete") == 4  # d by the first; all three by the second


def test_where_several_can_be_at_once_only_the_same_behaviour_gives_way(lab, track):  # noqa: F811
    behaviours = lab.admin.get("projects/1")["behaviours"]
    lab.admin.http.patch("/api/projects/1", json={"behaviours": behaviours, "exclusive": False})
    sent(lab.admin, track, table(("across", 20, 40), ("still", 25, 35)))
    assert bouts(lab.admin, track) == [
        ("across", 0, 20), ("across", 20, 40), ("still", 25, 35), ("down", 30, 40), ("across", 50, 60), ("down", 70, 80)
    ]  # fmt: skip


def test_behaviours_at_once_are_neither_taken_nor_handed_in_where_one_can_be(lab, track):  # noqa: F811
    before = bouts(lab.admin, track)
    told = sent(lab.admin, track, table(("down", 10, 20), ("across", 15, 25)), 422)
    assert "down and across at once at frame 15" in told["detail"]
    assert bouts(lab.admin, track) == before
    lab.admin.post(f"tracks/{track}/edits", {"edits": [put("e", "still", 25, 35)]})  # as a program may
    answer = lab.admin.post(f"tracks/{track}/state", {"state": "submitted"}, 409)
    assert "across and still at once at frame 25" in answer["detail"]
    lab.admin.post(f"tracks/{track}/edits", {"edits": [{"edit": "gone", "action": "delete", "id": "e"}]})
    lab.admin.post(f"tracks/{track}/state", {"state": "submitted"})


def test_what_is_wrong_with_a_file_is_told_by_the_name_it_came_with(lab, track):  # noqa: F811
    told = sent(lab.admin, track, b"a,b\n1,2\n", 422)["detail"]
    assert told.startswith("theirs.csv: ") and "/tmp" not in told
