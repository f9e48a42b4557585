"""What a net computes and moves, from its layers' shapes, and how long that takes at the least."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

FLOAT = 4  # bytes
# RMSProp reads and writes each weight, its gradient and its history once.
UPDATE = 6 * FLOAT
SOURCES = ("Input", "DummyData")


def of_layers(described: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per layer of `side.describe`: `products`, the multiply-adds of its forward pass; `back`, how many times as many
    its backward pass has (2, and 1 where only the weights' gradient is wanted, 0 where there are none); `moved`, the
    bytes that a forward pass reads and writes at least; `weights`, numbers in its parameters."""
    found = []
    sources: set[str] = set()
    for layer in described:
        if layer["type"] in SOURCES:
            sources |= set(layer["tops"])
        products = multiply_adds(layer)
        needed = [name for name in layer["bottoms"] if name not in sources]
        weights = sum(prod(shape) for shape in layer["params"])
        numbers = sum(prod(shape) for kind in ("bottoms", "tops") for shape in layer[kind].values())
        found.append({
            "name": layer["name"], "type": layer["type"], "products": products, "weights": weights,
            "back": (2 if needed else 1) if products else 0, "moved": FLOAT * (numbers + weights),
        })  # fmt: skip
    return found


def multiply_adds(layer: Mapping[str, Any]) -> int:
    """Of a forward pass over the whole batch; 0 for layers that are no matrix products."""
    params = layer["params"]
    if not params or layer["type"] not in PRODUCTS:
        return 0
    return PRODUCTS[layer["type"]](params, next(iter(layer["tops"].values())))


def _convolution(params: list[list[int]], top: list[int]) -> int:
    """Every weight (outputs × inputs of its group × height × width) once at each place of the output."""
    return prod(params[0]) * top[0] * prod(top[2:])


def _inner_product(params: list[list[int]], top: list[int]) -> int:
    return prod(params[0]) * (prod(top) // params[0][0])


def _lstm(params: list[list[int]], top: list[int]) -> int:
    """Input and state, (4·units × …) each, at every step of every sequence."""
    return (prod(params[0]) + prod(params[2])) * top[0] * top[1]


PRODUCTS = {"Convolution": _convolution, "InnerProduct": _inner_product, "LSTM": _lstm}


def totals(layers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Of a net: multiply-adds of its forward and of its backward pass, and its weights."""
    layers = list(layers)
    return {
        "forward": sum(layer["products"] for layer in layers),
        "backward": sum(layer["products"] * layer["back"] for layer in layers),
        "weights": sum(layer["weights"] for layer in layers),
    }


def floor(total: Mapping[str, int], training: bool, rates: Mapping[str, float]) -> float:
    """Seconds that a forward pass takes at the least, or a training step: its multiply-adds at the machine's rate of
    matrix products, and the update at its memory's bandwidth."""
    products = total["forward"] + (total["backward"] if training else 0)
    return 2 * products / rates["products"] + (UPDATE * total["weights"] / rates["bytes"] if training else 0.0)


def layer_floor(layer: Mapping[str, Any], backward: bool, rates: Mapping[str, float]) -> float:
    """Seconds of one layer's pass: its multiply-adds, or the bytes that it moves, whichever takes longer. Backward
    moves the blobs' gradients beside the blobs."""
    products = 2 * layer["products"] * (layer["back"] if backward else 1) / rates["products"]
    moved = layer["moved"] * (2 if backward else 1) / rates["bytes"]
    return max(products, moved)
