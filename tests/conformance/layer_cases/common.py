"""Concat, Slice, Split, Flatten, Reshape, Eltwise, Silence."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 6, 4, 3), "normal")}
PAIR = {"a": ((2, 3, 4), "normal"), "b": ((2, 3, 4), "normal")}
THREE = {**PAIR, "c": ((2, 3, 4), "normal")}
TIES = {name: ((3, 4, 5), "grid") for name in "abc"}


def concat(body: str, bottoms: dict, **rest) -> Case:
    return Case(one("Concat", " ".join(bottoms), "y", f"concat_param {{ {body} }}"), bottoms, **rest)


def cut(body: str, tops: str, bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("Slice", "x", tops, f"slice_param {{ {body} }}"), bottoms, **rest)


def flatten(body: str, bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("Flatten", "x", "y", f"flatten_param {{ {body} }}"), bottoms, **rest)


def reshape(shape: str, body: str = "", bottoms: dict = IMAGE, **rest) -> Case:
    dims = " ".join(f"dim: {n}" for n in shape.split())
    return Case(one("Reshape", "x", "y", f"reshape_param {{ shape {{ {dims} }} {body} }}"), bottoms, **rest)


def eltwise(body: str, bottoms: dict = PAIR, tops: str = "y", **rest) -> Case:
    return Case(one("Eltwise", " ".join(bottoms), tops, f"eltwise_param {{ {body} }}"), bottoms, **rest)


# a layer before, so that the shared memory is not the one that the harness fills
BEHIND = one("Scale", "x", "s", "scale_param { filler { value: 2 } }").replace('"layer"', '"before"')

CASES = {
    # a gradient that nobody asks for, and one that is asked for where nothing learns
    "propagate_down": Case(one("Eltwise", "a b", "y", "propagate_down: true propagate_down: false loss_weight: 1"),
                           PAIR, force_backward=False),
    "propagate_down_stops": Case(
        one("Scale", "a", "s", "scale_param { axis: 0 num_axes: -1 }").replace('"layer"', '"before"')
        + one("Scale", "s", "t", "propagate_down: false scale_param { bias_term: true }").replace(
            '"layer"', '"between"')
        + one("Eltwise", "t b", "y", "loss_weight: 2"), PAIR, force_backward=False),
    "propagate_down_forced": Case(one("InnerProduct", "a", "y", "propagate_down: false loss_weight: 1 "
                                      "inner_product_param { num_output: 2 }"), {"a": PAIR["a"]}),
    "concat": concat("", {"a": ((2, 3, 4, 2), "normal"), "b": ((2, 1, 4, 2), "normal")}, forwards=2),
    "concat_axis_0": concat("axis: 0", {"a": ((1, 3), "normal"), "b": ((4, 3), "normal")}),
    "concat_last_axis": concat("axis: -1", {"a": ((2, 3, 4), "normal"), "b": ((2, 3, 1), "normal"),
                                            "c": ((2, 3, 2), "normal")}),
    "concat_dim": concat("concat_dim: 2", {"a": ((2, 3, 4, 2), "normal"), "b": ((2, 3, 1, 2), "normal")}),
    "concat_single": concat("", {"a": ((2, 3, 4), "normal")}),
    "concat_five_axes": concat("axis: 3", {"a": ((1, 2, 2, 3, 2), "normal"), "b": ((1, 2, 2, 2, 2), "normal")}),
    "concat_another_batch": concat("", {"a": ((2, 3), "normal"), "b": ((2, 1), "normal")}, forwards=2,
                                   last_shapes={"a": (4, 2), "b": (4, 3)}),
    "slice": cut("", "y z", forwards=2),
    "slice_points": cut("slice_point: 1 slice_point: 4", "w y z"),
    "slice_axis": cut("axis: -2 slice_point: 3", "y z"),
    "slice_axis_0": cut("axis: 0", "y z"),
    "slice_dim": cut("slice_dim: 3", "w y z"),
    "slice_single": cut("", "y"),
    "slice_another_batch": cut("slice_point: 2", "y z", forwards=2, last_shapes={"x": (5, 4, 1, 2)}),
    "split_two": Case(one("Split", "x", "y z"), IMAGE, forwards=2),
    "split_four": Case(one("Split", "x", "v w y z"), IMAGE),
    "split_single": Case(one("Split", "x", "y"), IMAGE),
    "split_by_net": Case(one("Scale", "x", "y").replace('"layer"', '"one"')
                         + one("Scale", "x", "z").replace('"layer"', '"two"'), IMAGE, forwards=2,
                         last_shapes={"x": (3, 6, 4, 4)}),
    "flatten": flatten("", forwards=2),
    "flatten_axes": flatten("axis: 1 end_axis: 2"),
    "flatten_all": flatten("axis: 0"),
    "flatten_negative": flatten("axis: -3 end_axis: -2"),
    "flatten_single_axis": flatten("axis: 1 end_axis: 1"),
    "flatten_behind_a_layer": Case(BEHIND + one("Flatten", "s", "y"), IMAGE, forwards=2,
                                   last_shapes={"x": (4, 6, 4, 3)}),
    "reshape": reshape("0 3 -1", forwards=2),
    "reshape_explicit": reshape("12 12"),
    "reshape_axis": reshape("3 2", "axis: 1 num_axes: 1"),
    "reshape_insert": reshape("1", "axis: -1 num_axes: 0"),
    "reshape_insert_first": reshape("1", "num_axes: 0"),
    "reshape_copies": reshape("0 0 -1 1"),
    "reshape_from_behind": reshape("-1", "axis: -3"),
    "reshape_to_vector": reshape("-1"),
    "reshape_behind_a_layer": Case(BEHIND + one("Reshape", "s", "y", "reshape_param { shape { dim: 0 dim: -1 } }"),
                                   IMAGE, forwards=2, last_shapes={"x": (4, 6, 2, 3)}),
    "eltwise": eltwise("", forwards=2),
    "eltwise_sum_coeff": eltwise("operation: SUM coeff: 2 coeff: -0.5 coeff: 1", THREE),
    "eltwise_prod": eltwise("operation: PROD"),
    "eltwise_prod_three": eltwise("operation: PROD", THREE),
    "eltwise_prod_zeros": eltwise("operation: PROD", TIES),
    "eltwise_prod_quotient": eltwise("operation: PROD stable_prod_grad: false", THREE),
    "eltwise_max": eltwise("operation: MAX"),
    "eltwise_max_ties": eltwise("operation: MAX", TIES),
    "eltwise_scalars": eltwise("", {"a": ((), "normal"), "b": ((), "normal")}),
    "eltwise_another_batch": eltwise("operation: MAX", forwards=2, last_shapes={"a": (3, 2), "b": (3, 2)}),
    "silence": Case(one("Split", "x", "y z").replace('"layer"', '"split"') + one("Silence", "z", ""), IMAGE,
                    forwards=2),
}
