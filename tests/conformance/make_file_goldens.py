"""Record what real Caffe 1.0's layers that read files give for file_cases.py in golden/file_layers.npz.

usage, inside real Caffe: python3 tests/conformance/make_file_goldens.py

Each case runs in a process of its own: HDF5Data shuffles by the C library's rand(), which starts anew with each.
Makes the images in golden/images/ where they are missing.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
from file_cases import CASES, FOLDER, GOLDEN, make_images, make_sources, run_case

import caffe

if not FOLDER.is_dir():
    FOLDER.mkdir()
    make_images(FOLDER)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    make_sources(Path(folder))
    results = {}
    for name in CASES:
        print(name, flush=True)
        child = os.fork()
        if not child:
            np.savez("found.npz", **run_case(caffe, name))
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"real Caffe refused {name}")
        with np.load("found.npz") as found:
            results.update({f"{name}/{array}": found[array] for array in found.files})
np.savez_compressed(GOLDEN, **results)
print(GOLDEN, GOLDEN.stat().st_size, "bytes")
