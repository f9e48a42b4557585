"""Fillers and the initial weights of the thesis's networks, bit for bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from filler_cases import CASES, SEEDS, fill

from live.report import Section, pairs, worst

TITLE = "Fillers and initial weights"
SEED = 15485863
NETWORKS = tuple(f"{size}{streams}/cnn" for size in ("mini/", "") for streams in ("shape", "motion", "shape_motion"))


def rounds() -> list:
    return [[f"filler {i} {seed}" for i in range(len(CASES)) for seed in SEEDS], [f"network {n}" for n in NETWORKS]]


def run(caffe, name: str, side: str) -> dict:
    kind, *rest = name.split()
    if kind == "filler":
        values, after = fill(caffe, *CASES[int(rest[0])], int(rest[1]))
        return {"values": fingerprint(values), "after": after}
    net = fed_by_input(caffe, rest[0], side)
    return {f"{layer}/{i} {blob.data.size}": fingerprint(blob.data) for layer, blobs in net.params.items()
            for i, blob in enumerate(blobs)}


def fingerprint(values: np.ndarray) -> np.ndarray:
    """All the bits of few numbers, the SHA-256 of many."""
    values = np.array(values, np.float32)  # a copy: blobs live on
    return values if values.size < 1000 else np.frombuffer(hashlib.sha256(values.tobytes()).digest(), np.uint8)


def fed_by_input(caffe, name: str, side: str):
    """The training net with an Input layer in place of the frames, its weights drawn from the seed."""
    from tools import network

    path = network.find_network(name) / "train_val.prototxt"
    net = network.read_net(path)
    settings = network.data_settings(net, "TRAIN", path)
    tops = list(network.data_layer(net, "TRAIN", path).top)
    layers = [layer for layer in network.layers_of(net, "TRAIN") if layer.type != "Python"]
    del net.layer[:]
    feed = net.layer.add(name="data", type="Input", top=tops)
    channels = {"data": 3, "motion": 4}
    for top in tops:
        dims = [1, channels[top], settings["crop"], settings["crop"]] if top in channels else [1]
        feed.input_param.shape.add(dim=dims)
    net.layer.extend(layers)
    file = Path(f"{name.replace('/', '_')}_{side}.prototxt")
    network.write_message(file, net)
    caffe.set_random_seed(SEED)
    return caffe.Net(str(file), caffe.TRAIN)


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    rows = []
    for kind in sorted({text.split()[1].strip('"') for text, _ in CASES}):
        own = {name: arrays for name, arrays in both.items()
               if name.startswith("filler") and f'"{kind}"' in CASES[int(name.split()[1])][0]}
        rows.append((kind, f"{len(own)} arrays", worst(own, 0)))
    for name in NETWORKS:
        if f"network {name}" in both:
            arrays = both[f"network {name}"][0]
            total = sum(int(array.split()[1]) for array in arrays)
            rows.append((name, f"{len(arrays)} arrays, {total:,} numbers", worst({name: both[f"network {name}"]}, 0)))
    text = f"""
Each filler from the seeds {', '.join(map(str, SEEDS))}, with the four numbers of the stream behind it; and all
weights of the thesis's networks from seed {SEED}, in full size too. Equal means to the bit."""
    return Section(TITLE, text, ("filler or network", "compared", "difference"), rows, faults)
