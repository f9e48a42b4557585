"""A line for every file: for people on standard output, as JSON for programs in a file."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

FAULTS = ("failed", "unreachable")  # events that are told on standard error, --quiet or not


class Log:
    """Says what happens. `path`: the file to which a JSON object per event is added, None for none."""

    def __init__(self, path: Path | None = None, quiet: bool = False) -> None:
        self._path = path
        self._quiet = quiet

    def __call__(self, event: str, url: str, text: str, **facts: Any) -> None:
        """Tell an event of a file (or source): one line, and `facts` for programs."""
        now = datetime.datetime.now().astimezone()
        text = " ".join(text.split())
        if event in FAULTS:
            print(f"ethocaffe: {event}: {text}", file=sys.stderr, flush=True)
        elif not self._quiet:
            print(f"{now:%H:%M:%S} {event}: {text}", flush=True)
        if self._path is not None:
            content = {"time": now.isoformat(timespec="seconds"), "event": event, "url": url, "text": text, **facts}
            try:
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(content, ensure_ascii=False) + "\n")
            except OSError as error:  # a full disk must not stop the rest
                print(f"ethocaffe: {self._path}: not written ({error.strerror})", file=sys.stderr, flush=True)


def size(count: float) -> str:
    """`512 bytes`, `1.9 MB`, `3.2 GB`."""
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count:.0f} bytes"
