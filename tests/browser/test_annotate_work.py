"""Working together on the page: labellings compared, agreement, a consensus."""

from __future__ import annotations

import os

import pytest
import site_under_test as site
from test_annotate import CLASSES, browser, joined, opened, press, until  # noqa: F401

from data_prep.dataset import read_labels

PICTURES = os.environ.get("ETHOCAFFE_PICTURES")  # a folder for pictures of the pages, for whoever looks at them

# Somebody's labelling of video 1: bouts [behaviour, start, stop], looked at to a frame, and handed in.
LABEL = """async ([bouts, looked]) => {
  const api = await import("./page/api.js");
  await api.me();
  const { id } = await api.post("videos/1/tracks");
  const bout = ([behaviour, start, stop], at) => ({ id: `b${at}`, behaviour, start, stop });
  const edits = bouts.map((one, at) => ({ edit: `e${at}`, action: "put", bout: bout(one, at) }));
  edits.push({ edit: "looked", action: "annotated", spans: [[0, looked]] });
  await api.post(`tracks/${id}/edits`, { edits });
  await api.post(`tracks/${id}/state`, { state: "submitted" });
  return id;
}"""
INVITE = """async (role) => {
  const api = await import("./page/api.js");
  return (await api.post("projects/1/invitations", { role })).secret;
}"""


def picture(page, name):
    if PICTURES:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/{name}.png")


@pytest.fixture
def lab(shared, tmp_path):
    data = site.make_dataset(tmp_path / "cage", [shared / "video" / "home_cage.mp4"], CLASSES)
    running = site.Site(data)
    running.data = data
    yield running
    running.stop()


def member(browser, lab, admin, name, role="annotator"):  # noqa: F811
    return joined(browser, f"{lab.address}/#invitation={admin.evaluate(INVITE, role)}", name)


def test_labellings_are_compared_and_a_consensus_is_decided_and_accepted(lab, browser):  # noqa: F811
    ada = joined(browser, lab.link, "ada")
    for name, walk in (("ann", 150), ("bob", 160), ("cat", 155)):
        person = member(browser, lab, ada, name)
        person.evaluate(LABEL, [[["walk", 50, walk], ["groom", walk, 300]], 400])
        person.context.close()
    opened(ada)
    ada.select_option(".whose:has-text('Labelling') select", label="ann (submitted)")
    until(ada, "!ethocaffe.labelling.track.mine")
    ada.select_option(".comparing select", label="bob (submitted)")
    until(ada, "document.querySelector('.comparing').textContent.includes('kappa')")
    assert "10 frames, in 1 place " in ada.inner_text(".comparing") and "97.5 %" in ada.inner_text(".comparing")
    press(ada, ">")
    assert ada.evaluate("ethocaffe.player.frame") == 150
    assert ada.evaluate("ethocaffe.timeline.differences") == [[150, 160]]
    picture(ada, "compare")
    ada.click("summary:has-text('Consensus')")
    picture(ada, "consensus")
    ada.click("text=Make a consensus")
    until(ada, "ethocaffe.labelling.track.kind === 'consensus' && ethocaffe.labelling.editable")
    assert ada.evaluate("ethocaffe.labelling.track.annotated") == [[0, 150], [160, 400]]
    ada.evaluate("ethocaffe.player.go(0)")
    press(ada, "PageDown")  # to what is left to decide
    assert ada.evaluate("ethocaffe.player.frame") == 150
    press(ada, "w")
    press(ada, "ArrowRight", 9)
    press(ada, "w")
    until(ada, "document.getElementById('saving').textContent === 'All saved'")
    picture(ada, "decided")
    ada.click(".review >> text=Accept")
    until(ada, "document.querySelector('.state').textContent.includes(\"the dataset's labels\")")
    labels = read_labels(lab.data / "labels" / "home_cage.csv", CLASSES)
    assert (labels[50:160] == 0).all() and (labels[160:300] == 1).all()
    assert ada.faults == []
