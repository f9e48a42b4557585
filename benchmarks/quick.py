"""The short form for CI: fails where the engine is not as much faster than real Caffe as it must be. Never on a time.

LIMITS are what the median ratio of alternating rounds must reach.
"""

from __future__ import annotations

import sys
from statistics import median

from benchmarks import sides, steps
from data_prep.progress import Progress

NETWORK = "shape/cnn"
BATCH = 8
ROUNDS = {steps.STEP: 5, steps.FORWARD: 7}
LIMITS = {steps.STEP: 1.2, steps.FORWARD: 1.2}  # real Caffe's time by ours


def run(quiet: bool) -> int:
    """Exit status: 1 where a ratio is below its limit, or real Caffe is not there to compare with."""
    if not sides.real_caffe_is_there():
        print(
            "benchmarks: real Caffe is not there to compare with; as root, run tests/conformance/real_caffe.sh",
            file=sys.stderr,
        )
        return 1
    names = (sides.OURS, sides.REAL)
    failed = False
    turns = len(names) * (len(ROUNDS) + sum(ROUNDS.values()))
    with sides.box() as place, Progress(turns, "turns", "quick", quiet) as progress:
        for kind, limit in LIMITS.items():
            row = steps.compared(place, NETWORK, kind, BATCH, names, ROUNDS[kind], tell=progress.update)
            bad = median(steps.ratios(row)) < limit
            failed = failed or bad
            if bad or not quiet:
                verdict = f"below {limit}" if bad else f"at least {limit}"
                print(f"{steps.described(row)}, {verdict}", file=sys.stderr if bad else sys.stdout)
    return int(failed)
