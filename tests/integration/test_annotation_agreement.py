"""Agreement of people's labellings over the API, against scikit-learn, and a consensus of three of them."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import tiny
from sklearn.metrics import cohen_kappa_score
from test_annotation import lab  # noqa: F401

from data_prep.dataset import read_labels

FRAMES = 90  # of each of the lab's videos
NONE = len(tiny.CLASSES)


def hand_in(person, labels, video=1, exclusive=True):
    """A labelling handed in: per frame a class, NONE for none of these, −1 for not annotated."""
    track = person.post(f"videos/{video}/tracks", status=201)["id"]
    looked = {"edit": "looked", "action": "annotated", "spans": [[at, at + 1] for at in np.flatnonzero(labels >= 0)]}
    looked["spans"] = [[int(start), int(stop)] for start, stop in looked["spans"]]
    bouts = [
        {"edit": f"b{at}", "action": "put",
         "bout": {"id": f"b{at}", "behaviour": tiny.CLASSES[label], "start": at, "stop": at + 1}}
        for at, label in enumerate(labels.tolist()) if 0 <= label < NONE
    ]  # fmt: skip
    person.post(f"tracks/{track}/edits", {"edits": [looked, *bouts]})
    person.post(f"tracks/{track}/state", {"state": "submitted"})
    return track


def drawn(people, seed=0):
    """Labels of people who agree on most frames, int (people, FRAMES)."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(generator.integers(-1, NONE + 1, FRAMES // 6), 6)
    other = generator.integers(-1, NONE + 1, (people, FRAMES))
    return np.where(generator.random((people, FRAMES)) < 0.3, other, truth)


def test_kappas_are_scikit_learns_and_differences_are_told(lab):  # noqa: F811
    ann, bob = lab.invited("ann", "annotator"), lab.invited("bob", "expert")
    first, second = labels = drawn(2)
    tracks = [hand_in(ann, first), hand_in(bob, second)]
    got = lab.admin.get("videos/1/agreement")
    assert got == lab.admin.get(f"videos/1/agreement?tracks={tracks[0]},{tracks[1]}")
    shown = (labels >= 0).all(axis=0)
    (pair,) = got["pairs"]
    assert pair["cohen_kappa"] == pytest.approx(cohen_kappa_score(first[shown], second[shown]))
    assert pair["agreement"] == got["agreement"] == got["all_agree"] == pytest.approx((first == second)[shown].mean())
    assert got["frames"] == shown.sum() and got["frames_left_out"] == (~shown).sum()
    for at, name in enumerate(tiny.CLASSES):
        (pair,) = got["behaviours"][name]["pairs"]
        assert pair["cohen_kappa"] == pytest.approx(cohen_kappa_score(first[shown] == at, second[shown] == at)), name
    names = [*tiny.CLASSES, ""]
    told = {}
    for one in got["differences"]:
        for frame in range(one["start"], one["stop"]):
            told[frame] = [names.index(one["given"][who]) for who in ("ann", "bob")]
    assert told == {at: labels[:, at].tolist() for at in range(FRAMES) if shown[at] and first[at] != second[at]}


def test_a_project_pools_its_videos(lab):  # noqa: F811
    people = [lab.invited(name, "annotator") for name in ("ann", "bob", "cat")]
    lab.admin.get("videos/1/agreement", 409)
    assert lab.admin.get("projects/1/agreement")["videos"] == []
    one, two = drawn(3, seed=1), drawn(2, seed=2)
    for person, labels in zip(people, one, strict=True):
        hand_in(person, labels, 1)
    for person, labels in zip(people, two, strict=False):
        hand_in(person, labels, 2)
    got = lab.admin.get("projects/1/agreement")
    assert [video["annotators"] for video in got["videos"]] == [["ann", "bob", "cat"], ["ann", "bob"]]
    assert got["videos"][0]["fleiss_kappa"] == lab.admin.get("videos/1/agreement")["fleiss_kappa"]
    kappas = {tuple(pair["annotators"]): pair["cohen_kappa"] for pair in got["pairs"]}
    both = np.concatenate([one[:2], two], axis=1)
    both = both[:, (both >= 0).all(axis=0)]
    assert kappas["ann", "bob"] == pytest.approx(cohen_kappa_score(*both))
    ends = one[[0, 2]][:, (one[[0, 2]] >= 0).all(axis=0)]
    assert kappas["ann", "cat"] == pytest.approx(cohen_kappa_score(*ends))
    assert [(group["annotators"], group["videos"]) for group in got["fleiss"]] == [(2, 1), (3, 1)]
    still = {tuple(pair["annotators"]): pair for pair in got["behaviours"]["still"]["pairs"]}
    assert still["ann", "bob"]["cohen_kappa"] == pytest.approx(cohen_kappa_score(*(both == 0)))


def test_several_behaviours_at_once_are_measured_one_by_one(lab):  # noqa: F811
    behaviours = lab.admin.get("projects/1")["behaviours"]
    lab.admin.http.patch("/api/projects/1", json={"behaviours": behaviours, "exclusive": False})
    ann, bob = lab.invited("ann", "annotator"), lab.invited("bob", "annotator")
    everything = {"edit": "all", "action": "annotated", "spans": [[0, FRAMES]]}
    spans = {ann: [("still", 0, 50), ("down", 20, 40)], bob: [("still", 0, 50), ("down", 30, 50)]}
    for person, bouts in spans.items():
        track = person.post("videos/1/tracks", status=201)["id"]
        edits = [
            {"edit": f"{name}", "action": "put", "bout": {"id": name, "behaviour": name, "start": start, "stop": stop}}
            for name, start, stop in bouts
        ]
        person.post(f"tracks/{track}/edits", {"edits": [everything, *edits]})
        person.post(f"tracks/{track}/state", {"state": "submitted"})
    got = lab.admin.get("videos/1/agreement")
    assert not got["exclusive"] and "yes or no" in got["measured"] and got["pairs"] == [] and got["agreement"] is None
    down = [[20 <= frame < 40 for frame in range(FRAMES)], [30 <= frame < 50 for frame in range(FRAMES)]]
    assert got["behaviours"]["down"]["pairs"][0]["cohen_kappa"] == pytest.approx(cohen_kappa_score(*down))
    assert got["behaviours"]["still"]["pairs"][0]["agreement"] == 1
    assert [(one["start"], one["stop"]) for one in got["differences"]] == [(20, 30), (40, 50)]
    assert got["differences"][0]["given"] == {"ann": ["still", "down"], "bob": ["still"]}
    assert got["all_agree"] == pytest.approx(70 / 90)
    made = lab.admin.post("videos/1/consensus", {"tracks": [1, 2]}, 201)
    assert made["annotated"] == [[0, 20], [30, 40], [50, 90]]


@pytest.mark.parametrize("rule, enough", [("all", 3), ("majority", 2)])
def test_three_peoples_consensus_is_edited_accepted_and_becomes_the_labels(lab, rule, enough):  # noqa: F811
    people = [lab.invited(name, "annotator") for name in ("ann", "bob", "cat")]
    eve, dan = lab.invited("eve", "expert"), lab.invited("dan", "expert")
    labels = drawn(3, seed=4)
    tracks = [hand_in(person, own) for person, own in zip(people, labels, strict=True)]
    made = eve.post("videos/1/consensus", {"tracks": tracks, "rule": rule}, 201)
    assert made["kind"] == "consensus" and made["mine"] and made["author"] == "eve" and made["state"] == "draft"
    votes = (labels == np.arange(NONE + 1)[:, np.newaxis, np.newaxis]).sum(axis=1)
    expected = np.where(votes.max(axis=0) >= enough, votes.argmax(axis=0), -1)
    got = np.full(FRAMES, -1)
    track = eve.get(f"tracks/{made['id']}")
    for start, stop in track["annotated"]:
        got[start:stop] = NONE
    for bout in track["bouts"]:
        got[bout["start"] : bout["stop"]] = tiny.CLASSES.index(bout["behaviour"])
    np.testing.assert_array_equal(got, expected)
    assert (expected < 0).any() and (expected >= 0).any()
    history = eve.get(f"tracks/{made['id']}/history")
    assert history[0]["action"] == "consensus" and history[0]["after"]["of"] == ["ann", "bob", "cat"]
    # What is left open is its author's to decide, and nobody else's.
    start = int(np.flatnonzero(expected < 0)[0])
    decided = {
        "edit": "d",
        "action": "put",
        "bout": {"id": "d", "behaviour": "down", "start": start, "stop": start + 1},
    }
    dan.post(f"tracks/{made['id']}/edits", {"edits": [decided]}, 403)
    dan.post(f"tracks/{made['id']}/state", {"state": "accepted"}, 409)  # a draft of somebody else's
    eve.post(f"tracks/{made['id']}/edits", {"edits": [decided]})
    assert eve.post(f"tracks/{made['id']}/state", {"state": "accepted"})["labels"]
    expected[start] = tiny.CLASSES.index("down")
    expected[expected == NONE] = -1
    file = lab.folder / "labels" / "v0.csv"
    np.testing.assert_array_equal(read_labels(file, tiny.CLASSES), expected)
    # The last accepted one is the dataset's, which both say; returned, the one before it is so again.
    dan.post(f"tracks/{tracks[0]}/state", {"state": "accepted"})
    own = np.where(labels[0] == NONE, -1, labels[0])
    np.testing.assert_array_equal(read_labels(file, tiny.CLASSES), own)
    assert {one["id"]: one["labels"] for one in dan.get("videos/1/tracks")}[made["id"]] is False
    assert eve.get(f"tracks/{made['id']}/history")[-1]["after"] == {"by": tracks[0]}
    assert eve.get(f"tracks/{tracks[0]}/history")[-1]["after"]["replaces"] == str(made["id"])
    dan.post(f"tracks/{tracks[0]}/state", {"state": "returned", "reason": "too coarse"})
    np.testing.assert_array_equal(read_labels(file, tiny.CLASSES), expected)
    assert people[0].get(f"tracks/{tracks[0]}")["reason"] == "too coarse"


def test_a_consensus_is_of_what_was_handed_in_and_may_be_seen(lab):  # noqa: F811
    ann, bob, eve = lab.invited("ann", "annotator"), lab.invited("bob", "annotator"), lab.invited("eve", "expert")
    labels = drawn(2)
    first = hand_in(ann, labels[0])
    draft = bob.post("videos/1/tracks", status=201)["id"]
    eve.post("videos/1/consensus", {"tracks": [first, draft]}, 409)
    eve.post("videos/1/consensus", {"tracks": [first, first]}, 422)
    eve.post("videos/2/consensus", {"tracks": [first, draft]}, 404)
    eve.post("videos/1/consensus", {"tracks": [first, 99]}, 404)
    hand_in(bob, labels[1])
    eve.get("videos/1/agreement")
    people = {one["name"]: one["id"] for one in eve.get("projects/1/members")}
    lab.admin.post("projects/1/assignments", {"video": 1, "user": people["eve"], "blind": True}, 201)
    eve.post("videos/1/consensus", {"tracks": [first, draft]}, 404)
    eve.get(f"videos/1/agreement?tracks={first},{draft}", 404)
    eve.get("videos/1/agreement", 409)
    assert eve.get("projects/1/agreement")["videos"] == [] and eve.get("projects/1/bouts") == []


def test_bouts_are_found_over_all_projects_one_is_expert_in(lab):  # noqa: F811
    eve = lab.invited("eve", "expert")
    for video in (1, 2):
        hand_in(lab.admin, drawn(1, seed=video)[0], video)
    found = eve.get("bouts?behaviour=down")
    assert {one["video"] for one in found} == {"v0", "v1"} and {one["by"] for one in found} == {"ada"}
    table = list(csv.DictReader(io.StringIO(eve.get("bouts?behaviour=down&as=csv").text)))
    assert [(one["video"], int(one["start"])) for one in table] == [(one["video"], one["start"]) for one in found]
    same = eve.http.get("/api/projects/1/bouts?behaviour=down", headers={"Accept": "text/csv"})
    assert same.headers["content-type"].startswith("text/csv") and same.text.count("\n") == len(found) + 1
    assert lab.invited("ann", "annotator").get("bouts") == []
