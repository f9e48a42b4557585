"""Layers that change numbers one by one."""

from __future__ import annotations

from generated.draw import FILLERS, SIMPLE, Draw, vary

POSITIVE = "uniform 0.5 2"
ANY = ("normal", "normal 3", "grid")

# type: (how many, parameter message, {field: choices}, kinds of values, in place: "yes", "forward" or "no").
# Real Caffe takes some gradients from values that were overwritten in place: those go forward only there.
ROWS: dict[str, tuple] = {
    "AbsVal": (6, "", {}, ANY, "no"),
    "BNLL": (6, "", {}, ("normal", "normal 30"), "forward"),
    "Clip": (8, "clip_param", {"min": (-1, -0.5, -7), "max": (0.5, 1, 2.25)}, ANY, "forward"),
    "ELU": (8, "elu_param", {"alpha": (0.1, 1, 2.5, 0)}, ANY, "yes"),
    "Exp": (10, "exp_param", {"base": (-1, 2, 10, 0.5), "scale": (0.5, -1, 1.5), "shift": (0.5, -1)}, ("normal",),
            "yes"),
    "Log": (8, "log_param", {"base": (-1, 2, 10, 0.5), "scale": (0.5, 3), "shift": (0, 1)}, (POSITIVE,), "forward"),
    "Power": (12, "power_param", {"power": (0, 1, 2, 3, 0.5, -1, -0.5), "scale": (0.5, 2, 1), "shift": (0, 0.5)},
              (POSITIVE,), "forward"),
    "ReLU": (8, "relu_param", {"negative_slope": (0, 0.1, 0.5)}, ANY, "yes"),
    "Sigmoid": (6, "", {}, ("normal", "normal 20"), "yes"),
    "Swish": (8, "swish_param", {"beta": (0.5, 1, 3, -1)}, ("normal",), "yes"),
    "TanH": (6, "", {}, ("normal", "normal 5"), "yes"),
    "Threshold": (6, "threshold_param", {"threshold": (0, 0.5, -1)}, ANY, "forward"),
    "Dropout": (10, "dropout_param", {"dropout_ratio": (0.2, 0.5, 0.8, 0)}, ANY, "yes"),
}


def elementwise(kind: str):
    _, message, fields, values, in_place = ROWS[kind]

    def make(draw: Draw):
        bottoms = {"x": (draw.shape(draw.size(0, 5)), draw.pick(*values))}
        # both fields of Clip are required
        inner = " ".join(f"{name}: {draw.pick(*choices)}" for name, choices in fields.items()) if kind == "Clip" \
            else draw.fields(**fields)
        rest = {"backward": False} if kind == "Threshold" else {}
        tops = "x" if in_place != "no" and draw.chance(0.3) else "y"
        if tops == "x" and in_place == "forward":
            rest["backward"] = False
        return vary(draw, kind, bottoms, tops, f"{message} {{ {inner} }}" if message else "", **rest)

    return make


def prelu(draw: Draw):
    shared = draw.chance(0.4)
    body = f"channel_shared: {'true' if shared else 'false'}"
    rest: dict = {}
    if draw.chance(0.4):
        rest["params"] = None
        if draw.chance(0.7):
            body += " " + draw.filler("filler", SIMPLE if shared else FILLERS)
    bottoms = {"x": (draw.shape(draw.size(2, 4)), draw.pick(*ANY))}
    return vary(draw, "PReLU", bottoms, draw.pick("x", "y", "y"), f"prelu_param {{ {body} }}", multipliers=1, **rest)


TYPES = {**{kind: (row[0], elementwise(kind)) for kind, row in ROWS.items()}, "PReLU": (10, prelu)}
