"""The nets of prototxt/ as both engines time them: numbers in the pictures' place, so that only the net is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools import model, network

SOLVER_FIELDS = ("net", "test_iter", "test_interval", "display", "snapshot", "solver_mode")


def training(name: str, batch: int, folder: Path) -> tuple[str, int]:
    """Write a solver as prototxt/solver.prototxt has it and its net, with DummyData in the data layer's place; returns
    the solver's file, and the images in a batch: `batch` rounded to whole sequences, at least one."""
    from python_layers.settings import TOP_CHANNELS, VECTORS

    file = network.find_network(name) / model.TRAIN_VAL
    net = network.read_net(file)
    data = network.data_settings(net, "TRAIN", file)
    source = network.data_layer(net, "TRAIN", file)
    steps = data["sequence_length"]
    sequences = max(batch // steps, 1)
    images, side = steps * sequences, data.get("crop", 1)
    shapes: list[tuple[int, ...]] = [
        (images, VECTORS[stream]) if stream in VECTORS else (images, TOP_CHANNELS[stream], side, side)
        for stream in data["streams"]
    ]
    shapes += [(images,), (steps, sequences)][: len(source.top) - len(shapes)]
    made = type(net)(name=net.name)
    for layer in network.layers_of(net, "TRAIN"):
        made.layer.add().CopyFrom(_dummy(layer, shapes) if layer.name == source.name else layer)
    stem = name.replace("/", "_") + f"_{batch}"
    network.write_message(folder / f"{stem}.prototxt", made)
    solver = network.read_solver(network.find_solver(file.parent))
    for field in SOLVER_FIELDS:
        solver.ClearField(field)
    solver.train_net, solver.snapshot_prefix, solver.solver_mode = f"{stem}.prototxt", stem, 0
    solver.snapshot_after_train = False
    network.write_message(folder / f"{stem}_solver.prototxt", solver)
    return f"{stem}_solver.prototxt", images


def prediction(name: str, batch: int, folder: Path) -> tuple[str, int]:
    """Write a deploy net for `batch` images at a time; returns its file, and that number. A recurrent net takes them as
    one sequence."""
    net = network.read_net(network.find_network(name) / model.DEPLOY)
    for layer in net.layer:
        if layer.type == "Input":
            for shape in layer.input_param.shape:
                shape.dim[0] = batch
    stem = name.replace("/", "_") + f"_deploy_{batch}.prototxt"
    network.write_message(folder / stem, net)
    return stem, batch


def _dummy(layer: Any, shapes: list[tuple[int, ...]]) -> Any:
    """DummyData with the layer's tops; constants are filled in once, and `side.fill` writes over them."""
    made = type(layer)(name=layer.name, type="DummyData", top=layer.top)
    for shape in shapes:
        made.dummy_data_param.shape.add().dim.extend(shape)
    made.dummy_data_param.data_filler.add(type="constant")
    return made
