"""What the engine does otherwise than real Caffe 1.0, on purpose: shown on both sides, so that the list stays true."""

from __future__ import annotations

from layer_cases import Case, one
from layer_cases.run import run_case

from live.report import Measure, Section, error

TITLE = "What differs, and why"
OVERWRITTEN = "in place, real Caffe takes the gradient from values that the layer has overwritten; here it is right"
IMAGE = {"x": ((2, 3, 4, 5), "normal")}



def stack(*layers: str) -> str:
    """The layers, each by a name of its own."""
    return "".join(layer.replace('"layer"', f'"layer{i}"', 1) for i, layer in enumerate(layers))


SHARED = ("recurrent_param { num_output: 4 weight_filler { type: 'xavier' } } "
          "param { name: 'x' } param { name: 'b' } param { name: 'h' }")

# name: (case, why)
CASES = {
    **{f"{kind} in place": (Case(one(kind, "x", "x", body), {"x": ((3, 7), values)}), OVERWRITTEN)
       for kind, body, values in (("BNLL", "", "normal"), ("Clip", "clip_param { min: -0.5 max: 1 }", "normal"),
                                  ("Log", "", "uniform 0.5 2"), ("Power", "power_param { power: 2 }", "normal"))},
    "Scale with a factor for every number, several passes": (
        Case(one("Scale", "x", "y", "scale_param { axis: 0 num_axes: -1 }"), IMAGE, forwards=2),
        "real Caffe keeps only the last pass's gradient of the factors (iter_size above 1); here they add up"),
    "Flatten without propagate_down": (
        Case(one("Flatten", "x", "y", "propagate_down: false"), IMAGE, force_backward=False),
        "the bottom's diff is that of the top from the start; in real Caffe only once it was asked for"),
    "HingeLoss without propagate_down": (
        Case(one("HingeLoss", "x label", "loss", "propagate_down: false propagate_down: false"),
             {"x": ((4, 3), "normal"), "label": ((4,), "integers 0 3")}, top_diffs=False, force_backward=False),
        "real Caffe's forward leaves its margins in the bottom's diff; where a Split adds these to other branches, "
        "their gradient is wrong"),
    "TanH, then Dropout in place": (
        Case(stack(one("TanH", "x", "y"), one("Dropout", "y", "y")), IMAGE),
        "TanH, Sigmoid, Softmax and others take their gradient from their top, which Dropout has overwritten"),
    "Flatten of a Reshape": (
        Case(stack(one("Reshape", "x", "y", "reshape_param { shape { dim: 2 dim: 12 dim: -1 } }"),
                   one("Flatten", "y", "z")), IMAGE),
        "real Caffe's Flatten puts its top's diff in the place of the Reshape's, whose bottom gets no gradient"),
    "LSTM weights that layers share, in TRAIN": (
        Case(stack(one("LSTM", "x cont", "h", SHARED), one("LSTM", "h cont", "y", SHARED)),
             {"x": ((3, 2, 4), "normal"), "cont": ((3, 2), "integers 1 2")}, params=None),
        "in real Caffe the second layer's steps behind the first keep recurrent weights of their own"),
    "SoftmaxWithLoss with a second top": (
        Case(one("SoftmaxWithLoss", "x label", "loss prob", "loss_weight: 1 loss_weight: 0"),
             {"x": ((4, 3), "normal"), "label": ((4,), "integers 0 3")}, top_diffs=False),
        "real Caffe 1.0 ends the process"),
    "a wrong setting": (Case(one("InnerProduct", "x", "y", "inner_product_param { num_output: 2 axis: 7 }"), IMAGE),
                        "real Caffe ends the process; here it is an error of one line"),
}


def rounds() -> list:
    return [list(CASES)]


def run(caffe, name: str, side: str) -> dict:
    return run_case(caffe, name, CASES[name][0])


def section(found: dict) -> Section:
    rows: list = []
    faults = []
    for name, (_, why) in CASES.items():
        ours, theirs = found["engine"][name], found["real"][name]
        if isinstance(ours, str) or isinstance(theirs, str):
            here, there = (result.replace("\n", " ")[:120] if isinstance(result, str) else "runs"
                           for result in (ours, theirs))
            if not isinstance(theirs, str):
                faults.append(f"{name}: {here}")
            rows.append((name, f"here: {here}; real Caffe: {there}", why))
            continue
        differs = max(error(ours[array], theirs[array]) for array in theirs)
        if differs < 1e-4:
            faults.append(f"{name} no longer differs: take it off the list")
        rows.append((name, Measure(differs, float("inf")), why))
    text = """
Everything above agrees, but for what cannot: trajectories that are chaotic in real Caffe itself, and what real
Caffe makes of a GPU's or the clock's random numbers. These differ on purpose; each is run on both sides, and one
that no longer differs is a fault."""
    return Section(TITLE, text, ("what", "difference", "why"), rows, faults)
