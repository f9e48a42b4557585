"""Drawing a configuration: choices, shapes, and what any layer may have besides its own parameters."""

from __future__ import annotations

import numpy as np
from layer_cases import Case, one

FILLERS = ("type: 'constant' value: 0.3", "type: 'gaussian' std: 0.5", "type: 'gaussian' mean: 0.2 std: 0.1 sparse: 1",
           "type: 'uniform' min: -1 max: 0.5", "type: 'xavier'", "type: 'xavier' variance_norm: FAN_OUT",
           "type: 'msra'", "type: 'msra' variance_norm: AVERAGE", "type: 'positive_unitball'")
SIMPLE = FILLERS[:2] + FILLERS[3:4]  # of a parameter without axes; the others ask for them


class Draw:
    """Choices of one configuration."""

    def __init__(self, rng: np.random.RandomState):
        self.rng = rng

    def pick(self, *choices):
        return choices[self.rng.randint(len(choices))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.uniform() < share)

    def size(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.randint(least, most + 1))

    def number(self, least: float, most: float) -> float:
        return round(float(self.rng.uniform(least, most)), 3)

    def shape(self, axes: int, least: int = 1, most: int = 6) -> tuple:
        return tuple(self.size(least, most) for _ in range(axes))

    def axis(self, axes: int, first: int = 0) -> tuple:
        """(an axis from `first` on, how it is written: sometimes from behind)."""
        axis = self.size(first, axes - 1)
        return axis, axis - axes if self.chance(0.3) else axis

    def fields(self, **choices) -> str:
        """Each field, or not, with one of its choices."""
        return " ".join(f"{name}: {self.pick(*values)}" for name, values in choices.items() if self.chance(0.6))

    def filler(self, field: str, choices: tuple = FILLERS) -> str:
        return f"{field} {{ {self.pick(*choices)} }}"


def dims(shape) -> str:
    return "shape { " + " ".join(f"dim: {extent}" for extent in shape) + " }"


def vary(draw: Draw, kind: str, bottoms: dict, tops: str, body: str = "", *, another: dict | None = None,
         weights: bool = True,
         multipliers: int = 0, gradients: tuple = (), selective: bool = True, **rest) -> Case:
    """The case, with a phase, several passes, other shapes in the last, loss weights, propagate_down and multipliers.

    another: shapes that the bottoms may take in the last pass; by default another extent of the first axis, if all
    bottoms have the same there; {} for none. weights: whether a top may have a loss weight. multipliers: how many
    parameter blobs may get multipliers. gradients: indices of bottoms without a gradient. selective: whether
    propagate_down may leave gradients out.
    """
    rest.setdefault("phase", draw.pick("TRAIN", "TRAIN", "TEST"))
    rest.setdefault("forwards", draw.pick(1, 2, 2, 3))
    in_place = any(top in bottoms for top in tops.split())
    backward = rest.get("backward", True)
    if weights and backward and not in_place and draw.chance(0.12):
        body += "".join(f" loss_weight: {draw.pick(0.5, 2, 1, -0.7, 0)}" for _ in tops.split())
        rest["top_diffs"] = False
    elif rest["forwards"] > 1 and rest.get("top_diffs", True) and draw.chance(0.6):
        rest["last_shapes"] = _batch(draw, bottoms) if another is None else another
    if selective and backward and not in_place and draw.chance(0.15):
        rest["force_backward"] = False
        if draw.chance(0.7):
            body += "".join(f" propagate_down: {'true' if draw.chance(0.5) and i not in gradients else 'false'}"
                            for i in range(len(bottoms)))
    if multipliers and draw.chance(0.3):
        body += "".join(f" param {{ lr_mult: {draw.pick(0, 1, 2)} decay_mult: {draw.pick(0, 1)} }}"
                        for _ in range(multipliers))
    return Case(one(kind, " ".join(bottoms), tops, body), bottoms, **rest)


def _batch(draw: Draw, bottoms: dict) -> dict:
    shapes = [shape for shape, _ in bottoms.values()]
    if not shapes or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
        return {}
    first = draw.size(1, 7)
    return {blob: (first, *shape[1:]) for blob, (shape, _) in bottoms.items()}
