"""InnerProduct and Scale."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 3, 4, 5), "normal")}


def inner(body: str, bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("InnerProduct", "x", "y", f"inner_product_param {{ {body} }}"), bottoms, **rest)


def scale(body: str, bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    return Case(one("Scale", " ".join(bottoms), tops, f"scale_param {{ {body} }}"), bottoms, **rest)


CASES = {
    "inner_product": inner("num_output: 6", forwards=2),
    "inner_product_no_bias": inner("num_output: 6 bias_term: false"),
    "inner_product_transpose": inner("num_output: 6 transpose: true"),
    "inner_product_axis_2": inner("num_output: 4 axis: 2"),
    "inner_product_axis_last": inner("num_output: 4 axis: -1 transpose: true bias_term: false"),
    "inner_product_axis_0": inner("num_output: 3 axis: 0"),
    "inner_product_of_vectors": inner("num_output: 3", {"x": ((4, 7), "normal")}),
    "inner_product_one_axis": inner("num_output: 3 axis: 0", {"x": ((7,), "normal")}),
    "inner_product_another_batch": inner("num_output: 3", forwards=2, last_shapes={"x": (5, 3, 4, 5)}),
    "inner_product_fillers": inner(
        "num_output: 6 weight_filler { type: 'gaussian' std: 0.1 } bias_filler { type: 'uniform' }",
        params=None),
    "scale": scale("", forwards=2),
    "scale_bias": scale("bias_term: true", forwards=2),
    "scale_in_place": scale("bias_term: true", tops="x", forwards=2),
    "scale_two_axes": scale("axis: 1 num_axes: 2 bias_term: true"),
    "scale_axis_0": scale("axis: 0 num_axes: 1"),
    "scale_negative_axis": scale("axis: -2 num_axes: 2 bias_term: true"),
    "scale_to_the_end": scale("axis: 1 num_axes: -1 bias_term: true"),
    "scale_everything": scale("axis: 0 num_axes: -1"),
    "scale_scalar": scale("num_axes: 0 bias_term: true"),
    "scale_default_filler": scale("bias_term: true", params=None),
    "scale_fillers": scale("bias_term: true filler { type: 'uniform' min: 1 max: 2 } "
                           "bias_filler { type: 'gaussian' std: 1 }", params=None),
    "scale_by_bottom": scale("axis: 1", {**IMAGE, "s": ((3, 4), "normal")}),
    "scale_by_bottom_axis_0": scale("axis: 0 bias_term: true", {**IMAGE, "s": ((2, 3), "normal")}),
    "scale_by_bottom_whole": scale("axis: 0", {**IMAGE, "s": ((2, 3, 4, 5), "normal")}),
    "scale_by_bottom_scalar": scale("axis: 0", {**IMAGE, "s": ((), "normal")}),
    "scale_by_bottom_in_place": scale("axis: 1", {**IMAGE, "s": ((3,), "normal")}, tops="x"),
    "scale_vectors": scale("bias_term: true", {"x": ((4, 3), "normal")}),
    "scale_another_batch": scale("bias_term: true", forwards=2, last_shapes={"x": (3, 3, 2, 5)}),
}
