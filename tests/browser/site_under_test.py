"""A running annotation server and browsers that look at it."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "long enough to be one"
# Without these a headless Chromium tries to reach its maker's hosts.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def chromium() -> str | None:
    """The browser's file; None where it is not installed."""
    return shutil.which("chromium")


class Site:
    """`ethocaffe annotate` in a process of its own."""

    def __init__(self, dataset: Path, *more: str, patience: float = 60.0):
        self._patience = patience  # seconds until it says its address
        path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "engine")])
        self._command = [sys.executable, "-m", "tools.cli", "annotate", str(dataset), *more]
        self._environment = {**os.environ, "PYTHONPATH": path}
        self.start(0)

    def start(self, port: int) -> None:
        """Start it, at a port (0: a free one), and wait until it says its address."""
        self.process = subprocess.Popen(
            [*self._command, "--port", str(port)],
            env=self._environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        output, told = self.process.stdout.fileno(), ""
        while not (found := re.search(r"http://\S+(?=\s)", told)):
            # Not by lines: one that came together with the line before would wait in a buffer that `select` cannot see.
            ready, _, _ = select.select([output], [], [], self._patience)
            piece = os.read(output, 4096) if ready else b""
            assert piece, f"the server did not start: {told}"
            told += piece.decode()
        self.link = found[0]
        self.address = self.link.partition("/#")[0]
        self.port = int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def make_dataset(folder: Path, videos: Sequence[Path], classes: Sequence[str]) -> Path:
    """A dataset of copies of videos, without labels."""
    (folder / "videos").mkdir(parents=True)
    for video in videos:
        shutil.copy(video, folder / "videos")
    (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    return folder
