"""How long it takes until anything begins."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks import processes
from benchmarks.way import Found, Way, table
from data_prep.progress import Progress

TITLE = "Start-up"
TIMES = 5
COMMANDS = {
    "Python alone": "import sys; status = 0;",
    "`ethocaffe --help`": "import contextlib, io, sys\nfrom tools import cli\nstatus = 0\n"
    "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    cli.main(['--help'])\n",
    "`import caffe`": "import sys; import caffe; status = 0;",
    "`caffe.Net`, which loads PyTorch": "import sys; import caffe; caffe.Net; status = 0;",
}


def measure(way: Way, found: Found) -> dict[str, Any]:
    """{command: [Cost, …]}, in turn; the first round, which fills the disk's cache, does not count."""
    costs: dict[str, list[processes.Cost]] = {name: [] for name in COMMANDS}
    with Progress((TIMES + 1) * len(COMMANDS), "runs", "start-up", way.quiet) as progress:
        for _ in range(TIMES + 1):
            for name, code in COMMANDS.items():
                costs[name].append(processes.measured(code))
                progress.update()
    return processes.as_json({name: rounds[1:] for name, rounds in costs.items()})


def lines(results: dict[str, Any], found: Found) -> list[str]:
    rows = [
        (
            name,
            f"{median(cost['seconds'] for cost in costs):.2f}",
            f"{median(cost['computed'] for cost in costs):.2f}",
            f"{max(cost['memory'] for cost in costs):.0f} MB",
        )
        for name, costs in results.items()
    ]
    columns = ("", "seconds", "processors' seconds", "memory")
    return [*table(columns, rows), "", f"Medians of {TIMES} runs, files in the disk's cache."]
