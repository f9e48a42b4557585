"""One person's labelling in two windows: neither loses what the other did."""

from __future__ import annotations

import pytest
from pages import bouts, joined, opened, press, saved, until


def painted(page, key, start, stop):
    page.evaluate(f"ethocaffe.player.go({start})")
    press(page, key)
    page.evaluate(f"ethocaffe.player.go({stop - 1})")
    press(page, key)


def says(page, text):
    until(page, f"document.getElementById('saving').textContent.includes({text!r})")


@pytest.fixture
def windows(lab, browser):
    one = joined(browser, lab.link, "ada")
    opened(one)
    other = one.context.new_page()
    other.faults = one.faults
    other.on("pageerror", lambda error: one.faults.append(str(error)))
    other.goto(one.url)
    until(other, "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2")
    for page in (one, other):
        until(page, "document.querySelector('[data-do=track]').options.length === 1")  # all of the page has come
    yield one, other
    assert one.faults == []


def test_a_window_that_does_not_know_what_another_did_is_told(windows):
    one, other = windows
    painted(one, "w", 0, 100)
    saved(one)
    painted(other, "r", 50, 150)  # over what it does not show
    says(other, "changed meanwhile, in another window")
    assert bouts(other) == [["rest", 50, 150]]
    other.click("text=Give them up")
    until(other, "ethocaffe.labelling.sorted().length === 1 && ethocaffe.labelling.sorted()[0].behaviour === 'walk'")
    painted(other, "r", 50, 150)
    saved(other)
    assert bouts(other) == [["walk", 0, 50], ["rest", 50, 150]]
    # The first window shows it when somebody comes back to it.
    one.evaluate("dispatchEvent(new Event('focus'))")
    says(one, "Changed elsewhere")
    assert bouts(one) == [["walk", 0, 50], ["rest", 50, 150]]
    painted(one, "g", 200, 210)
    saved(one)
    # Or sends its own nevertheless, when both are there.
    painted(other, "s", 300, 310)
    says(other, "changed meanwhile")
    other.click("text=Send them all the same")
    until(other, "ethocaffe.labelling.sorted().length === 4")
    assert bouts(other) == [["walk", 0, 50], ["rest", 50, 150], ["groom", 200, 210], ["sniff", 300, 310]]
    painted(other, "w", 400, 410)
    saved(other)


def test_what_two_windows_keep_without_a_connection_is_all_kept(lab, windows):
    one, other = windows
    lab.kill()
    painted(one, "w", 0, 100)
    painted(other, "r", 200, 250)
    says(one, "changes are kept")
    says(other, "changes are kept")
    for page in (one, other):  # as where the windows are closed
        page.goto("about:blank")
    lab.start(lab.port)
    one.goto(f"{lab.address}/#video/1")
    until(one, "window.ethocaffe?.labelling")
    saved(one)
    assert bouts(one) == [["walk", 0, 100], ["rest", 200, 250]]
    one.reload()
    until(one, "window.ethocaffe?.labelling")
    assert bouts(one) == [["walk", 0, 100], ["rest", 200, 250]]
    assert one.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('unsaved')).length") == 0


def test_what_waits_is_not_put_over_what_came_meanwhile(lab, windows):
    one, other = windows
    lab.kill()
    painted(one, "w", 0, 100)
    says(one, "changes are kept")
    kept = one.evaluate("JSON.stringify(localStorage)")
    one.goto("about:blank")
    lab.start(lab.port)
    other.evaluate("localStorage.clear()")  # a browser that knows nothing of the first
    painted(other, "r", 50, 150)
    saved(other)
    other.evaluate(
        "(kept) => { for (const [key, value] of Object.entries(JSON.parse(kept))) localStorage.setItem(key, value); }",
        kept,
    )
    one.goto(f"{lab.address}/#video/1")
    says(one, "changed meanwhile")
    one.click("text=Give them up")
    until(one, "ethocaffe.labelling.sorted().length === 1")
    assert bouts(one) == [["rest", 50, 150]]
