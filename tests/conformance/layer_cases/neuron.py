"""ReLU and Dropout."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 3, 4, 5), "grid")}


def relu(body: str = "", tops: str = "y", bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("ReLU", "x", tops, f"relu_param {{ {body} }}"), bottoms, **rest)


def dropout(body: str = "", tops: str = "y", bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("Dropout", "x", tops, f"dropout_param {{ {body} }}"), bottoms, **rest)


CASES = {
    "relu": relu(),
    "relu_engine": relu("engine: CAFFE"),
    "relu_in_place": relu(tops="x", forwards=2),
    "relu_slope": relu("negative_slope: 0.1"),
    "relu_slope_in_place": relu("negative_slope: 0.1", "x"),
    "relu_negative_slope": relu("negative_slope: -0.5"),
    "relu_negative_slope_in_place": relu("negative_slope: -0.5", "x"),
    "relu_scalar": relu(bottoms={"x": ((), "normal")}),
    "relu_another_size": relu(forwards=2, last_shapes={"x": (7,)}),
    "dropout": dropout(forwards=3),
    "dropout_in_place": dropout(tops="x", forwards=2),
    "dropout_ratio": dropout("dropout_ratio: 0.2"),
    "dropout_high_ratio": dropout("dropout_ratio: 0.9", bottoms={"x": ((3, 40), "normal")}),
    "dropout_ratio_0": dropout("dropout_ratio: 0"),
    "dropout_test": dropout(phase="TEST"),
    "dropout_test_in_place": dropout(phase="TEST", tops="x", forwards=2),
    # the weights' fillers draw first, then each forward
    "dropout_after_fillers": Case(
        one("InnerProduct", "x", "h", "inner_product_param { num_output: 4 weight_filler { type: 'gaussian' } }")
        + one("Dropout", "h", "y").replace('"layer"', '"drop"'), IMAGE, forwards=2, params=None),
}
