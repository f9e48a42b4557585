"""The box that both engines work in, and the running of a part on its sides, all at the same time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "tests" / "conformance" / "real_caffe.sh"
ROOMS = ("current_system", "data_prep", "prototxt", "python_layers", "tools")
# threads of real Caffe's BLAS on each of its sides. `again` is real Caffe once more: how far it is from itself when
# sums are rounded otherwise. The other sides are the engine: as it is, and `exact`, which a part may run in float64
THREADS = {"real": "1", "again": "2"}

Result = Union[Mapping[str, np.ndarray], str]  # the arrays of a name, or what went wrong
Found = dict[str, dict[str, Result]]  # {side: {name: result}}


def make_box(folder: Path) -> None:
    """Copy what runs on both sides into the folder that both see."""
    ignore = shutil.ignore_patterns("__pycache__", "*.npz", "test_*")
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, folder / room, ignore=ignore)
    shutil.copytree(REPOSITORY / "tests" / "conformance", folder / "conformance", ignore=ignore)


def real_caffe(box: Path, *command: str, threads: str = "1", log: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a command inside real Caffe, with the box as its working folder."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": "/mnt:/mnt/conformance",
           "GLOG_minloglevel": "2"}
    return subprocess.Popen(["bash", str(SCRIPT), str(box), *command], env=env, stdin=subprocess.DEVNULL, stdout=log,
                            stderr=subprocess.STDOUT)


def engine(box: Path, *command: str, log: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a command in the engine, with the box as its working folder."""
    path = os.pathsep.join(str(part) for part in (box, box / "conformance", REPOSITORY / "engine"))
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"}
    return subprocess.Popen([sys.executable, *command], cwd=box, env=env, stdin=subprocess.DEVNULL, stdout=log,
                            stderr=subprocess.STDOUT)


class Worker:
    """One side's process for a list of names; started again behind a name that ended it."""

    def __init__(self, box: Path, side: str, part: str, names: list[str]):
        self.box, self.side, self.part, self.names = box, side, part, names
        self.out = Path("out") / part / side
        (box / self.out).mkdir(parents=True, exist_ok=True)
        self.first = len(list((box / self.out).glob("names_*.json"))) * 10_000  # rounds leave their files apart
        self._start()

    def _start(self) -> None:
        todo = [(self.first + i, name) for i, name in enumerate(self.names) if not self._done(self.first + i)]
        file = self.out / f"names_{self.first}.json"
        (self.box / file).write_text(json.dumps(todo))
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        command = ["-m", "live.worker", self.side, self.part, str(file), str(self.out)]
        if self.side in THREADS:
            self.process = real_caffe(self.box, "python3", *command, threads=THREADS[self.side], log=self.log)
        else:
            self.process = engine(self.box, *command, log=self.log)

    def _done(self, index: int) -> bool:
        return any((self.box / self.out / f"{index}{ending}").exists() for ending in (".npz", ".error"))

    def poll(self) -> bool:
        """Whether it is still at work."""
        if self.process.poll() is None:
            return True
        if self.process.returncode == 0:
            return False
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").splitlines() or ["nothing"]
        reason = next((line for line in said if "Check failed" in line or line.startswith("F")), said[-1])
        current = self.box / self.out / "current"
        if not current.exists():
            raise RuntimeError(f"{self.side}, {self.part}: could not start; it said: " + "\n".join(said[-5:]))
        culprit = self.box / self.out / f"{current.read_text()}.error"
        if culprit.exists():
            raise RuntimeError(f"{self.side}, {self.part}: ended for no reason of its own; it said: {reason}")
        culprit.write_text(f"the process ended: {reason.split('] ', 1)[-1]}")  # without the time and the place
        self._start()
        return True

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def count(self) -> int:
        """Names done so far."""
        return sum(self._done(self.first + i) for i in range(len(self.names)))

    def results(self) -> dict[str, Result]:
        found: dict[str, Result] = {}
        for i, name in enumerate(self.names):
            file = self.box / self.out / f"{self.first + i}"
            if (error := file.with_suffix(".error")).exists():
                found[name] = error.read_text()
            else:
                found[name] = load(file.with_suffix(".npz"))
        return found


LARGE = 50_000_000  # bytes of a file whose arrays are read when they are looked at, and not kept


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of a large .npz file, each read when it is asked for."""

    def __init__(self, file: Path):
        self._file = file
        with np.load(file) as arrays:
            self._names = list(arrays.files)

    def __getitem__(self, name: str) -> np.ndarray:
        with np.load(self._file) as arrays:
            return arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def load(file: Path) -> Mapping[str, np.ndarray]:
    """What a name gave."""
    if file.stat().st_size > LARGE:
        return Arrays(file)
    with np.load(file) as arrays:
        return dict(arrays)


def run_part(box: Path, part_name: str, part: Any, progress: Callable[[int, int], None]) -> Found:
    """Run all rounds of a part on its sides; `progress(done, all)` is told how far it is."""
    if hasattr(part, "prepare"):
        part.prepare(box)
    sides = getattr(part, "SIDES", ("engine", "real"))
    groups = [(side,) for side in sides] if getattr(part, "ONE_BY_ONE", False) else [sides]
    rounds = part.rounds()
    total = sum(len(names) for names in rounds) * len(sides)
    found: Found = {side: {} for side in sides}
    before = 0
    for names in rounds:
        for group in groups:
            def count(done: int, before: int = before) -> None:
                progress(before + done, total)

            for side, results in _run_group(box, part_name, group, names, count).items():
                found[side].update(results)
            before += len(names) * len(group)
    progress(total, total)
    return found


def _run_group(box: Path, part_name: str, sides: tuple[str, ...], names: list[str],
               progress: Callable[[int], None]) -> Found:
    """Run the names on the sides, at the same time."""
    workers: list[Worker] = []
    try:
        for side in sides:
            workers.append(Worker(box, side, part_name, names))
        while any([worker.poll() for worker in workers]):
            progress(sum(worker.count() for worker in workers))
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.stop()
    return {worker.side: worker.results() for worker in workers}
