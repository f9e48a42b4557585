"""Working together on the page: labellings compared, a consensus, and a project run from its first video on."""

from __future__ import annotations

import os
import socket
import time

import numpy as np
import pytest
import site_under_test as site
from pages import CLASSES, joined, opened, press, saved, until

from annotation.uploads import PARTIAL
from data_prep.dataset import read_classes, read_labels
from tools import predictions

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


def member(browser, lab, admin, name, role="annotator"):
    return joined(browser, f"{lab.address}/#invitation={admin.evaluate(INVITE, role)}", name)


def test_labellings_are_compared_and_a_consensus_is_decided_and_accepted(lab, browser):
    ada = joined(browser, lab.link, "ada")
    people = {name: member(browser, lab, ada, name) for name in ("ann", "bob", "cat")}
    for name, walk in (("ann", 150), ("bob", 160), ("cat", 155)):
        people[name].evaluate(LABEL, [[["walk", 50, walk], ["groom", walk, 300]], 400])
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
    ada.fill(".review input", "look at 155 again")
    ada.click("text=Return")
    until(ada, "document.querySelector('.state').textContent.includes('because: look at 155 again')")
    opened(people["ann"])
    assert "Yours: returned, because: look at 155 again" in people["ann"].inner_text(".state")
    people["ann"].click("text=Hand in")
    until(people["ann"], "document.querySelector('.state').textContent.startsWith('Yours: submitted')")
    ada.reload()
    until(ada, "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2")
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
    saved(ada)
    picture(ada, "decided")
    ada.click(".review >> text=Accept")
    until(ada, "document.querySelector('.state').textContent.includes(\"the dataset's labels\")")
    labels = read_labels(lab.data / "labels" / "home_cage.csv", CLASSES)
    assert (labels[50:160] == 0).all() and (labels[160:300] == 1).all()
    # What the page reckons to differ is what the server does.
    generator = np.random.default_rng(5)
    numbers = []
    for name in ("dan", "eva"):
        cuts = np.sort(generator.choice(1000, 80, replace=False)).tolist()
        bouts = [[CLASSES[generator.integers(4)], *cuts[at : at + 2]] for at in range(0, 80, 2)]
        person = member(browser, lab, ada, name)
        numbers.append(person.evaluate(LABEL, [bouts, int(generator.integers(600, 1000))]))
        person.context.close()
    ada.reload()
    until(ada, "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2")
    ada.select_option(".whose:has-text('Labelling') select", value=str(numbers[0]))
    until(ada, f"ethocaffe.labelling.track.id === {numbers[0]}")
    ada.select_option(".comparing select", value=str(numbers[1]))
    until(ada, f"ethocaffe.comparison.other?.id === {numbers[1]}")
    shown = ada.evaluate("ethocaffe.comparison.differences")
    told = ada.evaluate(DIFFERENCES, f"videos/1/agreement?tracks={numbers[0]},{numbers[1]}")
    assert len(told) > 20 and frames(shown) == frames(told)
    picture(ada, "differences")
    assert ada.faults == []


DIFFERENCES = """async (path) => {
  const api = await import("./page/api.js");
  return (await api.get(path)).differences.map(({ start, stop }) => [start, stop]);
}"""


def frames(spans):
    return {frame for start, stop in spans for frame in range(start, stop)}


@pytest.fixture
def full(shared, tmp_path):
    """A server with a model's predictions and a folder for new projects."""
    data = site.make_dataset(tmp_path / "cage", [shared / "video" / "home_cage.mp4"], CLASSES)
    frames, out = 1188, tmp_path / "out" / "home_cage"
    out.mkdir(parents=True)
    shares = np.full((frames, len(CLASSES)), 0.06)
    shares[np.arange(frames), np.arange(frames) // 300] = 0.82
    predictions.write(out / "predictions.csv", range(frames), np.arange(frames) / 30, shares, CLASSES)
    (tmp_path / "made").mkdir()
    running = site.Site(data, "--predictions", str(tmp_path / "out"), "--projects", str(tmp_path / "made"))
    running.data, running.made = data, tmp_path / "made"
    yield running
    running.stop()


def part(page, name):
    page.click(f".tabs >> text={name}")
    page.wait_for_selector(f".tabs [aria-current]:has-text('{name}')")


def test_a_project_is_run_in_the_page(full, browser, shared, tmp_path):
    ada = joined(browser, full.link, "ada")
    ada.on("dialog", lambda dialog: dialog.accept())
    assert "0.82" in ada.inner_text("table.list") and "least sure" in ada.inner_text("table.list")
    picture(ada, "next")
    part(ada, "People")
    ada.select_option("select[aria-label=Role]", label="expert")
    for name in ("ann", "bob"):
        ada.click("text=Make an invitation")
        until(ada, "document.querySelectorAll('.part')[1].querySelectorAll('tbody tr').length === 1")
        link = ada.inner_text("output.secret").split()[0]
        person = joined(browser, link, name)
        stop = 150 if name == "ann" else 180
        person.evaluate(LABEL, [[["walk", 50, stop], ["groom", stop, 300]], 400])
        person.context.close()
        ada.reload()
        ada.wait_for_selector("text=Make an invitation")
        ada.select_option("select[aria-label=Role]", label="expert")
    ada.click("text=Make an invitation")
    until(ada, "document.querySelectorAll('.part')[1].querySelectorAll('tbody tr').length === 1")
    picture(ada, "people")
    ada.click("text=Withdraw")
    until(ada, "document.querySelectorAll('.part')[1].querySelectorAll('tbody tr').length === 0")
    ada.select_option("select[aria-label='Role of bob']", label="annotator")
    ada.reload()
    until(ada, "document.querySelector('select[aria-label=\"Role of bob\"]')?.value === 'annotator'")
    part(ada, "Videos")
    ada.check("[aria-label='Choose home_cage']")
    ada.select_option(".bar select", label="bob (annotator)")
    ada.check("text=blind")
    ada.click("text=Assign")
    ada.wait_for_selector(".chip:has-text('bob (blind)')")
    picture(ada, "videos")
    ada.click("[aria-label='Take home_cage back from bob']")
    until(ada, "!document.querySelector('.chip')")
    part(ada, "Agreement")
    assert "ann and bob" in ada.inner_text("main") and "92.5 %" in ada.inner_text("main")
    picture(ada, "agreement")
    part(ada, "Behaviours")
    ada.click("text=Add a behaviour")
    ada.fill("tbody tr:last-child input >> nth=0", "rear")
    ada.fill("tbody tr:last-child input >> nth=1", "e")
    picture(ada, "behaviours")
    ada.click("text=Save")
    saved(ada)
    assert read_classes(full.data / "classes.txt") == (*CLASSES, "rear")
    # A labelling's history, and a comment in it.
    part(ada, "Videos")
    opened(ada)
    until(ada, "document.querySelector('.place').textContent.includes('model: walk 0.82')")
    press(ada, "w")
    press(ada, "Shift+ArrowRight")
    press(ada, "w")
    ada.fill(".near input", "only for a moment")
    ada.press(".near input", "Tab")
    saved(ada)
    picture(ada, "model")
    ada.click("text=History")
    ada.wait_for_selector("text=Comments")
    assert "new: walk, frames 0 to 11" in ada.inner_text("main") and "only for a moment" in ada.inner_text("main")
    picture(ada, "history")
    ada.click("td >> text=walk, frames 0 to 11")
    until(ada, "window.ethocaffe?.labelling && location.hash.startsWith('#video')")
    # A project of one's own, and videos into it.
    ada.click("text=Projects")
    ada.wait_for_selector("text=New project")
    ada.fill(".field input", "birds")
    ada.fill("textarea", "peck\nfly")
    picture(ada, "projects")
    ada.click("text=Make the project")
    ada.wait_for_selector("text=no videos yet")
    (tmp_path / "wrong.mp4").write_text("no video")
    ada.set_input_files("input[type=file]", [tmp_path / "wrong.mp4", shared / "video" / "home_cage_drink_2.avi"])
    ada.wait_for_selector("text=Show all videos")
    assert "not taken: wrong.mp4: is not a video" in ada.inner_text(".uploads")
    assert "taken as home_cage_drink_2" in ada.inner_text(".uploads")
    picture(ada, "uploads")
    assert [file.name for file in (full.made / "birds" / "videos").iterdir()] == ["home_cage_drink_2.avi"]
    ada.click("text=Show all videos")
    ada.wait_for_selector("td a:has-text('home_cage_drink_2')")
    opened(ada, "home_cage_drink_2")
    ada.click("#who a")
    ada.fill("[aria-label='What the token is for']", "a script")
    ada.click("text=Make a token")
    ada.wait_for_selector("td:has-text('a script')")
    picture(ada, "account")
    ada.click("[aria-label='Remove a script']")
    ada.wait_for_selector("text=no tokens")
    assert ada.faults == []


def test_half_a_video_is_gone_when_its_sender_or_the_server_is(full, shared, browser):
    ada = joined(browser, full.link, "ada")
    secret = ada.evaluate(TOKEN)
    content = (shared / "video" / "home_cage_drink_2.avi").read_bytes()
    head = f"POST /api/projects/1/videos?name=half.avi HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
    head += f"Content-Length: {2 << 30}\r\n\r\n"

    def partial():
        return list((full.data / "annotation").glob(f"{PARTIAL}*"))

    def half():
        sender = socket.create_connection(("127.0.0.1", full.port))
        sender.sendall(head.encode() + content[: len(content) // 2])
        wait(lambda: partial())
        return sender

    half().close()
    wait(lambda: not partial())
    sender = half()  # open until the server is gone
    full.kill()
    sender.close()
    assert len(partial()) == 1
    full.start(full.port)
    assert partial() == [] and [file.name for file in (full.data / "videos").iterdir()] == ["home_cage.mp4"]


def wait(so, seconds=20.0):
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)


TOKEN = """async () => {
  const api = await import("./page/api.js");
  await api.me();
  return (await api.post("tokens", { name: "program" })).secret;
}"""
