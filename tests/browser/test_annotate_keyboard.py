"""The keyboard: what is focused or being written stays, and what the mouse does keys do too."""

from __future__ import annotations

from pages import bouts, joined, opened, press, saved, until


def test_a_comment_that_is_being_written_stays_and_tab_goes_to_the_next(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    page.evaluate("for (const at of [0, 100, 200]) ethocaffe.labelling.paint('walk', at, at + 50)")
    first, second = (page.locator(f"[aria-label='Comment on walk from frame {at}']") for at in (0, 100))
    first.click()
    page.keyboard.type("it turns")
    # The list is made anew: a bout is there that was not.
    page.evaluate("ethocaffe.labelling.paint('groom', 60, 70)")
    page.keyboard.type(" left")
    assert first.input_value() == "it turns left"
    press(page, "Tab")
    saved(page)
    assert page.evaluate("ethocaffe.labelling.sorted()[0].comment") == "it turns left"
    # From there through the rows: the bout between, its comment, the next bout, its comment.
    press(page, "Tab")
    page.keyboard.type("grooms")
    press(page, "Tab", 2)
    assert second.evaluate("(one) => one === document.activeElement")
    page.keyboard.type("w")  # no behaviour's key, while somebody writes
    press(page, "Enter")
    saved(page)
    comments = page.evaluate("ethocaffe.labelling.sorted().map((one) => one.comment)")
    assert comments == ["it turns left", "grooms", "w", ""]
    press(page, "r")
    press(page, "r")
    assert len(bouts(page)) == 5  # and after Enter keys are behaviours' again
    assert page.faults == []


def test_after_a_click_the_space_bar_plays(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    page.click(".behaviours >> text=groom")
    assert page.evaluate("ethocaffe.timeline.painting.behaviour") == "groom"
    press(page, " ")
    until(page, "ethocaffe.player.playing")
    assert page.evaluate("ethocaffe.timeline.painting.behaviour") == "groom"
    press(page, " ")
    # Who came by keyboard presses the button with it.
    page.focus(".behaviours button")
    press(page, " ")
    assert page.evaluate("ethocaffe.timeline.painting.behaviour") == "walk"
    assert page.evaluate("document.activeElement.dataset.name") == "walk"
    assert page.faults == []


def test_keys_go_far_and_no_behaviour_takes_theirs(lab, browser):
    page = joined(browser, lab.link, "ada")
    opened(page)
    frames = page.evaluate("ethocaffe.video.frames")
    press(page, "Control+ArrowRight", 3)
    assert abs(page.evaluate("ethocaffe.player.frame") - 3 * frames / 10) <= 2
    press(page, "Control+ArrowLeft")
    assert abs(page.evaluate("ethocaffe.player.frame") - 2 * frames / 10) <= 2
    page.goto(f"{lab.address}/#project/1/behaviours")
    for key, what in (("0", "none of these"), ("?", "these keys"), (",", "slower")):
        page.fill("[aria-label='Key of rest']", key)
        page.click("text=Save")
        page.wait_for_selector(f".fault:has-text('{what}')")
    assert page.faults == []
