"""Footage that comes into the datasets while the server runs, such as by `ethocaffe transfer`: each video is checked,
frame by frame, and brought into its project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy.exc import SQLAlchemyError

from annotation import projects
from annotation.database import Database
from data_prep.errors import InputError, warn
from data_prep.progress import Progress

EVERY = 10.0  # seconds between two looks; a file that grew meanwhile is still being written


class Intake:
    """Looks for videos that are new or have changed. folders: called for each look, gives the datasets' folders.

    checking: names of the videos that are known of and not there yet, by project. refused: why others cannot be, by
    project and name. turn: held while a video is checked, so that two are not at once.
    """

    def __init__(self, database: Database, folders: Callable[[], Iterable[Path]] = tuple, quiet: bool = True):
        self._database, self._folders, self._quiet = database, folders, quiet
        self._sizes: dict[Path, int] = {}  # of new files at the last look
        self._bad: dict[Path, int] = {}  # sizes at which files were refused
        self._end = Event()
        self._thread = Thread(target=self._loop, name="intake", daemon=True)
        self.first = Event()  # set after the first look
        self.turn = Lock()
        self.checking: dict[int, list[str]] = {}
        self.refused: dict[int, dict[str, str]] = {}

    def start(self) -> None:
        """Look from now on, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being checked is checked to its end, unless the program ends before."""
        self._end.set()

    def _loop(self) -> None:
        while not self._end.is_set():
            try:
                self.look(first=not self.first.is_set())
            except (SQLAlchemyError, OSError) as error:  # the database or a disk is away, say: it may come back
                warn(f"videos could not be looked for: {str(error).splitlines()[0]}")
            self.first.set()
            self._end.wait(EVERY)

    def look(self, first: bool = True) -> None:
        """Bring in what is new. At the first look at once; later a file must have been as large one look before."""
        sizes: dict[Path, int] = {}
        for folder in self._folders():
            try:
                number, new = projects.unknown(self._database, folder)
            except InputError as error:
                warn(str(error))
                continue
            found = {file: file.stat().st_size for file in new}
            sizes |= found
            ready = [
                file for file, size in found.items()
                if self._bad.get(file) != size and (first or self._sizes.get(file) == size)
            ]  # fmt: skip
            told = self.refused.get(number, {})
            self.refused[number] = {file.stem: told[file.stem] for file in new if file.stem in told}
            self.checking[number] = [file.stem for file, size in found.items() if self._bad.get(file) != size]
            with Progress(len(ready), "videos", f"{folder.name}: checking", self._quiet) as progress:
                for file in ready:
                    self._take(number, folder, file, sizes[file])
                    progress.update()
        self._sizes = sizes

    def _take(self, number: int, folder: Path, file: Path, size: int) -> None:
        refused = {name: why for name, why in self.refused.get(number, {}).items() if name != file.stem}
        try:
            with self.turn:
                if not projects.is_known(self._database, number, file):  # it may have come in another way
                    projects.register(self._database, number, folder, file)
        except InputError as error:
            warn(str(error))
            self._bad[file] = size
            refused[file.stem] = str(error).replace(f"{file}: ", "").replace(str(folder), folder.name)
        self.refused[number] = refused
        self.checking[number] = [name for name in self.checking[number] if name != file.stem]
