"""Layers that arrange, join, cut, pick, repeat or reduce."""

from __future__ import annotations

from layer_cases import Case, one

from generated.draw import Draw, dims, vary


def normal(*shape: int) -> tuple:
    return shape, "normal"


def concat(draw: Draw):
    axes = draw.size(1, 5)
    axis, written = draw.axis(axes)
    shape = draw.shape(axes, 1, 4)
    shapes = [(*shape[:axis], draw.size(1, 4), *shape[axis + 1:]) for _ in range(draw.size(1, 4))]
    field = f"concat_dim: {axis}" if draw.chance(0.2) else f"axis: {written}"
    bottoms = {f"x{i}": normal(*extents) for i, extents in enumerate(shapes)}
    return vary(draw, "Concat", bottoms, "y", f"concat_param {{ {field} }}", another=None if axis else {})


def cut(draw: Draw):
    axes = draw.size(1, 5)
    axis, written = draw.axis(axes)
    parts = draw.size(1, 4)
    extents = [draw.size(1, 3) for _ in range(parts)]
    if even := draw.chance(0.4):
        extents = extents[:1] * parts
    shape = list(draw.shape(axes, 1, 4))
    shape[axis] = sum(extents)
    points = "" if even else " ".join(f"slice_point: {sum(extents[:i])}" for i in range(1, parts))
    field = f"slice_dim: {axis}" if draw.chance(0.2) else f"axis: {written}"
    return vary(draw, "Slice", {"x": normal(*shape)}, " ".join(f"y{i}" for i in range(parts)),
                f"slice_param {{ {field} {points} }}", another=None if axis else {})


def split(draw: Draw):
    tops = " ".join(f"y{i}" for i in range(draw.size(1, 4)))
    return vary(draw, "Split", {"x": normal(*draw.shape(draw.size(0, 5)))}, tops)


def flatten(draw: Draw):
    axes = draw.size(1, 5)
    first, last = sorted(draw.size(0, axes - 1) for _ in range(2))
    body = f"axis: {draw.pick(first, first - axes)} end_axis: {draw.pick(last, last - axes)}"
    return vary(draw, "Flatten", {"x": normal(*draw.shape(axes))}, "y", f"flatten_param {{ {body} }}",
                selective=False)  # the diff of a bottom that is not asked for is shared here, and left alone there


def reshape(draw: Draw):
    axes = draw.size(1, 4)
    shape = draw.shape(axes, 1, 5)
    start = draw.size(0, axes)
    span = draw.pick(-1, draw.size(0, axes - start))
    stop = axes if span < 0 else start + span
    new, count = [], 1
    for extent in shape[start:stop]:
        count *= extent
    # keep some axes where they stand, then put the rest into one, with axes of 1 around
    kept = draw.size(0, stop - start)
    for i in range(kept):
        # 0 takes the extent of the bottom's axis of that number, counted from `axis`
        new.append(draw.pick(0, shape[start + i]))
        count //= shape[start + i]
    new += [draw.pick(-1, count)] if count > 1 or draw.chance(0.5) else []
    new += [1] * draw.size(0, 2)
    text = " ".join(f"dim: {extent}" for extent in new)
    written = draw.pick(start, start - axes - 1)
    return vary(draw, "Reshape", {"x": normal(*shape)}, "y",
                f"reshape_param {{ shape {{ {text} }} axis: {written} num_axes: {span} }}", another={})


def eltwise(draw: Draw):
    operation = draw.pick("SUM", "PROD", "MAX")
    number = draw.size(2, 4)
    body = f"operation: {operation}"
    if operation == "SUM" and draw.chance(0.6):
        body += "".join(f" coeff: {draw.pick(1, -1, 0.5, 2)}" for _ in range(number))
    if operation == "PROD" and draw.chance(0.4):
        body += " stable_prod_grad: false"
    kind = draw.pick("normal", "grid") if operation != "PROD" else "uniform 0.5 2"
    shape = draw.shape(draw.size(0, 5))
    return vary(draw, "Eltwise", {f"x{i}": (shape, kind) for i in range(number)}, "y", f"eltwise_param {{ {body} }}")


def reduction(draw: Draw):
    axes = draw.size(1, 5)
    _, written = draw.axis(axes)
    body = f"operation: {draw.pick('SUM', 'ASUM', 'SUMSQ', 'MEAN')} axis: {written} " + draw.fields(coeff=(0.5, -2, 3))
    # all of one sign, so that sums are not what rounding left over
    return vary(draw, "Reduction", {"x": (draw.shape(axes), "uniform 0.5 2")}, "y", f"reduction_param {{ {body} }}")


def tile(draw: Draw):
    axes = draw.size(1, 5)
    _, written = draw.axis(axes)
    return vary(draw, "Tile", {"x": normal(*draw.shape(axes, 1, 4))}, "y",
                f"tile_param {{ axis: {written} tiles: {draw.size(1, 4)} }}")


def argmax(draw: Draw):
    axes = draw.size(2, 4)
    shape = draw.shape(axes, 2, 6)
    axis, written = draw.axis(axes)
    by_axis = draw.chance(0.6)
    most = shape[axis] if by_axis else int(min(6, shape[1]))
    body = f"top_k: {draw.size(1, most)} out_max_val: {draw.pick('true', 'false')}"
    body += f" axis: {written}" if by_axis else ""
    # the order of equal numbers is that of real Caffe's sort by value and index; a shorter axis 0 may have fewer than k
    rest: dict = {"another": {}} if by_axis and not axis else {}
    return vary(draw, "ArgMax", {"x": (shape, draw.pick("normal", "grid"))}, "y", f"argmax_param {{ {body} }}",
                weights=False, backward=False, **rest)


def reindex(draw: Draw):
    shape = draw.shape(draw.size(1, 4))
    bottoms = {"x": normal(*shape), "i": ((draw.size(1, 8),), f"integers 0 {shape[0]}")}
    return vary_of_indices(draw, "BatchReindex", bottoms, "y")


def filter_(draw: Draw):
    first = draw.size(2, 6)
    bottoms = {f"x{i}": normal(first, *draw.shape(draw.size(0, 3), 1, 4)) for i in range(draw.size(1, 3))}
    tops = " ".join(f"y{i}" for i in range(len(bottoms)))
    bottoms["chosen"] = ((first, *[1] * draw.size(0, 2)), draw.pick("integers 0 2", "integers 1 2", "integers 0 2"))
    return vary_of_indices(draw, "Filter", bottoms, tops)


def embed(draw: Draw):
    words = draw.size(2, 7)
    bias = draw.chance(0.6)
    body = f"num_output: {draw.size(1, 5)} input_dim: {words} bias_term: {'true' if bias else 'false'}"
    rest: dict = {}
    if draw.chance(0.3):
        rest["params"] = None
        body += " " + draw.filler("weight_filler")
    bottoms = {"x": (draw.shape(draw.size(1, 3)), f"integers 0 {words}")}
    return Case(one("Embed", "x", "y", f"embed_param {{ {body} }} propagate_down: false"), bottoms,
                forwards=draw.size(1, 3), force_backward=False, **rest)


def vary_of_indices(draw: Draw, kind: str, bottoms: dict, tops: str) -> Case:
    """Real Caffe ends where force_backward asks for the gradient of an index, so propagate_down says which it is."""
    down = "propagate_down: true " * (len(bottoms) - 1) + "propagate_down: false"
    return Case(one(kind, " ".join(bottoms), tops, down), bottoms, forwards=draw.size(1, 3), force_backward=False,
                phase=draw.pick("TRAIN", "TEST"))


def silence(draw: Draw):
    bottoms = {"x": normal(*draw.shape(draw.size(0, 4)))}
    tops = [f"s{i}" for i in range(draw.size(1, 3))]
    layers = one("Split", "x", " ".join(["y", *tops])).replace('"layer"', '"split"')
    layers += one("Silence", " ".join(tops), "")
    return Case(layers, bottoms, forwards=draw.size(1, 2), phase=draw.pick("TRAIN", "TEST"))


def parameter(draw: Draw):
    shape = draw.shape(draw.size(1, 4))
    layers = one("Parameter", "", "p", f"parameter_param {{ {dims(shape)} }}").replace('"layer"', '"free"')
    layers += one("Eltwise", "p x", "y", f"eltwise_param {{ operation: {draw.pick('SUM', 'PROD')} }}")
    return Case(layers, {"x": normal(*shape)}, forwards=draw.size(1, 3), phase=draw.pick("TRAIN", "TEST"))


def input_(draw: Draw):
    shapes = [draw.shape(draw.size(0, 5)) for _ in range(draw.size(1, 3))]
    tops = " ".join(f"y{i}" for i in range(len(shapes)))
    same = draw.chance(0.3)
    text = " ".join(dims(shape) for shape in (shapes[:1] if same else shapes))
    return Case(one("Input", "", tops, f"input_param {{ {text} }}"), {}, forwards=1)


TYPES = {"Concat": (10, concat), "Slice": (12, cut), "Split": (6, split), "Flatten": (8, flatten),
         "Reshape": (16, reshape), "Eltwise": (16, eltwise), "Reduction": (14, reduction), "Tile": (8, tile),
         "ArgMax": (14, argmax), "BatchReindex": (8, reindex), "Filter": (10, filter_), "Embed": (8, embed),
         "Silence": (4, silence), "Parameter": (4, parameter), "Input": (4, input_)}
