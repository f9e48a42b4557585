"""The dataset's transfer.jsonl: a line for every file taken. Lines are only ever added; a URL's last one holds."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import naming
from data_prep.transfer.sources import Look

TAKEN = ("registered", "duplicate", "deleted")  # states of a file that need not be copied


@dataclass(frozen=True)
class Entry:
    """A file of a source, and what became of it.

    `state` is registered, duplicate (its content was there: `video` says where), or deleted (either of them, and then
    removed at the source as asked). `video` and `original` are paths in the dataset, `original`
    empty where the video is the very file that was copied. `sha256` is that of the source's file. `fps` is frames
    per second on average, `seconds` the time of the last frame since the first. `when` is UTC.
    """

    source: str
    url: str
    size: int
    mtime: float | None
    etag: str
    state: str
    when: str
    sha256: str = ""
    video: str = ""
    original: str = ""
    frames: int | None = None
    fps: float | None = None
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    verified: str = ""
    note: str = ""

    def is_of(self, look: Look) -> bool:
        """Whether the source's file is still the one that this entry tells of."""
        return [self.size, self.mtime, self.etag] == look.signature


class Register:
    """The entries of a transfer.jsonl, read on where it has grown. `add` needs the register's lock to be held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}  # by URL
        self.contents: dict[str, Entry] = {}  # what was registered, by SHA-256
        self.videos: set[str] = set()  # paths of all videos registered so far
        self._read = 0
        self._lines = 0

    def refresh(self) -> None:
        """Read what was added. A last line without an end, left by a machine that died, is passed over.

        Raises InputError if another line is damaged.
        """
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.split(b"\n")[:-1]:
            self._lines += 1
            if line.strip() and not line.endswith(b"\x18"):
                entry = self._parse(line)
                self.entries[entry.url] = entry
                if entry.video:
                    self.contents[entry.sha256] = entry
                    self.videos.add(entry.video)
        self._read += len(whole)

    def add(self, entry: Entry) -> None:
        """Write an entry, so that it outlives a power cut."""
        self.refresh()
        line = (json.dumps(dataclasses.asdict(entry), ensure_ascii=False) + "\n").encode()
        with naming(self.path), open(self.path, "ab") as file:
            if file.tell() > self._read:  # half a line: marked (CAN), so that it is passed over from now on
                line = b"\x18\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.refresh()

    def _parse(self, line: bytes) -> Entry:
        try:
            content: dict[str, Any] = json.loads(line)
            return Entry(**content)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}, line {self._lines}: damaged ({error}); mend or remove the line (the file that it told "
                "of will be copied again)"
            ) from None
