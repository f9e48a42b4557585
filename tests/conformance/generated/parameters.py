"""Layers with weights but no windows, normalisation, and weights that layers share."""

from __future__ import annotations

from layer_cases import Case, one

from generated.draw import SIMPLE, Draw, vary

STATISTICS = ("normal 0.5", "uniform 0.5 2", "uniform 1.5 3")


def filled(draw: Draw, rest: dict, *fields: str) -> str:
    """Sometimes: fillers instead of the weights that the harness draws."""
    if not draw.chance(0.25):
        return ""
    rest["params"] = None
    return " " + " ".join(draw.filler(field) for field in fields)


def inner_product(draw: Draw):
    axes = draw.size(1, 5)
    axis, written = draw.axis(axes)
    bias = draw.chance(0.7)
    rest: dict = {}
    body = f"num_output: {draw.size(1, 6)} axis: {written} bias_term: {'true' if bias else 'false'}"
    body += " transpose: true" if draw.chance(0.3) else ""
    body += filled(draw, rest, "weight_filler", *(["bias_filler"] if bias else []))
    return vary(draw, "InnerProduct", {"x": (draw.shape(axes), "normal")}, "y", f"inner_product_param {{ {body} }}",
                another=None if axis else {}, multipliers=1 + bias, **rest)


def covered(draw: Draw, shape: tuple) -> tuple:
    """(axis, how it is written, number of axes from it on)."""
    axis, written = draw.axis(len(shape))
    return axis, written, draw.size(0, len(shape) - axis)


def scale(draw: Draw):
    shape = draw.shape(draw.size(1, 5))
    axis, written, number = covered(draw, shape)
    bias = draw.chance(0.5)
    rest: dict = {}
    tops, bottoms = draw.pick("y", "y", "x"), {"x": (shape, "normal")}
    body = f"axis: {written} bias_term: {'true' if bias else 'false'}"
    if second := draw.chance(0.35):
        bottoms["s"] = (shape[axis:axis + number], "normal")
    else:
        body += f" num_axes: {draw.pick(number, number, -1)}"
        if draw.chance(0.3):
            rest["params"] = None
            body += " " + draw.filler("filler", SIMPLE) + (" " + draw.filler("bias_filler", SIMPLE) if bias else "")
        # real Caffe keeps the last pass's gradient only, where there is a factor for every number
        rest["forwards"] = 1
    return vary(draw, "Scale", bottoms, tops, f"scale_param {{ {body} }}",
                another={} if second or axis == 0 else None, multipliers=bias + (not second), **rest)


def bias(draw: Draw):
    shape = draw.shape(draw.size(1, 5))
    axis, written, number = covered(draw, shape)
    rest: dict = {}
    tops, bottoms = draw.pick("y", "y", "x"), {"x": (shape, "normal")}
    body = f"axis: {written}"
    if second := draw.chance(0.35):
        bottoms["b"] = (shape[axis:axis + number], "normal")
    else:
        body += f" num_axes: {draw.pick(number, number, -1)}"
        if draw.chance(0.3):
            rest["params"] = None
            body += " " + draw.filler("filler", SIMPLE)
    return vary(draw, "Bias", bottoms, tops, f"bias_param {{ {body} }}",
                another={} if second or axis == 0 else None, multipliers=not second, **rest)


def batch_norm(draw: Draw):
    axes = draw.size(2, 5)
    shape = (draw.size(3, 5), draw.size(1, 4), *draw.shape(axes - 2, 2, 4))
    body = draw.fields(moving_average_fraction=(0.5, 0.9, 0.999), eps=(0.1, 0.001, 1e-5),
                       use_global_stats=("true", "false"))
    rest = {"params": draw.pick(STATISTICS, STATISTICS, None), "weights": False}  # of equal diffs nothing is left
    tops = draw.pick("y", "y", "x")
    another = {"x": (draw.size(3, 6), shape[1], *draw.shape(axes - 2, 2, 4))}
    if rest["params"] is None and draw.chance(0.5):
        rest["phase"] = "TRAIN"
    return vary(draw, "BatchNorm", {"x": (shape, draw.pick("normal", "uniform 2 5"))}, tops,
                f"batch_norm_param {{ {body} }}", another=another, **rest)


def mvn(draw: Draw):
    shape = (*draw.shape(2, 1, 4), *draw.shape(2, 2, 5))  # of one number nothing is left but rounding
    body = draw.fields(normalize_variance=("true", "false"), across_channels=("true", "false"), eps=(1e-9, 0.01, 0.5))
    another = {"x": (draw.size(1, 5), shape[1], *draw.shape(2, 2, 5))}
    return vary(draw, "MVN", {"x": (shape, "normal")}, "y", f"mvn_param {{ {body} }}", another=another,
                weights=False)


def shared(draw: Draw) -> Case:
    """Two layers whose weights have the same name, perhaps only the same count of numbers."""
    name = 'param { name: "w" %s } param { name: "b" }'
    rows, columns = draw.size(2, 4), draw.size(2, 4)
    form = draw.pick("same", "permissive", "multipliers")
    mode = "share_mode: PERMISSIVE" if form == "permissive" else "lr_mult: 2" if form == "multipliers" else ""
    other = draw.chance(0.5) if form == "permissive" else False
    first = one("InnerProduct", "x", "y", f"inner_product_param {{ num_output: {rows} }} " + name % mode)
    second = one("InnerProduct", "z", "u", f"inner_product_param {{ num_output: {rows}"
                 f"{' transpose: true' if other else ''} }} " + name % mode)
    return Case(first.replace('"layer"', '"one"') + second.replace('"layer"', '"two"'),
                {"x": ((draw.size(1, 4), columns), "normal"), "z": ((draw.size(1, 4), columns), "normal")},
                forwards=draw.size(1, 3), phase=draw.pick("TRAIN", "TEST"))


TYPES = {"InnerProduct": (24, inner_product), "Scale": (20, scale), "Bias": (12, bias), "BatchNorm": (22, batch_norm),
         "MVN": (12, mvn), "InnerProduct, shared weights": (8, shared)}
