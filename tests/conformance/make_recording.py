"""Record real Caffe 1.0's log of each run of recording_cases.py in golden/recording/.

usage, inside real Caffe: python3 tests/conformance/make_recording.py
"""

import os
import subprocess
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

from recording_cases import RUNS, write

GOLDEN = Path(__file__).resolve().parent / "golden" / "recording"

GOLDEN.mkdir(exist_ok=True)
for run in RUNS:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        environment = {**os.environ, "GLOG_minloglevel": "0", "OPENBLAS_NUM_THREADS": "1"}
        log = subprocess.run(["caffe", "train", f"--solver={run}.prototxt"], cwd=folder, env=environment, check=True,
                             stderr=subprocess.PIPE, text=True).stderr
    # whether the prefetching thread is late, and how far it is ahead, differs from time to time
    lines = [line for line in log.splitlines() if "Waiting for data" not in line and "Restarting data" not in line]
    start = 0 if run == next(iter(RUNS)) else next(i for i, line in enumerate(lines) if "Starting Optimization" in line)
    (GOLDEN / f"{run}.log").write_text("\n".join(lines[start:]) + "\n")
    print(run, len(lines) - start, "lines")
