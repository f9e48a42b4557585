"""AbsVal, BNLL, Clip, ELU, Exp, Log, Power, PReLU, Sigmoid, Swish, TanH, Threshold."""

from __future__ import annotations

from layer_cases import Case, one

GRID = {"x": ((2, 3, 4, 5), "grid")}
NORMAL = {"x": ((2, 3, 4, 5), "normal")}
POSITIVE = {"x": ((3, 7), "uniform 0.5 2")}


def case(kind: str, body: str = "", tops: str = "y", bottoms: dict = NORMAL, **rest) -> Case:
    return Case(one(kind, "x", tops, body), bottoms, **rest)


CASES = {
    "abs_val": case("AbsVal", bottoms=GRID),
    "abs_val_scalar": case("AbsVal", bottoms={"x": ((), "normal")}),
    "bnll": case("BNLL"),
    "bnll_far": case("BNLL", bottoms={"x": ((4, 9), "normal 40")}),
    "clip": case("Clip", "clip_param { min: -0.5 max: 1 }"),
    "clip_at_its_limits": case("Clip", "clip_param { min: -1 max: 1 }", bottoms=GRID),
    "elu": case("ELU", bottoms=GRID),
    "elu_alpha": case("ELU", "elu_param { alpha: 0.3 }"),
    "elu_in_place": case("ELU", "elu_param { alpha: 0.3 }", "x", forwards=2),
    "exp": case("Exp"),
    "exp_in_place": case("Exp", tops="x"),
    "exp_base": case("Exp", "exp_param { base: 2 scale: 0.5 shift: 1.5 }"),
    "exp_shift": case("Exp", "exp_param { shift: -1 }"),
    "exp_base_1": case("Exp", "exp_param { base: 1 shift: 3 }"),
    "log": case("Log", bottoms=POSITIVE),
    "log_base": case("Log", "log_param { base: 10 scale: 2 shift: 1 }", bottoms=POSITIVE),
    "log_base_below_1": case("Log", "log_param { base: 0.5 }", bottoms=POSITIVE),
    "power": case("Power"),
    "power_linear": case("Power", "power_param { scale: 2 shift: -1 }"),
    "power_2": case("Power", "power_param { power: 2 scale: 0.5 shift: 1 }"),
    "power_3": case("Power", "power_param { power: 3 }", bottoms=POSITIVE),
    "power_half": case("Power", "power_param { power: 0.5 scale: 3 shift: 1 }", bottoms=POSITIVE),
    "power_minus_1": case("Power", "power_param { power: -1 shift: 1 }", bottoms=POSITIVE),
    "power_0": case("Power", "power_param { power: 0 scale: 2 }"),
    "power_scale_0": case("Power", "power_param { power: 2 scale: 0 shift: 3 }"),
    "sigmoid": case("Sigmoid"),
    "sigmoid_engine": case("Sigmoid", "sigmoid_param { engine: CAFFE }"),
    "sigmoid_in_place": case("Sigmoid", tops="x", forwards=2),
    "sigmoid_far": case("Sigmoid", bottoms={"x": ((4, 9), "normal 20")}),
    "swish": case("Swish"),
    "swish_beta": case("Swish", "swish_param { beta: 2.5 }"),
    "tanh": case("TanH"),
    "tanh_engine": case("TanH", "tanh_param { engine: CAFFE }"),
    "tanh_in_place": case("TanH", tops="x", forwards=2),
    "threshold": case("Threshold", bottoms=GRID, backward=False),
    "threshold_given": case("Threshold", "threshold_param { threshold: 0.5 }", backward=False),
    "prelu": case("PReLU", forwards=2),
    "prelu_grid": case("PReLU", bottoms=GRID),
    "prelu_in_place": case("PReLU", tops="x", forwards=2),
    "prelu_shared": case("PReLU", "prelu_param { channel_shared: true }", forwards=2),
    "prelu_default_filler": case("PReLU", params=None),
    "prelu_filler": case("PReLU", "prelu_param { filler { type: 'gaussian' std: 0.3 } }", params=None),
    "prelu_2_axes": case("PReLU", bottoms={"x": ((5, 3), "normal")}),
}
