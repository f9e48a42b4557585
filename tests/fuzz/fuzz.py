"""Damages real files of every kind and loads them: each must load or be refused with a CaffeError.

    python tests/fuzz/fuzz.py [--count N] [--seconds S] [--seed K] [--kind net,lmdb] [--jobs J] [--save DIR] [--json F]

No crash, no hang (LIMIT seconds a case), no runaway memory, no other exception. What breaks that is saved to --save,
one file a finding, and the exit status is 1. A case is made from (seed, kind, index) alone.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SHARED = Path(os.environ.get("ETHOCAFFE_SHARED", REPOSITORY.parent / "shared" / "data"))
# kind: its share of the mutations (those of HDF5 take longest: another process reads each file first)
SHARES = {"net": 18, "solver": 6, "weights": 8, "state": 6, "weights_hdf5": 1, "state_hdf5": 1, "datum": 6, "lmdb": 8,
          "leveldb": 2, "mean": 4, "image": 4, "data_hdf5": 1, "image_list": 4}
BATCH = 250
LIMIT = 30.0  # seconds that a case may take
MEMORY = 1000  # MB that a child may map beyond what it starts with


class Run:
    """What the children of one run have found."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.outcomes: dict[str, Counter[str]] = {}
        self.findings: list[dict] = []
        self.slowest, self.peak = 0.0, 0
        self.done = 0
        self.total = 0
        self.started = time.monotonic()
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (as long as the run)
        self._lock = threading.Lock()

    def in_time(self) -> bool:
        return not self.args.seconds or time.monotonic() - self.started < self.args.seconds

    def work(self, batches: queue.SimpleQueue[tuple[str, int, int]]) -> None:
        """Take batches until there are none; after a crash or a hang go on behind it."""
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder, self._child(folder) as child:
            while self.in_time():
                try:
                    kind, first, last = batches.get_nowait()
                except queue.Empty:
                    break
                while first < last and self.in_time():
                    first = self._batch(child, kind, first, last)
            child.terminate()

    def _child(self, folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "child.py"), folder, str(SHARED), str(self.args.seed), str(MEMORY)]
        paths = os.pathsep.join([str(REPOSITORY / "engine"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                errors="replace", cwd=folder,
                                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"})

    def _batch(self, child: subprocess.Popen[str], kind: str, first: int, last: int) -> int:
        """Have the cases first … last − 1 run; the index at which to go on."""
        assert child.stdin is not None and child.stdout is not None
        print(kind, first, last, file=child.stdin, flush=True)
        current: tuple[int, str] | None = None
        hung = threading.Event()
        timer = None
        for line in child.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if timer is not None and word in ("start", "end", "exit"):
                timer.cancel()
            if word == "start":
                process, index, file = rest.split(" ", 2)
                current = int(index), file
                timer = threading.Timer(LIMIT, _kill, (int(process), hung))
                timer.start()
            elif word == "end":
                index, outcome, seconds, grown, note = rest.split(" ", 4)
                self._count(kind, int(index), outcome, float(seconds), int(grown), note, current)
                current = None
            elif word == "none":
                self.outcomes.setdefault(kind, Counter())["left out"] += last - first
                return last
            elif word == "exit":
                if current is None and rest == "0":
                    return last
                if current is None:
                    break
                outcome, note = ("hang", f"over {LIMIT:.0f} s") if hung.is_set() else ("crash", f"status {rest}")
                self._count(kind, current[0], outcome, LIMIT * hung.is_set(), 0, note, current)
                return current[0] + 1
        self.errors.seek(0)
        sys.exit(f"fuzz: the child for {kind} failed:\n{self.errors.read()[-3000:]}")

    def _count(self, kind: str, index: int, outcome: str, seconds: float, grown: int, note: str,
               current: tuple[int, str] | None) -> None:
        with self._lock:
            self.outcomes.setdefault(kind, Counter())[outcome] += 1
            self.done += 1
            self.slowest, self.peak = max(self.slowest, seconds), max(self.peak, grown)
            if outcome not in ("ok", "refused"):
                self._save(kind, index, outcome, note, current)
            if sys.stderr.isatty() and self.done % 20 == 0:
                print(f"\r{self.done} of {self.total}, {len(self.findings)} findings", end="", file=sys.stderr)

    def _save(self, kind: str, index: int, outcome: str, note: str, current: tuple[int, str] | None) -> None:
        """Keep the first file of each sort of finding."""
        sort = re.sub(r"\d+", "#", f"{kind} {outcome} {note}")[:120]
        new = sort not in {finding["sort"] for finding in self.findings}
        saved = ""
        if new and self.args.save and current is not None and os.path.exists(current[1]):
            os.makedirs(self.args.save, exist_ok=True)
            saved = os.path.join(self.args.save, f"{kind}-{index}-{os.path.basename(current[1])}")
            shutil.copy(current[1], saved)
        self.findings.append({"kind": kind, "index": index, "outcome": outcome, "note": note, "sort": sort,
                              "file": saved})


def _kill(process: int, hung: threading.Event) -> None:
    hung.set()
    os.kill(process, signal.SIGKILL)


def summary(run: Run) -> dict:
    return {"mutations": run.done, "seconds": round(time.monotonic() - run.started, 1), "seed": run.args.seed,
            "outcomes": {kind: dict(counts) for kind, counts in sorted(run.outcomes.items())},
            "slowest_s": run.slowest, "largest_growth_mb": run.peak, "findings": run.findings}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="mutations in all")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so many seconds (0: at the count)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help=f"only these, between commas: {', '.join(SHARES)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--batch", type=int, default=BATCH, help="cases a child runs")
    parser.add_argument("--save", default="", help="folder for the files that broke something")
    parser.add_argument("--json", default="", help="file for a summary that programs can read")
    args = parser.parse_args(arguments)
    kinds = args.kind.split(",") if args.kind else list(SHARES)
    if unknown := [kind for kind in kinds if kind not in SHARES]:
        parser.error(f"unknown kind {unknown[0]}; known: {', '.join(SHARES)}")
    run = Run(args)
    weight = sum(SHARES[kind] for kind in kinds)
    batches = []
    for kind in kinds:
        count = -(-args.count * SHARES[kind] // weight)
        run.total += count
        batches += [(start / count, kind, start, min(start + args.batch, count))
                    for start in range(0, count, args.batch)]
    waiting: queue.SimpleQueue[tuple[str, int, int]] = queue.SimpleQueue()
    # kinds in turn, so that a run that ends early has seen all of them
    for _, kind, first, last in sorted(batches):
        waiting.put((kind, first, last))
    with ThreadPoolExecutor(args.jobs) as pool:
        for job in [pool.submit(run.work, waiting) for _ in range(args.jobs)]:
            job.result()
    found = summary(run)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for kind, counts in found["outcomes"].items():
        print(f"{kind:13}", ", ".join(f"{outcome} {n}" for outcome, n in sorted(counts.items())))
    for sort, times in Counter(finding["sort"] for finding in run.findings).most_common(60):
        one = next(finding for finding in run.findings if finding["sort"] == sort)
        print(f"FOUND {times} × {one['kind']} {one['index']}: {one['outcome']}: {one['note']} {one['file']}")
    print(f"{found['mutations']} mutations in {found['seconds']} s, seed {args.seed}: {len(run.findings)} findings; "
          f"slowest {run.slowest:.1f} s, largest growth {run.peak} MB")
    return bool(run.findings)


if __name__ == "__main__":
    sys.exit(main())
