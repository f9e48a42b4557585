"""How far TF32, a GPU's short products (CAFFE_TF32=1), takes a network from whole float32: results/conformance/tf32.md.

    python tests/conformance/tf32.py [--output results/conformance/tf32.md]

Computed on the CPU, where what is multiplied is rounded as TF32 does it: to 10 bits after the point, to nearest,
halves to even; sums stay in float32. No GPU was asked: one adds in another order, which changes less.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format
from torch.utils._python_dispatch import TorchDispatchMode

import caffe
from caffe.proto import caffe_pb2

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("shape/cnn", "shape_motion/cnn")
BATCH, CLASSES, SEED = 8, 9, 1
_PRODUCTS = {torch.ops.aten.convolution.default: 2, torch.ops.aten.mm.default: 2, torch.ops.aten.addmm.out: 3,
             torch.ops.aten.convolution_backward.default: 3}  # the arguments up to here are multiplied


def rounded(value: torch.Tensor) -> torch.Tensor:
    """float32 with the last 13 of 23 bits after the point rounded away, halves to even."""
    bits = value.contiguous().view(torch.int32)
    return ((bits + 0x0FFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


class Short(TorchDispatchMode):
    """Products of rounded numbers."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        count = _PRODUCTS.get(function, 0)
        first = 1 if function is torch.ops.aten.addmm.out else 0  # what is added is not multiplied
        taken = [rounded(a) if first <= i < count and isinstance(a, torch.Tensor) else a for i, a in enumerate(args)]
        return function(*taken, **(kwargs or {}))


def compare(name: str) -> tuple[float, float]:
    """The largest difference of the classes' scores, to the largest score, and that of all gradients, in L2 norm."""
    net = _net(name)
    whole = _run(net)
    with Short():
        short = _run(net)
    scores = np.abs(short[0] - whole[0]).max() / np.abs(whole[0]).max()
    return float(scores), float(np.linalg.norm(short[1] - whole[1]) / np.linalg.norm(whole[1]))


def _net(name: str) -> caffe.Net:
    """The network as it is trained, with inputs in the data layer's place."""
    param = text_format.Parse((ROOT / "prototxt" / name / "train_val.prototxt").read_text(), caffe_pb2.NetParameter())
    layers = [layer for layer in param.layer if not layer.include or layer.include[0].phase == caffe_pb2.TRAIN]
    made = caffe_pb2.NetParameter()
    made.state.phase = caffe_pb2.TRAIN
    inputs = made.layer.add(name="in", type="Input", top=layers[0].top)
    for top in layers[0].top:
        sides = [BATCH] if top == "label" else [BATCH, 4 if top == "motion" else 3, 227, 227]
        inputs.input_param.shape.add(dim=sides)
    made.layer.extend(layers[1:])
    caffe.set_random_seed(SEED)
    return caffe.Net.from_proto(made)


def _run(net: caffe.Net) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(SEED)
    for name in net.top_names["in"]:
        blob = net.blobs[name]
        draw = random.uniform(-99, 99, blob.shape)
        blob.data[...] = random.randint(0, CLASSES, blob.shape) if name == "label" else draw
    net.clear_param_diffs()
    net.forward()
    net.backward()
    gradients = np.concatenate([param.blob.diff.ravel() for param in net.learnable_params])
    return net.blobs["fc9"].data.copy(), gradients


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", default=str(ROOT / "results/conformance/tf32.md"), metavar="FILE")
    args = parser.parse_args()
    lines = ["# What TF32 would change", "", *__doc__.split("\n\n")[2].split("\n"),
             f"Full-size networks with weights from their fillers, {BATCH} random images, float32 against TF32:", "",
             "| network | scores, of the largest | gradients, of their norm |", "|---|---|---|"]
    for name in NETWORKS:
        scores, gradients = compare(name)
        lines.append(f"| `{name}` | {scores:.1e} | {gradients:.1e} |")
    lines += ["", "A maximum or a ReLU that decides otherwise for a rounded number sends its gradient elsewhere. The",
              "engine's own limits against real Caffe are 1e-4 and 1e-3, so TF32 is off unless `CAFFE_TF32=1` asks for",
              "it.",
              "", "    python tests/conformance/tf32.py", ""]
    Path(args.output).write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
