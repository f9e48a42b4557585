"""Every network of prototxt/mini in real Caffe 1.0: it learns and validates as in the engine, on the same frames.

The positions are the same too, which OpenCV 4.5 and Python 3.9 compute there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from data_prep.prepare import prepare
from prototxt.networks import NETWORKS, PROFILES
from tools import current
from tools import network as networks
from tools.training_plan import make_plan

REPOSITORY = Path(__file__).parents[2]
MINI = PROFILES[1]
ITERATIONS = 4

# Run in the box's folder; leaves losses and scores of every network in the file that is named.
TRAIN = """
import glob
import sys
import caffe
import numpy as np
from data_prep.streams import stored_frames
found = {}
for file in sorted(glob.glob("*_solver.prototxt")):
    name = file[: -len("_solver.prototxt")]
    solver = caffe.get_solver(file)
    for iteration in range(ITERATIONS):
        solver.step(1)
        found["%s loss %d" % (name, iteration)] = solver.net.blobs["loss"].data.copy()
    for batch in range(2):  # the second goes on where the first left off
        solver.test_nets[0].forward()
        found["%s scores %d" % (name, batch)] = solver.test_nets[0].blobs["fc9"].data.copy()
        found["%s counts %d" % (name, batch)] = solver.test_nets[0].blobs["class_counts"].data.copy()
found["positions"] = np.array([frame.position for frame in stored_frames("cage/videos/v0.mp4", None, 64, track=True)])
np.savez(sys.argv[1], **found)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory, real_caffe):
    """What the engine and real Caffe make of a box with the code that runs in real Caffe, a prepared dataset, and
    for each network its solver."""
    folder = tmp_path_factory.mktemp("box")
    for room in ("data_prep", "python_layers"):
        shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    tiny.write_dataset(folder / "cage", videos=2, frames=90)
    prepare(folder / "cage", ("shape", "motion", "position"), MINI.size, workers=1, quiet=True)
    system = current.train(folder / "cage", "v1", folder / "system", None, quiet=True)
    for one in NETWORKS:
        write_solver(folder, one.name, system.path)
    (folder / "train.py").write_text(TRAIN.replace("ITERATIONS", str(ITERATIONS)))
    real_caffe(folder, "python3", "train.py", "real.npz")
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "engine")])
    subprocess.run([sys.executable, "train.py", "engine.npz"], cwd=folder, env={**os.environ, "PYTHONPATH": path},
                   check=True)  # fmt: skip
    return np.load(folder / "engine.npz"), np.load(folder / "real.npz")


def write_solver(folder: Path, name: str, system: Path) -> None:
    path = networks.find_network(f"mini/{name}") / "train_val.prototxt"
    net = networks.read_net(path)
    for phase, video in (("TRAIN", "v0"), ("TEST", "v1")):
        networks.fill_data(net, phase, path, dataset="cage", videos=[video], workers=0)
        if name == "current_system/lstm":
            networks.fill_data(net, phase, path, **features(folder, system))
    steps = networks.data_settings(net, "TRAIN", path)["sequence_length"]
    networks.fill_data(net, "TRAIN", path, batch_size=8 // steps)
    networks.set_classes(net, 3, path)
    file = name.replace("/", "_")
    # Weights large enough for each frame to have scores of its own from the start.
    networks.write_message(folder / f"{file}.prototxt", net)
    text = (folder / f"{file}.prototxt").read_text()
    (folder / f"{file}.prototxt").write_text(re.sub(r'type: "gaussian"\s+std: [\d.]+', 'type: "xavier"', text))
    (folder / f"{file}_solver.prototxt").write_text(
        f'net: "{file}.prototxt" type: "SGD" base_lr: 0.001 momentum: 0.9 lr_policy: "fixed" random_seed: 5 '
        f'test_iter: 1 test_interval: 1000 test_initialization: false snapshot_prefix: "{file}" max_iter: 100 '
        "solver_mode: CPU\n"
    )


def features(folder: Path, system: Path) -> dict:
    """What the data layer needs to read a current system's features of the box's videos, seen from there."""
    plan = make_plan(
        folder / "none", "mini/current_system/lstm", folder / "cage", "v1", features=system, weights=None, solver=None,
        iterations=None, batch_size=None, sequence_length=None, seed=None, validate_every=None, sampling=None,
        workers=0, quiet=True,
    )  # fmt: skip
    found = networks.data_settings(plan.net, "TRAIN", folder)
    return {
        "features": str(Path(found["features"]).relative_to(folder.resolve())),
        **{key: found[key] for key in ("mean", "deviation")},
    }


@pytest.mark.parametrize("name", [one.name for one in NETWORKS])
def test_it_learns_and_validates_as_in_the_engine(found, name):
    engine, real = found
    names = [key for key in real.files if key.startswith(name.replace("/", "_") + " ")]
    assert len(names) == ITERATIONS + 4 and set(names) <= set(engine.files)
    assert real[f"{name.replace('/', '_')} scores 0"].std(axis=0).min() > 1e-3
    for key in names:
        scale = np.abs(real[key]).max()
        np.testing.assert_allclose(engine[key], real[key], rtol=0, atol=1e-4 * scale + 1e-6, err_msg=key)


def test_positions_are_the_same_with_the_older_opencv(found):
    engine, real = found
    assert engine["positions"].shape == (90, 11) and engine["positions"][:, -1].mean() > 0.9
    np.testing.assert_array_equal(engine["positions"][:, -1], real["positions"][:, -1])
    np.testing.assert_allclose(engine["positions"], real["positions"], atol=1e-5)
