"""Boxes and points on frames in Debian's Chromium: drawn, moved, interpolated, undone, and where they were drawn."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import site_under_test as site
from pages import CLASSES, joined, opened, press, saved, until

from data_prep import mark_files, marks

MARKS = "[...ethocaffe.labelling.marks.values()]"


def go(page, frame):
    page.evaluate(GO, frame)


def drag(page, start, end):
    """From one place of the video's picture to another, in its pixels."""
    for at, then in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(*page.evaluate(ON_SCREEN, at), steps=3)
        then()


def drawn_over(page):
    """Which pixels of the window the marks cover, bool (height, width)."""
    pictures = []
    for shown in ("visible", "hidden"):
        page.evaluate("shown => { document.querySelector('.picture svg').style.visibility = shown; }", shown)
        pictures.append(cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int))
    page.evaluate("document.querySelector('.picture svg').style.visibility = 'visible'")
    return np.abs(pictures[0] - pictures[1]).max(axis=2) > 8


def test_a_box_is_drawn_moved_and_half_way_between(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    go(page, 100)
    page.fill("[name=mark]", "mouse")
    press(page, "Enter")
    press(page, "Shift+B")
    drag(page, [60, 40], [140, 100])
    go(page, 200)
    drag(page, [100, 70], [160, 110])  # moved by (60, 40) here: another keyframe
    (mark,) = page.evaluate(MARKS)
    assert mark["name"] == "mouse" and [key[0] for key in mark["keyframes"]] == [100, 200]
    np.testing.assert_allclose(mark["keyframes"], [[100, 60, 40, 80, 60], [200, 120, 80, 80, 60]], atol=1)
    (_, x, y, width, height), (_, to_x, to_y, *_) = mark["keyframes"]
    go(page, 150)
    half = page.evaluate("ethocaffe.marking.items[0].numbers")
    assert half == [(x + to_x) / 2, (y + to_y) / 2, width, height]
    press(page, "Escape")  # without its corners, which are not the box
    drawn = drawn_over(page)
    left, top = page.evaluate(ON_SCREEN, half[:2])
    right, bottom = page.evaluate(ON_SCREEN, [half[0] + width, half[1] + height])
    inner = drawn[int(top) + 5 : int(bottom) - 5, int(left) - 20 : int(right) + 20]
    columns = np.flatnonzero(inner.mean(axis=0) > 0.7) + int(left) - 20
    sides = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    np.testing.assert_allclose([(side[0] + side[-1] + 1) / 2 for side in sides], [left, right], atol=1)
    inner = drawn[int(top) - 4 : int(bottom) + 20, int(left) + 60 : int(right) - 5]  # right of its name
    lines = np.flatnonzero(inner.mean(axis=1) > 0.7) + int(top) - 4
    sides = np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1)
    np.testing.assert_allclose([(side[0] + side[-1] + 1) / 2 for side in sides], [top, bottom], atol=1)
    # Undo takes the move back, and then the box; redo brings both.
    press(page, "Control+z")
    assert [key[0] for key in page.evaluate(MARKS)[0]["keyframes"]] == [100]
    assert page.evaluate("ethocaffe.marking.items") == []  # a mark with one keyframe is on that frame only
    press(page, "Control+z")
    assert page.evaluate(MARKS) == []
    press(page, "Control+Shift+z", 2)
    assert page.evaluate(MARKS) == [mark]
    saved(page)
    page.reload()
    until(page, "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2")
    assert page.evaluate(MARKS) == [mark]
    # A corner is dragged at a frame between: a keyframe there.
    go(page, 150)
    page.click(".here button")
    drag(page, [half[0] + width, half[1] + height], [half[0] + width + 20, half[1] + height + 10])
    assert page.evaluate(MARKS)[0]["keyframes"][1] == pytest.approx([150, *half[:2], width + 20, height + 10], abs=1)
    until(page, "document.querySelector('.here button').textContent === '◆ mouse'")
    # While the video plays, every frame that is shown has its own place of the box.
    go(page, 100)
    press(page, "Escape")
    seen = page.evaluate(PLAY, 160)
    assert len({frame for frame, _ in seen}) > 5
    keyframes = tuple(map(tuple, page.evaluate(MARKS)[0]["keyframes"]))
    for frame, numbers in seen:
        assert tuple(numbers) == marks.at(marks.Mark("", "mouse", "box", keyframes), frame)
    # Out of the server, a row per frame, as the page shows it.
    saved(page)
    text = page.request.get(f"{lab.address}/api/tracks/1/marks").text()
    rows = {int(row["frame"]): row for row in csv.DictReader(io.StringIO(text))}
    assert sorted(rows) == list(range(100, 201))
    go(page, 137)
    numbers = [float(rows[137][name]) for name in marks.NUMBERS["box"]]
    assert page.evaluate("ethocaffe.marking.items[0].numbers") == numbers
    assert page.faults == []


def test_all_of_it_by_keys_and_without_a_connection(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    keyframes = f"{MARKS}.map(one => one.keyframes)"
    go(page, 10)
    press(page, "Shift+P", 2)
    press(page, "Alt+ArrowRight", 3)
    press(page, "Alt+ArrowUp")
    width, height = page.evaluate("[ethocaffe.video.width, ethocaffe.video.height]")
    assert page.evaluate(keyframes) == [[[10, width / 2 + 3, height / 2 - 1]]]
    press(page, "Shift+ArrowRight")
    assert page.evaluate("ethocaffe.player.frame") == 20
    press(page, "Shift+K")  # stays where it is, till here
    press(page, "ArrowRight")
    press(page, "Delete")  # no keyframe here
    press(page, "{")
    assert page.evaluate("ethocaffe.player.frame") == 20
    assert [len(one) for one in page.evaluate(keyframes)] == [2]
    press(page, "{")
    press(page, "Delete")
    assert [[key[0] for key in one] for one in page.evaluate(keyframes)] == [[20]]
    press(page, "Shift+B", 2)
    press(page, "Alt+Shift+ArrowRight")
    (_, box) = page.evaluate(MARKS)
    assert box["kind"] == "box" and box["keyframes"][0][3] == pytest.approx(width / 3 + 1, abs=0.01)
    page.fill("[name=mark]", "cage")
    press(page, "Enter")
    assert [one["name"] for one in page.evaluate(MARKS)] == ["point", "cage"]
    press(page, "Shift+Delete")
    assert [one["name"] for one in page.evaluate(MARKS)] == ["point"]
    press(page, "Control+z")
    saved(page)
    # What did not reach the server is there when the page is opened again, and is sent then.
    page.route("**/edits", lambda route: route.abort())
    page.evaluate("ethocaffe.marking.choose([...ethocaffe.labelling.marks.keys()][1])")
    press(page, "Alt+ArrowLeft")
    until(page, "document.getElementById('saving').textContent.startsWith('Not saved')")
    kept = page.evaluate(MARKS)
    again = page.context.new_page()
    again.goto(page.url)
    until(again, "window.ethocaffe?.labelling")
    saved(again)
    given = page.request.get(f"{lab.address}/api/tracks/1").json()["marks"]
    by_id = sorted(kept, key=lambda one: one["id"])
    assert sorted(again.evaluate(MARKS), key=lambda one: one["id"]) == by_id == given
    # A table comes in through the page.
    with again.expect_response("**/marks") as answer:
        again.set_input_files(".marking input[type=file]", files=[
            {"name": "x.csv", "mimeType": "text/csv", "buffer": b"name,kind,frame,x,y\nnose,point,7,1,2\n"}
        ])  # fmt: skip
    assert answer.value.status == 200
    until(again, f"{MARKS}.length === 3")
    assert page.faults == []


def test_the_page_interpolates_as_the_files_do(lab, browser):
    page = joined(browser, lab.link, "ada")
    rng = np.random.default_rng(5)
    for kind, columns in (("box", 4), ("point", 2)):
        frames = np.sort(rng.choice(3000, 40, replace=False)).tolist()
        numbers = rng.uniform(0, 640, (40, columns)).tolist()
        mark = marks.Mark("a", "a", kind, tuple((frame, *row) for frame, row in zip(frames, numbers)))
        (given,) = mark_files.as_json([mark], "v", 3000, 640, 640)["marks"]
        there = page.evaluate(AT, [given, 3000])
        assert there == [list(one) if (one := marks.at(mark, frame)) else None for frame in range(3000)]


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_box_is_where_it_was_drawn_in_a_video_of_any_shape(browser, tmp_path, ratio):
    """A bright rectangle is found on the screen by its pixels; a box drawn around it has its place in the video."""
    x, y, width, height = rectangle = [32, 50, 46, 88]
    video = tmp_path / "tall.mp4"
    picture = np.full((200, 120, 3), 30, np.uint8)
    picture[y : y + height, x : x + width] = 250
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 120, 200, "yuv420p"
        for _ in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    running = site.Site(site.make_dataset(tmp_path / "data", [video], CLASSES))
    try:
        page = joined(Sharp(browser, ratio), running.link, "ada")
        opened(page, "tall")
        go(page, 20)
        place = page.locator("video").bounding_box()
        seen = cv2.imdecode(np.frombuffer(page.screenshot(clip=place), np.uint8), cv2.IMREAD_GRAYSCALE) > 140
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        corners = [
            (place["x"] + column / ratio, place["y"] + row / ratio)
            for column, row in ((columns[0], rows[0]), (columns[-1] + 1, rows[-1] + 1))
        ]
        press(page, "Shift+B")
        page.mouse.move(*corners[1])
        page.mouse.down()
        page.mouse.move(*corners[0], steps=3)  # from the lower right corner, which is the same box
        page.mouse.up()
        (mark,) = page.evaluate(MARKS)
        np.testing.assert_allclose(mark["keyframes"], [[20, *rectangle]], atol=1)
        # Over the picture's edge the box ends at the edge.
        press(page, "Shift+B")
        drag(page, [100, 150], [400, 400])
        _, other = page.evaluate(MARKS)
        np.testing.assert_allclose(other["keyframes"], [[20, 100, 150, 20, 50]], atol=1)
        saved(page)
        assert page.faults == []
    finally:
        running.stop()


class Sharp:
    """A browser on a screen of so many pixels per CSS pixel."""

    def __init__(self, browser, ratio):
        self.browser, self.ratio = browser, ratio

    def new_context(self, **more):
        return self.browser.new_context(device_scale_factor=self.ratio, **more)


GO = """async (frame) => {
  const { player } = ethocaffe;
  const seeked = new Promise((done) => player.video.addEventListener("seeked", done, { once: true }));
  player.go(frame);
  await seeked;
  await new Promise((done) => setTimeout(done, 50));
}"""
ON_SCREEN = """([x, y]) => {
  const box = document.querySelector(".picture svg").getBoundingClientRect(), place = ethocaffe.marking.overlay.place();
  return [box.left + place.left + x * place.x, box.top + place.top + y * place.y];
}"""
PLAY = """async (until) => {
  const { marking: { overlay }, player } = ethocaffe, seen = [], draw = overlay.draw;
  overlay.draw = function (items, ...more) {
    draw.call(this, items, ...more);
    if (items) seen.push([player.frame, items[0].numbers]);
  };
  const stopped = new Promise((done) => player.video.addEventListener("pause", done, { once: true }));
  await player.toggle(until);
  await stopped;
  overlay.draw = draw;
  return seen;
}"""
AT = """async ([mark, frames]) => {
  const { at } = await import("./page/marks.js");
  return Array.from({ length: frames }, (_, frame) => at(mark, frame));
}"""
