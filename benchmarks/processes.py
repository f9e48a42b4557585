"""What a process costs: its time, its processors' time, and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.sides import ROOT

PREDICT = "import sys; from tools import cli; status = cli.main(sys.argv[1:]);"
# Not getrusage's memory, which begins with what the process held that started this one.
PEAK = """
import resource
from pathlib import Path
lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), "nan"),
      sum(one.ru_utime + one.ru_stime for one in used))
sys.exit(status)
"""


class Cost(NamedTuple):
    """Seconds by the clock, the most memory that the process held, in MB (not a number where Linux's /proc is not
    there), and seconds of processors' time."""

    seconds: float
    memory: float
    computed: float


def command(code: str, *arguments: str, threads: int | None = None) -> subprocess.Popen[str]:
    """Start Python code that sets `status`; `finished` waits for it. Threads of its matrix products: all cores."""
    paths = os.pathsep.join([str(ROOT / "engine"), str(ROOT)])
    limits = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    given = [sys.executable, "-c", code + PEAK, *arguments]
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        given, cwd=ROOT, env={**free, "PYTHONPATH": paths, **limits}, stdout=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str], started: float) -> Cost:
    """Its cost, from `started` by time.monotonic(). Raises CalledProcessError where it failed."""
    out, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    memory, computed = out.split()[-2:]
    return Cost(time.monotonic() - started, float(memory), float(computed))


def measured(code: str, *arguments: str, threads: int | None = None) -> Cost:
    """The cost of a process from its start to its end; its errors go where ours go."""
    started = time.monotonic()
    return finished(command(code, *arguments, threads=threads), started)


def predicting(model: Path, videos: Sequence[Path], output: Path, gpu: int | None) -> list[str]:
    """The arguments of `ethocaffe predict`; the current system has no use for a GPU."""
    from tools import model as models

    more = [] if gpu is None or not (model / models.DEPLOY).is_file() else ["--gpu", str(gpu)]
    return ["predict", str(model), *map(str, videos), "--output", str(output), "--quiet", *more]


def as_json(costs: Mapping[str, Sequence[Cost]]) -> dict[str, list[dict[str, float]]]:
    return {name: [cost._asdict() for cost in found] for name, found in costs.items()}
