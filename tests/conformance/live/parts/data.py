"""Layers that read or write files: LMDBs, images, windows, HDF5, arrays; their crops, mirrors, means and scales."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import data_cases
import file_cases
import numpy as np

from live.report import Section, pairs, worst

TITLE = "Data"
OUTPUTS = {"2 axes": ((5, 3), (5,)), "4 axes": ((4, 2, 3, 2), (4, 1, 1, 1)), "3 axes": ((3, 2, 5), (3, 2))}
KINDS = {"Data": "Data", "output": "HDF5Output", "python": "Python"}
TABLES = {"Data": data_cases, "files": file_cases}


def rounds() -> list:
    return [[f"files: {name}" for name in file_cases.CASES] + [f"Data: {name}" for name in data_cases.CASES]
            + [f"output: {name}" for name in OUTPUTS] + ["python: a layer of one's own"]]


def run(caffe, name: str, side: str) -> dict:
    """The blobs of some batches; every side writes its sources itself, in a folder of its own."""
    kind, case = name.split(": ")
    home = os.getcwd()
    folder = Path("data", side, kind).resolve()
    fresh = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(str(folder))
    try:
        if kind == "output":
            return written(caffe, case)
        if kind == "python":
            return doubled(caffe)
        if fresh:
            TABLES[kind].make_sources(folder)
        return of_its_own_process(TABLES[kind], caffe, case)
    finally:
        os.chdir(home)


def of_its_own_process(table, caffe, case: str) -> dict:
    """The case; a shuffled one in a process of its own, with the C library's rand() as it is in a new one."""
    if "shuffled" not in case:
        return table.run_case(caffe, case)
    child = os.fork()
    if not child:
        try:
            ctypes.CDLL(None).srand(1)  # LMDB and others drew from it
            np.savez("found.npz", **table.run_case(caffe, case))
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{case} failed")
    with np.load("found.npz") as found:
        return dict(found)


def written(caffe, case: str) -> dict:
    """What HDF5Output leaves in its file."""
    import h5py

    shapes = OUTPUTS[case]
    text = "".join(f'layer {{ name: "{blob}" type: "Input" top: "{blob}" input_param {{ shape {{ '
                   + " ".join(f"dim: {n}" for n in shape) + " } } }\n" for blob, shape in zip("xt", shapes))
    Path("net.prototxt").write_text(text + 'layer { name: "out" type: "HDF5Output" bottom: "x" bottom: "t" '
                                    f'hdf5_output_param {{ file_name: "{len(shapes[0])}.h5" }} }}\n')
    net = caffe.Net("net.prototxt", caffe.TEST)
    rng = np.random.RandomState(3)
    for blob, shape in zip("xt", shapes):
        net.blobs[blob].data[...] = rng.standard_normal(shape)
    net.forward()
    del net  # real Caffe closes the file with its net
    with h5py.File(f"{len(shapes[0])}.h5", "r") as file:
        return {key: file[key][()] for key in file}


PYTHON_LAYER = """
import caffe

class Doubled(caffe.Layer):
    def setup(self, bottom, top):
        self.factor = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data + self.phase

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = self.factor * top[0].diff
"""


def doubled(caffe) -> dict:
    """A Python layer's top and its bottom's gradient."""
    Path("doubled_layer.py").write_text(PYTHON_LAYER)
    sys.path.insert(0, os.getcwd())
    Path("net.prototxt").write_text(
        'force_backward: true layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "y" type: "Python" bottom: "x" top: "y" python_param { module: "doubled_layer" layer: "Doubled" '
        'param_str: "2.5" } loss_weight: 3 }\n')
    found = {}
    for phase in ("TRAIN", "TEST"):
        net = caffe.Net("net.prototxt", getattr(caffe, phase))
        net.blobs["x"].data[...] = np.arange(6).reshape(2, 3)
        net.forward()
        net.backward()
        found.update({f"{phase} {blob}": np.stack([values.data, values.diff]) for blob, values in net.blobs.items()})
    return found


def layer_type(name: str) -> str:
    """The layer type that the name is a case of."""
    kind, case = name.split(": ")
    return KINDS.get(kind) or file_cases.CASES[case].layer.split('type: "')[1].split('"')[0]


TYPES = sorted({layer_type(name) for name in rounds()[0]})


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    rows = []
    for kind in TYPES:
        wanted = [name for name in found["real"] if layer_type(name) == kind]
        own = {name: both[name] for name in wanted if name in both}
        error = worst(own, 1e-4 if kind == "InfogainLoss" else 0)
        rows.append((kind, f"{len(own)} of {len(wanted)}", error, f"`{error.where}`" if error.where else ""))
    text = """
Several batches of each, with random crops and mirrors, mean files and values, scales, resizing, shuffling, and the
number of random numbers taken from the main stream. HDF5Data shuffles by the C library's rand(): alike in a process
where nothing else draws from that before. The sources are written by each side for itself. Equal means to the bit."""
    return Section(TITLE, text, ("layer type", "cases", "difference", "worst at"), rows, faults)
