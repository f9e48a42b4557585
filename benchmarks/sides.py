"""Processes of the engine and of real Caffe 1.0 that do the same with the same files, in turn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REAL_CAFFE = ROOT / "tests" / "conformance" / "real_caffe.sh"
SIDE = "side.py"
OURS, REAL = "ours", "real"
THREADS = 2
SETTLE = 0.2  # seconds in which the threads of the other side's last run fall asleep
TURN, MOST = 0.3, 50  # seconds that a turn takes at the least, and runs that it has at the most
WARM = 2  # runs before those that count: memory is still being taken


def real_caffe_is_there() -> bool:
    """Whether real Caffe's chroot is built, and this process may use it."""
    place = Path(os.environ.get("REAL_CAFFE", Path.home() / ".cache" / "real-caffe"))
    return hasattr(os, "geteuid") and os.geteuid() == 0 and (place / ".ready").exists() and REAL_CAFFE.is_file()


@contextmanager
def box() -> Iterator[Path]:
    """A folder that both sides see, which is where they work; it goes with the block."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(Path(__file__).with_name(SIDE), place)
        yield Path(place)


class Side:
    """A process of one engine; what it says on standard error is shown where it fails."""

    def __init__(self, name: str, place: Path, threads: int = THREADS, gpu: int | None = None):
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            _command(name, place),
            cwd=place,
            env=environment(name, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.name = name
        self.ask("start", threads=threads, gpu=gpu if name == OURS else None)

    def ask(self, do: str, **arguments: Any) -> Any:
        """What the side answers. Raises RuntimeError with its last words where it ends instead."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self._said.seek(0)
            words = self._said.read().decode(errors="replace").strip().splitlines()[-5:]
            raise RuntimeError(f"{self.name}, asked to {do}, has ended; it said: " + "\n".join(words))
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def _command(name: str, place: Path) -> list[str]:
    if name == REAL:
        return ["bash", str(REAL_CAFFE), str(place), "python3", SIDE]
    return [sys.executable, str(place / SIDE)]


def environment(name: str, threads: int) -> dict[str, str]:
    """What both sides are given: the threads of their matrix products, and no logs."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    paths = "" if name == REAL else os.pathsep.join([str(ROOT / "engine"), str(ROOT)])
    return {**os.environ, **limits, "PYTHONPATH": paths, "GLOG_minloglevel": "2"}


@contextmanager
def opened(
    place: Path, names: tuple[str, ...], do: str, file: str, gpu: int | None = None
) -> Iterator[dict[str, Side]]:
    """A process of each side with the same file open; they end with the block."""
    with ExitStack() as stack:
        found = {}
        for name in names:
            found[name] = Side(name, place, gpu=gpu)
            stack.callback(found[name].close)
            found[name].ask(do, file=file)
        yield found


def in_turn(
    sides: Mapping[str, Side], do: str, repeats: int, tell: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Seconds of a run on each side: warmed up, then `repeats` rounds of one side after the other, each of so many runs
    that they take TURN; a round's is the mean of its runs. `tell` is called after each side's turn."""
    count = 1
    for side in sides.values():
        last = side.ask(do, count=WARM)[-1]
        count = max(count, min(MOST, round(TURN / last)))
        tell()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            time.sleep(SETTLE)
            seconds = side.ask(do, count=count)
            found[name].append(sum(seconds) / count)
            tell()
    return found
