"""The pages against axe-core's rules (WCAG 2 A and AA): names for screen readers, contrast, order, roles."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = """async () => {
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
  return found.violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 150))]);
}"""
