"""A video of twelve hours with 20,000 bouts in the annotation page: how fast it opens, scrubs, and draws its timeline.

    python tests/load/long_video.py VIDEO [--hours 12] [--bouts 20000]

The video is a short one's packets over and over, and the bouts are drawn at random: simulated. Printed are the seconds
from the click on the video's name until its first frame is shown and its timeline drawn; the seconds of a jump to a
random frame until it is shown; and how often a second the timeline is drawn while it is panned and zoomed, all of it in
sight and at 1/10 of it, with the longest time between two drawings.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
for room in ("../..", "../../engine", "../browser"):
    sys.path.insert(0, str((HERE / room).resolve()))

import site_under_test as site  # noqa: E402

SEED = 1
CLASSES = ("drink", "eat", "groom", "hang", "sniff", "rear", "rest", "walk", "eathand")
JUMPS = 30
DRAWING = 3.0  # seconds that the timeline is panned and zoomed
READY = "window.ethocaffe?.labelling && ethocaffe.player.video.readyState >= 2 && ethocaffe.timeline.drawn > 0"
FILL = """async ([count, seed, names]) => {
  const api = await import("./page/api.js");
  const { video, labelling } = ethocaffe, step = video.frames / count;
  let state = seed;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const edits = [];
  for (let at = 0; at < count; at += 1) {
    const start = Math.floor(at * step), stop = Math.floor(start + 1 + random() * (step - 1));
    const bout = { id: `s${at}`, behaviour: names[Math.floor(random() * names.length)], start, stop };
    edits.push({ edit: `s${at}`, action: "put", bout });
  }
  edits.push({ edit: "spans", action: "annotated", spans: [[0, video.frames]] });
  await api.post(`tracks/${labelling.track.id}/edits`, { edits });
}"""
JUMP = """async (frame) => {
  const { player } = ethocaffe, began = performance.now();
  const shown = new Promise((done) => player.video.addEventListener("seeked", done, { once: true }));
  player.go(frame);
  await shown;
  return (performance.now() - began) / 1000;
}"""
DRAW = """async ([seconds, share]) => {
  const { timeline } = ethocaffe, longest = [];
  timeline.zoom(1e9);
  if (share < 1) timeline.zoom(share, timeline.frames / 2);
  const began = performance.now(), from = timeline.drawn;
  let last = began, at = 0;
  while (performance.now() - began < 1000 * seconds) {
    at += 1;
    timeline.pan(timeline.span * 0.01 * Math.sin(at / 20));
    timeline.zoom(1 + 0.02 * Math.sin(at / 15), timeline.start + timeline.span / 2);
    await new Promise(requestAnimationFrame);
    longest.push(performance.now() - last);
    last = performance.now();
  }
  return [1000 * (timeline.drawn - from) / (performance.now() - began), Math.max(...longest) / 1000];
}"""


def repeat(source: Path, target: Path, seconds: float) -> None:
    """Write a video's packets over and over until it lasts as long."""
    with av.open(str(source)) as read:
        stream: Any = read.streams.video[0]
        packets: list[Any] = [one for one in read.demux(stream) if one.pts is not None and one.dts is not None]
        length = max(packet.pts + packet.duration for packet in packets) - min(packet.pts for packet in packets)
        with av.open(str(target), "w", options={"movflags": "faststart"}) as written:
            made = written.add_stream_from_template(stream)
            for number in range(int(np.ceil(seconds / float(length * stream.time_base)))):
                for packet in packets:
                    again = av.Packet(bytes(packet))
                    again.pts, again.dts = packet.pts + number * length, packet.dts + number * length
                    again.duration, again.time_base, again.is_keyframe = (
                        packet.duration, stream.time_base, packet.is_keyframe
                    )  # fmt: skip
                    again.stream = made
                    written.mux(again)


def until(page: Page, expression: str, seconds: float = 3600.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(10)


def measure(page: Page, bouts: int) -> dict[str, Any]:
    """Every figure of a page on which the project's videos are listed."""
    page.click("text=night", timeout=3_600_000)
    until(page, READY)
    page.evaluate(FILL, [bouts, SEED, list(CLASSES)])
    page.goto(page.url.partition("#")[0])
    page.wait_for_selector("text=night")
    began = time.monotonic()
    page.click("text=night")
    until(page, READY)
    opened = time.monotonic() - began
    until(page, f"ethocaffe.labelling.bouts.size >= {bouts}")
    frames = page.evaluate("ethocaffe.video.frames")
    rng = random.Random(SEED)
    jumps = [page.evaluate(JUMP, rng.randrange(frames)) for _ in range(JUMPS)]
    page.evaluate("ethocaffe.player.go(ethocaffe.video.frames / 2)")
    whole, tenth = (page.evaluate(DRAW, [DRAWING, share]) for share in (1, 0.1))
    return {
        "frames": frames, "bouts": page.evaluate("ethocaffe.labelling.bouts.size"), "opens in s": opened,
        "jump, median s": float(np.median(jumps)), "jump, longest s": max(jumps),
        "drawn per s, all in sight": whole[0], "longest pause s": whole[1],
        "drawn per s, a tenth": tenth[0], "longest pause there s": tenth[1],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", type=Path, help="a short one, in H.264")
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--bouts", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="a folder to make the dataset in, or to take it from")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as started:
        data = args.keep or Path(temporary) / "long"
        if not data.is_dir():
            (data / "videos").mkdir(parents=True)
            (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
            repeat(args.video, data / "videos" / "night.mp4", 3600 * args.hours)
        running = site.Site(data, patience=3600)
        try:
            browser = started.chromium.launch(executable_path=site.chromium(), args=site.FLAGS)
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.goto(running.link)
            page.fill("[name=name]", "ada")
            page.fill("[name=password]", site.PASSWORD)
            page.click("button[type=submit]")
            found = measure(page, args.bouts)
            browser.close()
        finally:
            running.stop()
    print(", ".join(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
                    for name, value in found.items()))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
