"""A file taken by mistake can be undone in the page."""

from __future__ import annotations

from pages import bouts, joined, opened, press, saved, until


def test_what_came_from_a_file_is_undone_and_redone(lab, browser, tmp_path):
    page = joined(browser, lab.link, "ada")
    opened(page)
    page.evaluate("ethocaffe.labelling.paint('walk', 0, 100); ethocaffe.labelling.paint('', 300, 400)")
    page.evaluate("ethocaffe.labelling.comment(ethocaffe.labelling.sorted()[0].id, 'by hand')")
    saved(page)
    before = bouts(page)
    table = tmp_path / "theirs.csv"
    table.write_text("label,start_frame,stop_frame\ngroom,50,60\nrest,350,450\n")
    page.set_input_files(".review input[type=file]", table)
    until(page, "document.getElementById('saving').textContent.startsWith('2 bouts')")
    after = bouts(page)
    labelled = [["walk", 0, 50], ["groom", 50, 60], ["walk", 60, 100], ["rest", 350, 450]]
    assert [one for one in after if one[0]] == labelled
    assert ["", 450, page.evaluate("ethocaffe.video.frames")] in after  # such a table is of all frames
    press(page, "Control+z")
    saved(page)
    assert bouts(page) == before
    assert page.evaluate("ethocaffe.labelling.sorted()[0].comment") == "by hand"
    press(page, "Control+y")
    saved(page)
    assert bouts(page) == after
    press(page, "Control+z", 2)  # and what was done before it
    saved(page)
    assert bouts(page) == before and page.evaluate("ethocaffe.labelling.sorted()[0].comment") == ""
    page.reload()
    until(page, "window.ethocaffe?.labelling")
    assert bouts(page) == before
    assert page.faults == []
