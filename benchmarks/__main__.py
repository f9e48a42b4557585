"""`make bench`: see the package."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import quick
from benchmarks.page import page
from benchmarks.way import Way
from data_prep.errors import InputError
from data_prep.files import atomic_path, read_json, write_json
from data_prep.progress import duration
from tools import provenance
from tools.arguments import add_gpu, add_quiet, command_line, positive

# In the order of the page; `machine` is measured whenever another part is, for its floors.
PARTS = ("machine", "steps", "layers", "stages", "data", "waiting", "predict", "sizes", "startup")
SCRATCH = Path("results") / "bench" / "work"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast everything is.")
    parser.add_argument("--parts", type=parts, default=PARTS, metavar="LIST", help="only some of: " + ",".join(PARTS))
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="rounds, in turn (%(default)s)")
    parser.add_argument("--video", metavar="FILE", help="default: a simulated minute of 640×480 pixels")
    parser.add_argument("--output", default="results/bench.md", metavar="FILE", help="default: %(default)s")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="no page: a step and a forward pass beside real Caffe for a minute; fails below the ratios it must have",
    )
    add_gpu(parser)
    add_quiet(parser)
    args = parser.parse_args(argv)
    try:
        if args.quick:
            return quick.run(args.quiet)
        measure(args)
    except InputError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


def parts(text: str) -> tuple[str, ...]:
    """Names of parts, separated by commas."""
    given = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in given if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {unknown[0]!r}; give some of {','.join(PARTS)}")
    return given


def measure(args: argparse.Namespace) -> None:
    """Measure the parts, each into the file as soon as it is there, and write the page."""
    output = Path(args.output)
    kept = output.with_suffix(".json")
    options = {"video": args.video, "repeats": args.repeats, "gpu": args.gpu}
    command = command_line("bench", [], options).replace("ethocaffe bench", "python -m benchmarks")
    SCRATCH.mkdir(parents=True, exist_ok=True)
    way = Way(args.repeats, Path(args.video) if args.video else None, args.gpu, args.quiet, SCRATCH.resolve())
    measured = read_json(kept)["parts"] if kept.is_file() else {}
    begun = time.monotonic()
    todo = [name for name in PARTS if name in args.parts or name == "machine"]
    for at, name in enumerate(todo):
        started, busy = time.monotonic(), others()
        found = {done: part["results"] for done, part in measured.items()}
        results = import_module(f"benchmarks.{name}").measure(way, found)
        seconds = time.monotonic() - started
        origin = {**provenance.describe(), "seconds": seconds, "busy": busy, "command": f"{command} --parts {name}"}
        measured[name] = {**origin, "results": results}
        write_json(kept, {"parts": measured})
        if not args.quiet:
            print(f"{name}: {duration(seconds)} ({at + 1} of {len(todo)})", file=sys.stderr, flush=True)
    write(output, measured)
    if not args.quiet:
        print(f"{output}: written; {duration(time.monotonic() - begun)} in all")


def write(output: Path, measured: Mapping[str, Any]) -> None:
    """The page of what has been measured, and its picture."""
    there = {name: measured[name] for name in PARTS if name in measured}
    modules = {name: import_module(f"benchmarks.{name}") for name in there}
    with atomic_path(output) as temporary:
        temporary.write_text(page(there, modules), encoding="utf-8")
    for name, module in modules.items():
        if hasattr(module, "picture"):
            module.picture(there[name]["results"], output.parent)


def others() -> float | None:
    """The share of the cores that is busy with something else while this process waits a second; None where Linux's
    /proc/stat is not there."""

    def idle() -> float:
        with open("/proc/stat") as file:
            numbers = [int(number) for number in file.readline().split()[1:]]
        return (numbers[3] + numbers[4]) / os.sysconf("SC_CLK_TCK")

    try:
        before = idle()
        time.sleep(1)
        return max(0.0, 1 - (idle() - before) / (os.cpu_count() or 1))
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
