"""Layers to be held against real Caffe 1.0: what to build, what to feed it.

Each family file has a table CASES of {name: Case}. This package runs in real Caffe too (Python 3.9, numpy
1.19): make_layer_goldens.py records there what the layers give; test_layers.py holds the engine to the record.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

FAMILIES = ("activation", "arrange", "common", "data", "inner", "loss", "neuron", "normalization", "pair_loss",
            "recurrent", "unfold", "vision")


class Case(NamedTuple):
    """One layer (with helper layers if need be) and its inputs.

    layer: prototxt of the layers, without the Input layers; `one` writes it.
    bottoms: {blob: (shape, kind of values)}; each becomes an Input layer. Kinds are in values.py.
    phase: "TRAIN" or "TEST".
    forwards: how many forward and backward passes, each on new values; parameters' diffs add up.
    params: kinds of values for the parameter blobs in order (the last kind serves the rest); None leaves them
        as the layer's fillers made them.
    last_shapes: {blob: shape} of bottoms that change their shape before the last forward.
    top_diffs: draw the outputs' diffs; False keeps the loss weight that Caffe puts there.
    backward: False for layers that have none.
    force_backward: False leaves it to the net, and to propagate_down, which gradients are computed.
    """

    layer: str
    bottoms: dict[str, tuple[tuple[int, ...], str]]
    phase: str = "TRAIN"
    forwards: int = 1
    params: tuple[str, ...] | None = ("normal 0.5",)
    last_shapes: dict[str, tuple[int, ...]]  | None = None
    top_diffs: bool = True
    backward: bool = True
    force_backward: bool = True


def one(type_: str, bottoms: str, tops: str, body: str = "") -> str:
    """Prototxt of one layer; `bottoms` and `tops` are blob names between spaces."""
    names = [f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in tops.split()]
    return f'layer {{ name: "layer" type: "{type_}" {" ".join(names)} {body} }}\n'


def cases(family: str) -> dict[str, Case]:
    """The family's table."""
    return import_module(f"layer_cases.{family}").CASES
