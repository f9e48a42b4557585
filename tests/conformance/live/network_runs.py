"""The thesis's networks on the same batches on every side: with SGD, and with the thesis's solver state by state."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from live.parts.fillers import fingerprint
from live.states import gradients_of_step, parameters, set_gradients

STATES = (0, 1, 2, 10)
SOLVERS = {
    "sgd": 'type: "SGD" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9',
    "thesis": 'type: "RMSProp" rms_decay: 0.92 base_lr: 0.01 lr_policy: "inv" gamma: 0.01 power: 0.472 '
              "clip_gradients: 10",
}
SIDES = ("engine", "real", "again", "exact")


def dataset(network: str) -> str:
    """The folder in the box that the network is trained on."""
    return "dataset_64" if network.startswith("mini") else "dataset_256"


def rounds(networks: tuple, iterations: dict) -> list:
    """Whole runs of so many iterations, then steps from the states that real Caffe left."""
    return [[f"{network} {kind} {iterations[kind]}" for network in networks for kind in SOLVERS],
            [f"{network} state {state}" for network in networks for state in STATES]]


def run(caffe, name: str, side: str) -> dict:
    network, what, number = name.split()
    if what == "state":
        if side == "exact":
            with double_precision():
                return from_state(caffe, network, side, int(number))
        return from_state(caffe, network, side, int(number))
    return {} if side == "exact" else whole_run(caffe, network, side, what, int(number))


def make_solver(caffe, name: str, side: str, kind: str, start: int = 0):
    """A solver of the network on the dataset, its data layer starting at batch `start`."""
    from data_prep.dataset import open_dataset, prepared
    from tools import network

    path = network.find_network(name) / "train_val.prototxt"
    net = network.read_net(path)
    data = open_dataset(Path(dataset(name)))
    streams = network.data_settings(net, "TRAIN", path)["streams"]
    metas = [prepared(data, stem, streams).meta for stem in data.videos]
    mean = {s: np.mean([meta["mean"][s] for meta in metas], axis=0).round(3).tolist() for s in streams}
    for phase in ("TRAIN", "TEST"):
        network.fill_data(net, phase, path, dataset=dataset(name), videos=sorted(data.videos), mean=mean,
                          start_batch=start, workers=0)
    network.set_classes(net, len(data.classes), path)
    folder = place(name, side)
    net_file, solver_file = folder / f"{kind}.prototxt", folder / f"{kind}_solver.prototxt"
    network.write_message(net_file, net)
    solver_file.write_text(f'net: "{net_file}" snapshot_prefix: "{folder}/{kind}" random_seed: 15485863 max_iter: 1000 '
                           f"{SOLVERS[kind]}\n")
    return caffe.get_solver(str(solver_file))


def place(network: str, side: str) -> Path:
    folder = Path("networks", network.replace("/", "_"), side)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def whole_run(caffe, network: str, side: str, kind: str, iterations: int) -> dict:
    """The losses, and the initial weights' bits; real Caffe leaves its states, with what the next step made of them."""
    solver = make_solver(caffe, network, side, kind)
    found = {f"initial {name}": fingerprint(blob.data) for name, blob in parameters(solver.net)}
    leaves = side == "real" and kind == "thesis"
    gradients = gradients_of_step(solver) if leaves else {}
    losses = []
    for iteration in range(iterations):
        if leaves and iteration in STATES:
            solver.snapshot()
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        if leaves and iteration in STATES:
            np.savez(str(place(network, side) / f"gradients_{iteration}.npz"), **gradients)
    return {**found, "losses": np.asarray(losses)}


def from_state(caffe, network: str, side: str, state: int) -> dict:
    """One iteration from real Caffe's state: its loss and gradients; `update`, what real Caffe's gradients make of the
    weights."""
    file = str(place(network, "real") / f"thesis_iter_{state}.solverstate")
    solver = make_solver(caffe, network, side, "thesis", start=state)
    solver.restore(file)
    gradients = gradients_of_step(solver)
    solver.step(1)
    found = {"loss": np.asarray(float(solver.net.blobs["loss"].data))}
    found.update((f"gradient {name}", values) for name, values in gradients.items())
    if side == "real":
        found.update((f"update {name}", blob.data.copy()) for name, blob in parameters(solver.net) if learnt(name))
    if side == "engine":
        solver.restore(file)
        with np.load(str(place(network, "real") / f"gradients_{state}.npz")) as theirs:
            set_gradients(solver.net, theirs)
        solver.apply_update()
        found.update((f"update {name}", blob.data.copy()) for name, blob in parameters(solver.net) if learnt(name))
    return found


def learnt(name: str) -> bool:
    """Whether the update moves it: the statistics of BatchNorm are moved by the forward pass."""
    return not os.path.dirname(name).split("_")[-1].startswith("bn")


@contextmanager
def double_precision():
    """Nets of the engine made inside compute in float64."""
    from caffe.blob import Blob
    from caffe.layer_types import Layer

    make, dtype = Blob.__init__, Layer.dtype

    def make_double(blob, *shape, **_):
        make(blob, *shape, dtype=np.float64)

    Blob.__init__, Layer.dtype = make_double, np.float64  # type: ignore[method-assign]
    try:
        yield
    finally:
        Blob.__init__, Layer.dtype = make, dtype  # type: ignore[method-assign]
