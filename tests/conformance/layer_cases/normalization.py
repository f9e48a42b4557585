"""LRN and BatchNorm."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 6, 4, 5), "normal 2")}
STATISTICS = ("normal 0.5", "uniform 0.5 2", "uniform 1.5 3")


def lrn(body: str = "", bottoms: dict = IMAGE, **rest) -> Case:
    return Case(one("LRN", "x", "y", f"lrn_param {{ {body} }}"), bottoms, **rest)


def batch_norm(body: str = "", bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    rest.setdefault("params", STATISTICS)
    return Case(one("BatchNorm", "x", tops, f"batch_norm_param {{ {body} }}"), bottoms, **rest)


CASES = {
    "lrn": lrn(),
    "lrn_engine": lrn("engine: CAFFE norm_region: ACROSS_CHANNELS"),
    "lrn_alexnet": lrn("local_size: 5 alpha: 0.0001 beta: 0.75", {"x": ((2, 6, 3, 3), "normal 50")}),
    "lrn_size_1": lrn("local_size: 1 alpha: 0.5"),
    "lrn_size_3": lrn("local_size: 3 alpha: 2 beta: 0.3 k: 2.5"),
    "lrn_wider_than_channels": lrn("local_size: 9 alpha: 0.7", {"x": ((2, 3, 2, 3), "normal")}),
    "lrn_within": lrn("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 2 beta: 0.75", forwards=2),
    "lrn_within_k": lrn("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.5 beta: 1 k: 7"),
    "lrn_within_wider_than_image": lrn("norm_region: WITHIN_CHANNEL local_size: 7 alpha: 5 beta: 0.5"),
    "lrn_within_size_1": lrn("norm_region: WITHIN_CHANNEL local_size: 1 alpha: 5 beta: 0.5"),
    "lrn_another_size": lrn("local_size: 3", forwards=2, last_shapes={"x": (1, 6, 2, 7)}),
    "lrn_within_another_size": lrn("norm_region: WITHIN_CHANNEL local_size: 3", forwards=2,
                                   last_shapes={"x": (1, 6, 3, 7)}),
    "batch_norm": batch_norm(forwards=3),
    "batch_norm_unasked": batch_norm(forwards=2, force_backward=False),
    "batch_norm_new": batch_norm(forwards=2, params=None),
    "batch_norm_in_place": batch_norm(tops="x", forwards=2),
    "batch_norm_fraction_eps": batch_norm("moving_average_fraction: 0.5 eps: 0.1", forwards=3),
    "batch_norm_test": batch_norm(phase="TEST", forwards=2),
    "batch_norm_test_in_place": batch_norm(phase="TEST", tops="x"),
    "batch_norm_test_new": batch_norm(phase="TEST", params=None),
    "batch_norm_global_in_train": batch_norm("use_global_stats: true", forwards=2),
    "batch_norm_batch_in_test": batch_norm("use_global_stats: false", phase="TEST", forwards=2),
    "batch_norm_vectors": batch_norm(bottoms={"x": ((5, 4), "normal")}, forwards=2),
    "batch_norm_one_number": batch_norm(bottoms={"x": ((1, 4), "normal")}),
    "batch_norm_one_image": batch_norm(bottoms={"x": ((1, 3, 4, 4), "normal")}),
    "batch_norm_five_axes": batch_norm(bottoms={"x": ((2, 3, 2, 3, 2), "normal")}),
    "batch_norm_constant_channel": batch_norm(bottoms={"x": ((2, 3, 4, 4), "uniform 2 2")}),
    "batch_norm_far_from_0": batch_norm(bottoms={"x": ((2, 3, 4, 4), "uniform 100 101")}),
    "batch_norm_another_batch": batch_norm(forwards=2, last_shapes={"x": (3, 6, 2, 3)}),
    "batch_norm_param_messages": Case(
        one("BatchNorm", "x", "y", "param { lr_mult: 0 } param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 }"),
        IMAGE, params=STATISTICS),
}
