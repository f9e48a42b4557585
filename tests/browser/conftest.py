"""A browser, and a lab whose server runs."""

from __future__ import annotations

import pytest
import site_under_test as site
from pages import CLASSES

playwright = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def browser():
    if site.chromium() is None:
        pytest.skip("no Chromium: `apt-get install chromium` installs it")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=site.chromium(), args=site.FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def lab(shared, tmp_path):
    data = site.make_dataset(tmp_path / "cage", [shared / "video" / "home_cage.mp4"], CLASSES)
    running = site.Site(data)
    running.data = data
    yield running
    running.stop()
