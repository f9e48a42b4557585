"""The pictures of the annotation pages in docs/images, of simulated videos and simulated people.

    python tests/browser/pictures.py docs/images
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import site_under_test as site
from pages import joined, opened, until
from playwright.sync_api import Browser, sync_playwright

SEED = 3
ITERATIONS = 400
KNOWN = 660  # frames of the last video that are labelled
SHOWN = 538


class Person:
    """Somebody at the API."""

    def __init__(self, address: str, name: str, invitation: str):
        self.http = httpx.Client(base_url=f"{address}/api/", timeout=120)
        told = self.ask("POST", "join", {"name": name, "password": site.PASSWORD, "invitation": invitation})
        self.http.headers["X-CSRF-Token"] = told["csrf"]
        self.id = told["id"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def label(self, video: int, labels: bytes) -> int:
        """A labelling of a video from a labels file; its number."""
        track = self.ask("POST", f"videos/{video}/tracks", {})["id"]
        self.http.post(f"tracks/{track}/import?name=labels.csv", content=labels).raise_for_status()
        return track


def first_frames(labels: bytes, frames: int) -> bytes:
    """Labels of which all after some frames are not annotated."""
    head, *rows = csv.reader(labels.decode().splitlines())
    kept = [row if int(row[0]) < frames else [row[0], *("-1" for _ in row[1:])] for row in rows]
    return "\n".join(",".join(row) for row in [head, *kept]).encode()


def work(running: site.Site, truth: dict[str, bytes]) -> Person:
    """Two labellings accepted, two handed in, one begun, and a model that has predicted the rest; the administrator."""
    ada = Person(running.address, "ada", running.link.partition("invitation=")[2])
    ben, cleo = (
        Person(running.address, name, ada.ask("POST", "projects/1/invitations", {"role": role})["secret"])
        for name, role in (("ben", "annotator"), ("cleo", "expert"))
    )
    names = sorted(truth)
    for number in (1, 2, 3):
        ada.ask("POST", "projects/1/assignments", {"video": number, "user": ben.id, "blind": number == 3})
    ada.ask("POST", "projects/1/assignments", {"video": 3, "user": cleo.id, "blind": True})
    for number in (1, 2):
        track = ben.label(number, truth[names[number - 1]])
        ben.ask("POST", f"tracks/{track}/state", {"state": "submitted"})
        cleo.ask("POST", f"tracks/{track}/state", {"state": "accepted"})
    ben.label(3, first_frames(truth[names[2]], KNOWN))
    body = {"kind": "train", "iterations": ITERATIONS, "then_predict": True}
    ada.ask("POST", "projects/1/jobs", body)
    while any(one["state"] in ("waiting", "running") for one in ada.ask("GET", "projects/1/jobs")["jobs"]):
        time.sleep(1)
    ada.label(4, first_frames(truth[names[3]], KNOWN))
    return ada


def take(browser: Browser, running: site.Site, folder: Path) -> None:
    page = joined(browser, running.address, "ada")
    page.wait_for_selector("text=balanced accuracy")
    page.screenshot(path=str(folder / "annotate-project.png"), full_page=True)
    opened(page, "cage_04")
    page.evaluate("frame => ethocaffe.player.go(frame)", SHOWN)
    page.keyboard.press(";")
    until(page, "ethocaffe.timeline.others.length > 0")
    page.wait_for_timeout(1500)
    page.screenshot(path=str(folder / "annotate.png"))


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "home_cage"
        simulate = ["simulate", str(data), "--videos", "5", "--seconds", "60", "--balanced", "--seed", str(SEED)]
        subprocess.run([sys.executable, "-m", "tools.cli", *simulate], check=True, cwd=site.REPOSITORY)
        truth = {file.stem: file.read_bytes() for file in (data / "labels").iterdir()}
        for file in (data / "labels").iterdir():
            file.unlink()
        running = site.Site(data)
        try:
            work(running, truth)
            with sync_playwright() as started:
                browser = started.chromium.launch(executable_path=site.chromium(), args=site.FLAGS)
                take(browser, running, folder)
                browser.close()
        finally:
            running.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
