"""Record real Caffe 1.0's log of each run of recording_cases.py and structure_cases.py in golden/recording/.

usage, inside real Caffe: python3 tests/conformance/make_recording.py
"""

import os
import subprocess
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

from recording_cases import RUNS, write
from structure_cases import CASES, command

GOLDEN = Path(__file__).resolve().parent / "golden" / "recording"


def logged(words, folder):
    """The lines of `caffe`; whether the prefetching thread is late, and how far ahead, differs from time to time."""
    environment = {**os.environ, "GLOG_minloglevel": "0", "OPENBLAS_NUM_THREADS": "1"}
    log = subprocess.run(["caffe", *words], cwd=folder, env=environment, check=True, stderr=subprocess.PIPE,
                         text=True).stderr
    return [line for line in log.splitlines() if "Waiting for data" not in line and "Restarting data" not in line]


def record(name, lines):
    (GOLDEN / f"{name}.log").write_text("\n".join(lines) + "\n")
    print(name, len(lines), "lines")


GOLDEN.mkdir(exist_ok=True)
for run in RUNS:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        lines = logged(["train", f"--solver={run}.prototxt"], folder)
    start = 0 if run == next(iter(RUNS)) else next(i for i, line in enumerate(lines) if "Starting Optimization" in line)
    record(run, lines[start:])
for case in CASES:
    with tempfile.TemporaryDirectory() as folder:
        record(case, logged(command(case, Path(folder)), folder))
