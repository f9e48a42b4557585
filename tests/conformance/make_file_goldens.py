"""Record what real Caffe 1.0's layers that read files give for file_cases.py in golden/file_layers.npz.

usage, inside real Caffe: python3 tests/conformance/make_file_goldens.py

Each case runs in a process of its own, as does what writes the files: HDF5Data shuffles by the C library's rand(),
which starts anew with each process, and which the writing of an LMDB uses too.
Makes the images in golden/images/ where they are missing.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ["GLOG_minloglevel"] = "2"

import numpy as np
from file_cases import CASES, FOLDER, GOLDEN, make_images, make_sources, run_case

import caffe


def record(name: str) -> None:
    np.savez("found.npz", **run_case(caffe, name))


def in_a_child(what: str, run) -> None:
    child = os.fork()
    if not child:
        run()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {what}")


if not FOLDER.is_dir():
    FOLDER.mkdir()
    make_images(FOLDER)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    in_a_child("writing the files", lambda: make_sources(Path(".")))
    results = {}
    for name in CASES:
        print(name, flush=True)
        in_a_child(name, partial(record, name))
        with np.load("found.npz") as found:
            results.update({f"{name}/{array}": found[array] for array in found.files})
np.savez_compressed(GOLDEN, **results)
print(GOLDEN, GOLDEN.stat().st_size, "bytes")
