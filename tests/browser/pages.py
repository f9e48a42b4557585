"""What people do on the annotation page, for tests of it: joining, opening a video, pressing keys, waiting."""

from __future__ import annotations

import time

import site_under_test as site

CLASSES = ("walk", "groom", "rest", "sniff")


def joined(browser, link, name):
    """A page of somebody who follows an invitation, or signs in at the server's address; what goes wrong in it fails
    the test."""
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(link)
    page.fill("[name=name]", name)
    page.fill("[name=password]", site.PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("table.list")
    return page


def opened(page, video="home_cage"):
    page.click(f"table a:text-is('{video}')", timeout=120_000)  # it may still be checked
    until(page, "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2")


def until(page, expression, seconds=20.0):
    """Wait until something is so; the page's own rules forbid the browser to evaluate texts, so it is asked again."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, (expression, page.inner_text("body"))
        page.wait_for_timeout(50)


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def bouts(page):
    return page.evaluate("ethocaffe.labelling.sorted().map(one => [one.behaviour, one.start, one.stop])")


def saved(page):
    until(page, "document.getElementById('saving').textContent === 'All saved'")
