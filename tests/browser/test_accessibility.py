"""Every page against axe-core's rules (WCAG 2.1 A and AA, and its best practices): names for screen readers, contrast,
headings, roles."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from pages import joined, opened, press, saved, until

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = """async () => {
  const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
  const { violations, passes } = await axe.run(document, { runOnly });
  return [violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200))]), passes.length];
}"""
PAGES = {  # what the address says → what is there when it has come
    "#projects": "h1",
    "#account": "h1",
    "#api": "details",
    "#project/1": "table.list",
    "#project/1/people": "table.list",
    "#project/1/agreement": "h1",
    "#project/1/behaviours": "table",
    "#history/1": "h1",
}


def faults(page):
    page.evaluate(AXE)
    found, passed = page.evaluate(RULES)
    assert passed > 5
    return found


def test_no_page_breaks_a_rule(lab, browser):
    stranger = browser.new_page(viewport={"width": 1366, "height": 768})
    stranger.goto(lab.address)
    stranger.wait_for_selector("form")
    found = {"sign-in": faults(stranger)}
    page = joined(browser, lab.link, "ada")
    opened(page)
    press(page, "w")
    press(page, "Shift+ArrowRight", 3)
    press(page, "w")
    press(page, "Shift+B", 2)
    saved(page)
    found["editor"] = faults(page)
    press(page, "?")
    until(page, "document.getElementById('keys').open")
    found["keys"] = faults(page)
    for place, there in PAGES.items():
        page.goto(f"{lab.address}/{place}")
        page.wait_for_selector(f"main {there}")
        found[place] = faults(page)
    assert {place: one for place, one in found.items() if one} == {}
    assert page.faults == []
