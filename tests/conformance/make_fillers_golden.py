"""Write golden/fillers.npz: what real Caffe 1.0's fillers give, for tests/unit/test_rng_fillers.py.

Runs inside real Caffe, in this folder:  python3 make_fillers_golden.py

Each case is a DummyData layer with the filler named and, behind it, four uniform numbers, which show how many
words of the random stream the filler took. Long arrays are kept as their first values and a SHA-256 of all.
"""

import hashlib
import os

import numpy as np
from filler_cases import CASES, SEEDS, fill

import caffe

KEPT = 300


def main():
    golden = {"fillers": [], "shapes": [], "seeds": [], "sha256": []}
    arrays = {}
    for filler, shape in CASES:
        for seed in SEEDS if "gaussian" in filler else SEEDS[1:3]:
            values, after = fill(caffe, filler, shape, seed)
            name = "{:03d}".format(len(golden["fillers"]))
            arrays[name + "_values"] = values.reshape(-1)[:KEPT]
            arrays[name + "_after"] = after
            golden["fillers"].append(filler)
            golden["shapes"].append(" ".join(map(str, shape)))
            golden["seeds"].append(seed)
            golden["sha256"].append(hashlib.sha256(values.tobytes()).hexdigest())
    target = os.path.join("golden", "fillers.npz")
    np.savez_compressed(target + ".tmp.npz", **golden, **arrays)
    os.replace(target + ".tmp.npz", target)


main()
