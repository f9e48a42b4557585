"""Layer configurations drawn from a seed: Case objects over all layer types that run on bottoms.

Each family file has a table TYPES of {layer type: (how many, a function from Draw to Case)}; the function draws only what
Caffe allows, as real Caffe ends the process otherwise. Runs in real Caffe too (Python 3.9, numpy 1.19).
"""

from __future__ import annotations

import zlib
from importlib import import_module

import numpy as np

from generated.draw import Draw
from layer_cases import Case

SEED = 20260101
FAMILIES = ("elementwise", "spatial", "shapes", "parameters", "losses", "recurrent", "sources")

# what real Caffe 1.0 registers on a CPU; those that read or write files are held in live/parts/data.py
TYPES = tuple("""
    AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data
    Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss
    Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss PReLU
    Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice
    Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData""".split())


def table() -> dict:
    """{layer type: (how many, maker, family)}."""
    return {kind: (*row, family) for family in FAMILIES
            for kind, row in import_module(f"generated.{family}").TYPES.items()}


def cases() -> dict[str, Case]:
    """{`<type> <number>`: case}, the same at every call."""
    found = {}
    for kind, (count, make, _) in table().items():
        for number in range(count):
            name = f"{kind} {number:02d}"
            found[name] = make(Draw(np.random.RandomState(zlib.crc32(f"{SEED} {name}".encode()))))
    return found
