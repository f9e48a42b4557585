"""Run the same things in real Caffe 1.0 and in the engine, live, and write what agrees, and how closely, as a table.

    make conformance             builds real Caffe where it is not there; results/conformance.md
    make conformance FULL=1      the networks in full size instead, for hours: results/conformance/full_size.md

FULL_NETWORKS='shape/cnn' takes only some of them, FULL_ITERATIONS=20 other than 50 iterations of SGD. Only how long
a step takes: --parts step_time --output FILE (TIMED_STEPS=10 for fewer than 25). Exits with 1 where anything is out of
its limit.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from live import report, sides  # noqa: E402
from live.parts import drawn_data, layers, nets  # noqa: E402

from data_prep.files import atomic_path  # noqa: E402
from data_prep.progress import Progress  # noqa: E402

PARTS = ("layers", "data", "drawn_data", "solvers", "snapshots", "fillers", "nets", "networks", "tools", "differences")
FULL = ("full_size", "step_time")
RESULTS = sides.REPOSITORY / "results"


def measure(names: Sequence[str], box: Path) -> list[report.Section]:
    """The sections of the parts, in order; each says on standard error when it is done."""
    found = []
    for name in names:
        part = import_module(f"live.parts.{name}")
        start = time.monotonic()
        bar = Progress(0, "runs", part.TITLE)

        def progress(done: int, total: int, bar: Progress = bar) -> None:
            bar.total = total
            bar.update(done - bar.done)

        with bar:
            section = part.section(sides.run_part(box, name, part, progress))
        bad = report.failures(section)
        print(f"{part.TITLE}: {len(section.rows)} rows, {len(bad)} not as they must be,",
              f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        found.append(section)
    return found


def write(target: Path, command: str, sections: list[report.Section], seconds: float) -> None:
    """The table, whole or not at all."""
    bad = [line for section in sections for line in report.failures(section)]
    head = f"""# The engine and real Caffe 1.0, live

Written by `{command}` on {report.now()}, commit {report.commit(sides.REPOSITORY)}, in {seconds:.0f} s.
Engine: {report.machine()}, one thread.
Real Caffe: 1.0.0 of Debian 11 (`python3-caffe`), OpenBLAS with one thread, on the same machine.

{"**All within their limits.**" if not bad else f"**{len(bad)} not as they must be.**"}
"""
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_text("\n".join([head, *map(report.markdown, sections)]), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the networks in full size, and nothing else")
    parser.add_argument("--output", type=Path, help="default: in results/")
    parser.add_argument("--parts", nargs="+", choices=PARTS + FULL, metavar="PART",
                        help="only some of: " + ", ".join(PARTS + FULL))
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="draw layers, nets and data from these")
    arguments = parser.parse_args()
    if arguments.seeds:
        for part in (layers, nets, drawn_data):
            part.seeds[:] = arguments.seeds
    parts = FULL if arguments.full else arguments.parts or PARTS
    chosen = [f"{name}='{os.environ[name]}'" for name in ("FULL_NETWORKS", "FULL_ITERATIONS") if name in os.environ]
    command = " ".join(["make conformance", *(["FULL=1", *chosen] if arguments.full else [])])
    if arguments.parts:
        command = f"python tests/conformance/conformance.py --parts {' '.join(arguments.parts)}"
    output = arguments.output or RESULTS / ("conformance/full_size.md" if arguments.full else "conformance.md")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of what ends the processes on both sides
    start = time.monotonic()
    if subprocess.run(["bash", str(sides.SCRIPT)]).returncode:
        return 1
    with tempfile.TemporaryDirectory() as folder:
        sides.make_box(Path(folder))
        sections = measure(parts, Path(folder))
    write(output, command, sections, time.monotonic() - start)
    bad = [line for section in sections for line in report.failures(section)]
    print(*bad, f"{output}: {len(bad)} not as they must be", sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
