"""From labels to a model, its predictions and the video to annotate next, by clicks in Debian's Chromium."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import site_under_test as site
from pages import joined, until

sys.path.append(str(Path(__file__).parents[1] / "integration"))
import tiny

INVITE = """async (role) => {
  const api = await import("./page/api.js");
  return (await api.post("projects/1/invitations", { role })).secret;
}"""

STATES = """[...document.querySelectorAll(".jobs td:nth-child(3)")]"""
ALL_DONE = STATES + """.every((one) => one.textContent.startsWith("done"))"""


@pytest.fixture
def lab(tmp_path):
    """Three videos, two of them with labels."""
    data = tiny.write_dataset(tmp_path / "cage", videos=3)
    (data / "labels" / "v2.csv").unlink()
    running = site.Site(data)
    yield running
    running.stop()


def rows(page):
    return page.locator(".jobs tbody tr").all_inner_texts()


def test_train_predict_and_on_to_the_next_video(lab, browser):
    page = joined(browser, lab.link, "ada")
    page.wait_for_selector("text=2 of 3 videos have accepted labels")
    page.get_by_label("Iterations").fill("6")
    page.get_by_label("Measure on").select_option(label="v1")
    page.click("text=Train and predict the videos left")
    until(page, "document.querySelectorAll('.jobs tbody tr').length === 2")
    page.locator(".jobs tbody tr").last.get_by_role("button", name="Log").click()
    page.wait_for_selector("text=$ ethocaffe train mini/shape_motion/cnn")
    until(page, ALL_DONE, 90)
    predicted, trained, log = rows(page)
    assert "train mini/shape_motion/cnn, 6 iterations" in trained
    assert re.search(r"balanced accuracy [\d.]+ %, measured on v1, held out", trained)
    assert "predictions of v2" in predicted and "best at iteration" in log
    page.get_by_role("button", name="Predict the videos left (job 1)").click()
    until(page, "document.querySelectorAll('.jobs tbody tr').length === 4")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=stopped by ada")
    for role in ("expert", "annotator"):
        other = joined(browser, f"{lab.address}/#invitation={page.evaluate(INVITE, role)}", role)
        other.wait_for_selector("text=The model is least sure of v2")
        assert other.get_by_role("button", name="Only train").count() == 0
        assert other.get_by_role("button", name="Log").count() == (3 if role == "expert" else 0)
        assert other.faults == []
    page.click(".next a")
    until(page, "window.ethocaffe?.labelling && ethocaffe.timeline.others.length > 0")
    assert "v2" in page.inner_text("#crumbs") and page.faults == []
