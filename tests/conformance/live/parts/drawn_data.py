"""Data and ImageData layers of settings drawn from a seed, on sources of both sides' own, in nets and in solvers."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import data_cases
import numpy as np
from generated.draw import Draw

from live.report import FORWARD, Section, pairs, worst

TITLE = "Data, drawn"
COUNT, FORWARDS = 60, 5
SOURCES = ("raw", "floats", "color", "grey", "jpeg")
MEANS = ("", "mean_value: 12.5", "mean_value: 10 mean_value: 20 mean_value: 30.5", "mean_file: 'mean.binaryproto'")
COMPUTED = ("ip", "drop", "loss")  # blobs that arithmetic rounds
seeds = [20260101]  # --seeds puts others here


def rounds() -> list:
    return [[f"drawn {number:03d}/{seed}" for seed in seeds for number in range(COUNT)]]


def transform(draw: Draw, grey: bool, plain: bool) -> str:
    """A transform_param; `plain` sources are not decoded, so their colour cannot be forced."""
    mean = draw.pick(*MEANS[:2]) if grey else draw.pick(*MEANS)
    text = draw.fields(scale=(0.00390625, 0.5, -2), mirror=("true", "false"), crop_size=(0, 3, 5, 7))
    if not plain and not mean.startswith("mean_file"):
        one = draw.pick("", "force_gray: true" if mean.count("mean_value") < 2 else "", "force_color: true")
        text += " " + one
    return f"transform_param {{ {text} {mean} }}"


def data_layer(draw: Draw, name: str, rules: str = "") -> str:
    source = draw.pick(*SOURCES)
    tops = f'top: "{name}"' + (f' top: "{name}_label"' if draw.chance(0.7) else "")
    body = f'source: "{source}" batch_size: {draw.pick(1, 2, 3, 4, 5, 7, 12)} backend: LMDB '
    body += draw.fields(prefetch=(1, 2, 7, 10))
    if draw.chance(0.25):
        body += f" rand_skip: {draw.pick(1, 3, 9)}"
    plain = source in ("raw", "floats")
    return (f'layer {{ name: "{name}" type: "Data" {tops} {transform(draw, source == "grey", plain)} '
            f"data_param {{ {body} }} {rules} }}\n")


def image_layer(draw: Draw, name: str) -> str:
    body = f'source: "list.txt" batch_size: {draw.pick(1, 2, 3, 5, 8)} new_height: 8 new_width: {draw.pick(8, 11)} '
    body += draw.fields(shuffle=("true", "false"))
    grey = draw.chance(0.25)
    if grey:
        body += " is_color: false"
    if draw.chance(0.25):
        body += f" rand_skip: {draw.pick(1, 3)}"
    text = transform(draw, grey, True)
    if "mean_file" in text:
        text = text.replace(MEANS[3], "")
    return (f'layer {{ name: "{name}" type: "ImageData" top: "{name}" top: "{name}_label" {text} '
            f"image_data_param {{ {body} }} }}\n")


def random_layer(name: str) -> str:
    """Shows how many numbers the layers before took from the main stream."""
    return (f'layer {{ name: "{name}" type: "DummyData" top: "{name}" dummy_data_param {{ shape {{ dim: 3 }} '
            'data_filler { type: "uniform" } } }\n')


def make_sources(folder: Path) -> None:
    import cv2
    import lmdb

    from caffe.proto import caffe_pb2

    data_cases.make_sources(folder)
    rng = np.random.RandomState(8)
    lines = []
    with lmdb.open(str(folder / "jpeg"), map_size=1 << 20) as environment, environment.begin(write=True) as batch:
        for k in range(7):
            image = cv2.resize(rng.randint(0, 256, (3, 3, 3)).astype(np.uint8), (9, 7))
            found = cv2.imencode(".jpg", image)[1].tobytes()
            datum = caffe_pb2.Datum(data=found, encoded=True, label=k)
            batch.put(b"%08d" % k, datum.SerializeToString())
            cv2.imwrite(str(folder / f"{k}.png"), rng.randint(0, 256, (6 + k, 12 - k, 3)).astype(np.uint8))
            lines.append(f"{k}.png {k * 3}\n")
    (folder / "list.txt").write_text("".join(lines))


def run(caffe, name: str, side: str) -> dict:
    home = os.getcwd()
    folder = Path("drawn_data", side).resolve()
    if not folder.is_dir():
        folder.mkdir(parents=True)
        make_sources(folder)
    os.chdir(str(folder))
    try:
        draw = Draw(np.random.RandomState(zlib.crc32(name.encode())))
        seed = draw.pick(0, 1, 21, 15485863, 2**31 - 1)
        if draw.chance(0.3):
            return in_solver(caffe, draw, seed)
        return in_net(caffe, draw, seed)
    finally:
        os.chdir(home)


def in_net(caffe, draw: Draw, seed: int) -> dict:
    layers = [image_layer(draw, f"d{i}") if draw.chance(0.25) else data_layer(draw, f"d{i}")
              for i in range(draw.size(1, 3))]
    layers.insert(draw.size(0, len(layers)), random_layer("r"))
    Path("net.prototxt").write_text("".join(layers))
    caffe.set_random_seed(seed)
    net = caffe.Net("net.prototxt", getattr(caffe, draw.pick("TRAIN", "TRAIN", "TEST")))
    found = {}
    for k in range(FORWARDS):
        net.forward()
        found.update({f"{k}/{blob}": values.data.copy() for blob, values in net.blobs.items()})
    return found


def in_solver(caffe, draw: Draw, seed: int) -> dict:
    """Training and test net take turns; a weight is learnt so that there is something to do."""
    layers = data_layer(draw, "d", "include { phase: TRAIN }") + data_layer(draw, "d", "include { phase: TEST }")
    layers += random_layer("r")
    layers += 'layer { name: "ip" type: "InnerProduct" bottom: "r" top: "ip" inner_product_param { num_output: 2 ' \
              'axis: 0 weight_filler { type: "gaussian" std: 0.1 } } }\n'
    layers += 'layer { name: "drop" type: "Dropout" bottom: "ip" top: "drop" }\n'
    layers += 'layer { name: "loss" type: "Reduction" bottom: "drop" top: "loss" loss_weight: 1 }\n'
    Path("net.prototxt").write_text(layers)
    Path("solver.prototxt").write_text(
        f'net: "net.prototxt" random_seed: {seed} base_lr: 0.1 lr_policy: "fixed" test_iter: {draw.size(1, 3)} '
        f"test_interval: {draw.size(1, 3)} iter_size: {draw.size(1, 2)} snapshot_prefix: \"s\" "
        + draw.pick("", "test_initialization: false") + "\n")
    solver = caffe.get_solver("solver.prototxt")
    found = {}
    for k in range(FORWARDS):
        solver.step(1)
        for which, net in (("train", solver.net), ("test", solver.test_nets[0])):
            found.update({f"{k}/{which} {blob}": values.data.copy() for blob, values in net.blobs.items()})
    return found


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    rows = []
    for what, limit, exact in (("what is read and drawn", 0, True), ("what is made of it", FORWARD, False)):
        error = worst(both, limit, lambda a, exact=exact: (a.split()[-1] in COMPUTED) != exact)
        rows.append((what, f"{len(both)} nets", error, f"`{error.where}`" if error.where else ""))
    text = """
Data and ImageData layers with drawn sources, batches (larger than the source too), crops, mirrors, means, scales,
prefetch, rand_skip, shuffles, seeds; several in a net, and in training and test nets that take turns in a solver."""
    return Section(TITLE, text, ("", "compared", "difference", "worst at"), rows, faults)
