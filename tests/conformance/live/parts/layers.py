"""Layer configurations drawn from a seed: forward, backward, parameters' gradients, and again with other shapes."""

from __future__ import annotations

import generated
import numpy as np
from layer_cases.run import run_case

from live.parts.data import TYPES as OF_FILES
from live.report import BACKWARD, FORWARD, Measure, Section, pairs, worst

TITLE = "Layers"
ROUNDING = float(np.finfo(np.float32).eps)  # the inputs are of order 1
KNOWN = "the list of types"
seeds = [generated.SEED]  # --seeds puts others here


def rounds() -> list:
    return [[KNOWN, *generated.names(tuple(seeds))]]


def run(caffe, name: str, side: str) -> dict:
    if name == KNOWN:
        return {"names": np.asarray(sorted(caffe.layer_type_list()))}
    return run_case(caffe, name, generated.case(name))


def is_gradient(array: str) -> bool:
    return "_diff/" in array


def section(found: dict) -> Section:
    rows = []
    faults: list[str] = []
    here, there = (set(found[side].pop(KNOWN)["names"].tolist()) for side in ("engine", "real"))
    both = pairs(found, faults)
    faults += [f"layer type {kind} is missing in the engine" for kind in sorted(there - here)]
    held = set(generated.table()).union(OF_FILES)
    faults += [f"layer type {kind} has no configurations" for kind in sorted(there - held)]
    for kind, (count, _, _) in sorted(generated.table().items()):
        own = {name: arrays for name, arrays in both.items() if name.rsplit(" ", 1)[0] == kind}
        forward = worst(own, FORWARD, lambda array: not is_gradient(array), ROUNDING)
        backward: Measure | str = worst(own, BACKWARD, is_gradient, ROUNDING)
        if not any(is_gradient(array) for arrays, _ in own.values() for array in arrays):
            backward = "–"
        where = max((m for m in (forward, backward) if isinstance(m, Measure)), key=lambda m: m.value / m.limit).where
        rows.append((kind, f"{len(own)} of {count * len(seeds)}", forward, backward, f"`{where}`" if where else ""))
    text = f"""
{len(found["real"])} configurations, drawn from seed {", ".join(map(str, seeds))} by
`tests/conformance/generated/`: shapes,
parameters, phases, in place or not, propagate_down, loss weights, fillers, shared weights, several passes,
other shapes in the last. Each is a net of its own, run in both. Types that read or write files are held
under *Data*. Errors are max |a − b| / max |b| over the arrays of all passes; limits {FORWARD:.0e} forward,
{BACKWARD:.0e} backward; a difference below {ROUNDING:.1e}, the rounding of the inputs, is none.
Inputs are the same bits on both sides, so ties of maxima (some inputs are
multiples of a half, full of them) must be decided alike."""
    return Section(TITLE, text, ("layer type", "configurations", "forward", "backward", "worst at"), rows, faults)
