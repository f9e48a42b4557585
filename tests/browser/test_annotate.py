"""The annotation page in Debian's Chromium, on a real video: the whole way that people go, with keys and mouse."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import av
import numpy as np
import pytest
import site_under_test as site
from pages import CLASSES, bouts, joined, opened, press, saved, until

from data_prep.dataset import read_labels
from data_prep.video import read_frames


def test_from_the_first_key_to_the_datasets_labels(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    press(page, "Shift+ArrowRight", 5)
    press(page, "w")
    press(page, "Shift+ArrowRight", 10)
    press(page, "w")
    press(page, "ArrowRight")
    press(page, "g")
    press(page, "Shift+ArrowRight", 15)
    press(page, "g")
    saved(page)
    assert bouts(page) == [["walk", 50, 151], ["groom", 151, 302]]
    # An edge is dragged, and the neighbour gives way.
    edge = page.evaluate("[ethocaffe.timeline.x(151), ethocaffe.timeline.x(120)]")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + edge[0] - 1, box["y"] + 22 + 11)
    page.mouse.down()
    page.mouse.move(box["x"] + edge[1], box["y"] + 22 + 11, steps=4)
    page.mouse.up()
    (_, start, stop), groom = bouts(page)
    assert start == 50 and abs(stop - 120) <= 1 and groom == ["groom", 151, 302]
    press(page, "Control+z")
    assert bouts(page)[0] == ["walk", 50, 151]
    press(page, "Control+z")
    assert bouts(page) == [["walk", 50, 151]]
    press(page, "Control+Shift+z", 2)
    assert bouts(page)[0][2] == stop and len(bouts(page)) == 2
    # In an exclusive project a bout painted over others cuts them.
    page.evaluate("ethocaffe.player.go(60)")
    press(page, "r")
    press(page, "Shift+ArrowRight")
    press(page, "r")
    saved(page)
    assert bouts(page) == [["walk", 50, 60], ["rest", 60, 71], ["walk", 71, stop], ["groom", 151, 302]]
    # The connection goes, and comes back; a reload meanwhile loses nothing either.
    lab.kill()
    page.evaluate("ethocaffe.player.go(400)")
    press(page, "0")
    press(page, "Shift+ArrowRight", 2)
    press(page, "0")
    until(page, "document.getElementById('saving').textContent.startsWith('Not saved')")
    lab.start(lab.port)
    saved(page)
    page.reload()
    until(page, "window.ethocaffe?.labelling")
    assert bouts(page)[-1] == ["", 400, 421]
    # A second person, an expert, reviews.
    secret = page.evaluate(INVITE)
    page.click("text=Hand in")
    until(page, "document.querySelector('.state').textContent.includes('submitted')")
    other = joined(browser, f"{lab.address}/#invitation={secret}", "bob")
    opened(other)
    other.select_option("[data-do=track]", label="ada (submitted)")
    other.wait_for_selector("text=Accept")
    assert bouts(other)[0] == ["walk", 50, 60]
    press(other, "w")
    press(other, "w")
    assert len(bouts(other)) == 5  # not hers to change
    other.click("text=Accept")
    until(other, "document.querySelector('.state').textContent.includes('accepted')")
    labels = read_labels(lab.data / "labels" / "home_cage.csv", CLASSES)
    assert (labels[50:60] == 0).all() and (labels[60:71] == 2).all() and (labels[151:302] == 1).all()
    assert (labels[400:421] == -1).all()
    with page.expect_download() as download:
        page.click("text=labels.csv")
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert rows[1 + 410] == ["410", "0", "0", "0", "0"] and rows[1 + 500] == ["500", "-1", "-1", "-1", "-1"]
    # What was accepted trains a network.
    page.goto(f"{lab.address}/#project/1")
    page.get_by_label("Iterations").fill("4")
    page.click("text=Only train")
    until(page, "document.querySelector('.jobs td:nth-child(3)')?.textContent.startsWith('done')", 120)
    (trained,) = page.locator(".jobs tbody tr").all_inner_texts()
    assert "balanced accuracy" in trained and "videos it was trained on" in trained, trained
    assert page.faults == [] and other.faults == []


VIDEOS = ("home_cage.mp4", "home_cage_groom.mpg", "home_cage_drink_2.avi", "home_cage_drink_5.avi", "flies.mp4",
          "open_field_2330.mp4", "open_field_10000.mp4", "variable.mkv")  # fmt: skip
THIN = 8  # every so many pixels are compared


@pytest.mark.parametrize("name", VIDEOS)
def test_the_frame_shown_is_the_frame_of_that_number(browser, shared, tmp_path, name):
    """By its pixels: of 50 frames, asked for in any order, none looks more like a neighbour of the decoder's."""
    video = shared / "video" / name
    if name == "variable.mkv":
        video = write_variable(tmp_path / name, shared / "video" / "home_cage.mp4")
    data = site.make_dataset(tmp_path / "data", [video], CLASSES)
    running = site.Site(data)
    try:
        page = joined(browser, running.link, "ada")
        opened(page, video.stem)
        played = next(iter((data / "annotation").glob("*.playable.mp4")), data / "videos" / name)
        decoded, times = [], []
        for _, seconds, grey in read_frames(played):
            decoded.append(grey[::THIN, ::THIN].astype(np.float32))
            times.append(seconds)
        np.testing.assert_allclose(times, [seconds for _, seconds, _ in read_frames(video)], atol=1e-6)
        assert page.evaluate("ethocaffe.video.frames") == len(decoded)
        for frame in np.random.RandomState(1).permutation(len(decoded))[:50].tolist():
            picture = np.array(page.evaluate(SHOWN, [frame, THIN]), np.float32).reshape(decoded[frame].shape)
            near = range(max(frame - 3, 0), min(frame + 4, len(decoded)))
            off = {other: float(np.abs(decoded[other] - picture).mean()) for other in near}
            # A neighbour that looks the same to a quarter of a grey level cannot be told from it.
            alike = [one for one in near if np.abs(decoded[one] - decoded[frame]).mean() < 0.25]
            assert min(off, key=off.__getitem__) in alike, (frame, off)
    finally:
        running.stop()


def write_variable(path, source):
    """The first frames of a video, each shown 1 to 7 hundredths of a second."""
    steps = np.random.RandomState(2).randint(1, 8, 300)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
        stream.pix_fmt = "yuv420p"
        for (index, _, grey), at in zip(read_frames(source), np.cumsum(steps)):
            if index == 0:
                stream.height, stream.width = grey.shape
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., np.newaxis], 3, axis=2), format="rgb24")
            frame.pts, frame.time_base = int(at), Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


INVITE = """async () => {
  const api = await import("./page/api.js");
  return (await api.post("projects/1/invitations", { role: "expert" })).secret;
}"""
SHOWN = """async ([frame, thin]) => {
  const { player } = ethocaffe, { video } = player;
  const seeked = new Promise((done) => video.addEventListener("seeked", done, { once: true }));
  player.go(frame);
  await seeked;
  await new Promise((done) => setTimeout(done, 50));
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight), pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  const { data, width, height } = pen.getImageData(0, 0, video.videoWidth, video.videoHeight);
  const out = [];
  for (let y = 0; y < height; y += thin) for (let x = 0; x < width; x += thin) {
    const at = 4 * (y * width + x);
    out.push(0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]);
  }
  return out;
}"""
