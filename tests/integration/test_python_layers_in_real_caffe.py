"""The Python layers inside real Caffe 1.0, unchanged: the same batches as in the engine, with workers or without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import CROP, SIZE, write_dataset

from tools.cli import main

REPOSITORY = Path(__file__).parents[2]

# Run in a folder that holds net.prototxt; leaves the batches in the file that is named, also for one of two solvers.
BATCHES = """
import sys
import caffe
import numpy as np
batches = {}
for count, rank in ((1, 0), (2, 1)):
    caffe.set_multiprocess(True)
    caffe.set_solver_count(count)
    caffe.set_solver_rank(rank)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    for _ in range(7):
        net.forward()
        for name, blob in net.blobs.items():
            batches.setdefault(f"{name} {rank}", []).append(blob.data.copy())
np.savez(sys.argv[1], **batches)
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory, real_caffe):
    """A folder with the code that runs in real Caffe and a prepared dataset; it is all that real Caffe sees."""
    folder = tmp_path_factory.mktemp("box")
    for room in ("data_prep", "python_layers"):
        shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    write_dataset(folder / "cage", videos=2, frames=30)
    assert main(["prepare", str(folder / "cage"), "--size", str(SIZE), "--quiet"]) == 0
    (folder / "batches.py").write_text(BATCHES)
    return folder


def data_layer(phase="TRAIN", **changes):
    """The layer's text; the dataset's path holds in and outside of real Caffe."""
    settings = {
        "dataset": "cage",
        "videos": ["v0", "v1"],
        "streams": ["shape", "motion"],
        "size": SIZE,
        "crop": CROP,
        "batch_size": 3,
        "sequence_length": 2,
        "mean": {"shape": [100], "motion": [1, 2, 3, 4]},
        "seed": 7,
        "shuffle": phase == "TRAIN",
        **changes,
    }
    return f"""
        layer {{
          name: "data" type: "Python" top: "data" top: "motion" top: "label" top: "cont" include {{ phase: {phase} }}
          python_param {{
            module: "python_layers.frame_sequences" layer: "FrameSequenceData" param_str: '{json.dumps(settings)}'
          }}
        }}"""


def in_engine(folder, *command):
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "engine")])
    subprocess.run([sys.executable, *command], cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True)


def test_the_batches_are_the_engine_s(box, real_caffe):
    for workers in (0, 2):
        (box / "net.prototxt").write_text(data_layer(workers=workers))
        real_caffe(box, "python3", "batches.py", f"real_{workers}.npz")
    in_engine(box, "batches.py", "engine.npz")
    engine = np.load(box / "engine.npz")
    for workers in (0, 2):
        real = np.load(box / f"real_{workers}.npz")
        names = {f"{name} {rank}" for name in ("data", "motion", "label", "cont") for rank in (0, 1)}
        assert set(real.files) == set(engine.files) == names
        for name in engine.files:
            np.testing.assert_array_equal(real[name], engine[name])


def test_a_fault_is_told_by_its_line(box, real_caffe):
    (box / "net.prototxt").write_text(data_layer(videos=["v9"]))
    result = real_caffe(box, "python3", "batches.py", "none.npz", check=False)
    assert result.returncode != 0
    assert "no video 'v9'; there are v0, v1" in result.stderr.splitlines()[-1]


def test_caffe_s_own_command_trains_with_workers_and_reports_each_class(box, real_caffe):
    scores = """
        layer { name: "scores" type: "InnerProduct" bottom: "data" top: "scores"
                inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.001 } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss"
                loss_param { ignore_label: -1 } }
        layer { name: "counts" type: "Python" bottom: "scores" bottom: "label" top: "counts"
                include { phase: TEST }
                python_param { module: "python_layers.class_counts" layer: "ClassCounts" } }"""
    phases = data_layer("TRAIN", workers=1) + data_layer("TEST", workers=1)
    (box / "train_val.prototxt").write_text(phases + scores)
    (box / "solver.prototxt").write_text(
        'net: "train_val.prototxt" base_lr: 0.0001 lr_policy: "fixed" max_iter: 4 test_iter: 2 test_interval: 2 '
        'display: 1 solver_mode: CPU snapshot_after_train: false snapshot_prefix: "x"'
    )
    log = real_caffe(box, "env", "GLOG_minloglevel=0", "caffe", "train", "--solver=solver.prototxt").stderr
    assert "Optimization Done" in log
    assert log.count(": counts = ") == 3 * 2 * 3  # three validations, two numbers for each of three classes
