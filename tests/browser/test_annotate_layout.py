"""The pages with many behaviours and long names, on a laptop's screen and in a narrow window."""

from __future__ import annotations

import pytest
import site_under_test as site
from pages import joined, until

CLASSES = ["walking along the wall", *(f"behaviour number {number} of many" for number in range(19))]
NAME = "2026-11-26_cage_07_mouse_C57BL6J_female_camera_2_session_without_drug_part_3"


@pytest.fixture
def page(shared, tmp_path, browser):
    data = site.make_dataset(tmp_path / "a_project_with_a_long_name", [shared / "video" / "home_cage.mp4"], CLASSES)
    (data / "videos" / "home_cage.mp4").rename(data / "videos" / f"{NAME}.mp4")
    running = site.Site(data)
    page = joined(browser, running.link, "Bartholomew the annotator from the night shift")
    page.address = running.address
    yield page
    running.stop()
    assert page.faults == []


def test_twenty_behaviours_with_long_names_leave_room_for_the_rest(page):
    page.goto(f"{page.address}/#video/1")
    until(page, "window.ethocaffe?.labelling && document.querySelector('.state').textContent")
    bottom = page.evaluate("document.querySelector('.state').getBoundingClientRect().bottom")
    assert bottom < 768  # what becomes of the labelling is in sight
    shown = page.evaluate("document.querySelector('canvas').getBoundingClientRect().bottom")
    assert shown < 900  # the lanes, but for a few
    # The names of the lanes are neither cut nor pressed.
    wide = page.evaluate("ethocaffe.timeline.context.measureText('w  walking along the wall').width")
    assert 6 + wide < page.evaluate("ethocaffe.timeline.left")


@pytest.mark.parametrize("part", ["project/1", "project/1/people", "project/1/behaviours", "video/1", "projects"])
def test_a_narrow_window_scrolls_tables_and_not_the_page(page, part):
    page.set_viewport_size({"width": 500, "height": 800})
    page.goto("about:blank")
    page.goto(f"{page.address}/#{part}")
    page.wait_for_selector("table, canvas")
    until(page, "document.documentElement.scrollWidth <= 500")
