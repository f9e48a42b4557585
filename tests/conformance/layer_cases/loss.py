"""Softmax, SoftmaxWithLoss, InfogainLoss, Accuracy."""

from __future__ import annotations

from layer_cases import Case, one

SCORES = {"x": ((6, 5), "normal 2"), "label": ((6,), "integers 0 5")}
MAPS = {"x": ((2, 4, 3, 2), "normal 2"), "label": ((2, 3, 2), "integers 0 4")}
SOME = {"x": ((6, 5), "normal 2"), "label": ((6,), "integers -1 5")}
SOME_MAPS = {"x": ((2, 4, 3, 2), "normal 2"), "label": ((2, 1, 3, 2), "integers -1 4")}
NONE = {"x": ((3, 5), "normal"), "label": ((3,), "integers -1 0")}
TIES = {"x": ((40, 4), "grid"), "label": ((40,), "integers 0 4")}


def softmax(bottoms: dict, body: str = "", tops: str = "y", **rest) -> Case:
    return Case(one("Softmax", "x", tops, f"softmax_param {{ {body} }}"), bottoms, **rest)


def loss(bottoms: dict, body: str = "", tops: str = "loss", **rest) -> Case:
    return Case(one("SoftmaxWithLoss", "x label", tops, body), bottoms, top_diffs=False, **rest)


def infogain(bottoms: dict, body: str = "", tops: str = "loss", **rest) -> Case:
    classes = bottoms["x"][0][1] if "axis" not in body else bottoms["x"][0][-1]
    bottoms = {**bottoms, "H": ((1, 1, classes, classes), "uniform 0 1")}
    # the scores pass a bias of 0 whose gradient is theirs: with force_backward the matrix's would be asked for
    before = one("Bias", "x", "scores", "bias_param { axis: 0 num_axes: -1 }").replace('"layer"', '"bias"')
    return Case(before + one("InfogainLoss", "scores label H", tops, body), bottoms, top_diffs=False,
                force_backward=False, **rest)


def accuracy(bottoms: dict, body: str = "", tops: str = "accuracy", **rest) -> Case:
    return Case(one("Accuracy", "x label", tops, f"accuracy_param {{ {body} }}"), bottoms, backward=False, **rest)



CASES = {
    # Caffe adds the losses one by one in single precision: 90,000 equal ones come to 0.1% less
    "loss_of_a_map": loss({"x": ((1, 2, 300, 300), "uniform 0.5 0.5"), "label": ((1, 300, 300), "integers 0 2")},
                          backward=False),
    "softmax": softmax({"x": ((4, 5), "normal 3")}, forwards=2),
    "softmax_maps": softmax({"x": ((2, 4, 3, 2), "normal 3")}),
    "softmax_axis_0": softmax({"x": ((4, 5), "normal 3")}, "axis: 0"),
    "softmax_axis_last": softmax({"x": ((2, 3, 5), "normal 3")}, "axis: -1"),
    "softmax_in_place": softmax({"x": ((4, 5), "normal 3")}, tops="x"),
    "softmax_engine": softmax({"x": ((4, 5), "normal 3")}, "engine: CAFFE"),
    "softmax_large": softmax({"x": ((4, 5), "uniform -300 300")}),
    "softmax_another_batch": softmax({"x": ((4, 5), "normal 3")}, forwards=2, last_shapes={"x": (2, 3, 4)}),
    "loss": loss(SCORES, forwards=2),
    "loss_test_phase": loss(SCORES, phase="TEST"),
    "loss_maps": loss(MAPS),
    "loss_weight": loss(SCORES, "loss_weight: 0.3"),
    "loss_clamped": loss({"x": ((6, 5), "uniform -400 400"), "label": ((6,), "integers 0 5")}),
    "loss_clamped_half": loss({"x": ((6, 5), "uniform -99 99"), "label": ((6,), "integers 0 5")}),
    "loss_ignore": loss(SOME, "loss_param { ignore_label: -1 }", forwards=2),
    "loss_ignore_all": loss(NONE, "loss_param { ignore_label: -1 }"),
    "loss_ignore_a_class": loss(MAPS, "loss_param { ignore_label: 2 }"),
    "loss_label_with_channel_axis": loss(SOME_MAPS, "loss_param { ignore_label: -1 }"),
    "loss_of_one": loss({"x": ((1, 5), "normal"), "label": ((1,), "integers 0 5")}),
    "loss_axis_last": loss({"x": ((2, 3, 5), "normal"), "label": ((2, 3), "integers 0 5")},
                           "softmax_param { axis: -1 }"),
    "loss_another_batch": loss(SCORES, forwards=2, last_shapes={"x": (9, 7), "label": (9,)}),
    **{f"loss_{mode.lower()}": loss(SOME_MAPS, f"loss_param {{ ignore_label: -1 normalization: {mode} }}")
       for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")},
    **{f"loss_normalize_{value}": loss(SOME_MAPS, f"loss_param {{ ignore_label: -1 normalize: {value} }}")
       for value in ("true", "false")},
    "loss_normalize_overruled": loss(SOME_MAPS, "loss_param { ignore_label: -1 normalize: false normalization: FULL }"),
    "infogain": infogain(SCORES, forwards=2),
    "infogain_maps": infogain(MAPS),
    "infogain_weight": infogain(SCORES, "loss_weight: 0.3"),
    "infogain_prob": infogain(SCORES, "loss_weight: 1 loss_weight: 0", "loss prob"),
    "infogain_clamped": infogain({"x": ((6, 5), "uniform -400 400"), "label": ((6,), "integers 0 5")}),
    "infogain_axis_last": infogain({"x": ((2, 3, 5), "normal"), "label": ((2, 3), "integers 0 5")},
                                   "infogain_loss_param { axis: -1 }"),
    "infogain_ignore": infogain(SOME, "loss_param { ignore_label: -1 }", forwards=2),
    "infogain_ignore_all": infogain(NONE, "loss_param { ignore_label: -1 }"),
    **{f"infogain_{mode.lower()}": infogain(SOME_MAPS, f"loss_param {{ ignore_label: -1 normalization: {mode} }}")
       for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")},
    "infogain_alone": Case(one("InfogainLoss", "x label H", "loss"),
                           {**SCORES, "H": ((5, 5), "uniform 0 1")}, top_diffs=False, backward=False, forwards=2,
                           last_shapes={"x": (9, 5), "label": (9,)}),
    "accuracy": accuracy(SCORES, forwards=2),
    "accuracy_top_k": accuracy(SCORES, "top_k: 3"),
    "accuracy_ties": accuracy(TIES, tops="accuracy by_class"),
    "accuracy_ties_top_k": accuracy(TIES, "top_k: 2", "accuracy by_class"),
    "accuracy_maps": accuracy(MAPS, tops="accuracy by_class"),
    "accuracy_axis": accuracy({"x": ((2, 3, 5), "normal"), "label": ((2, 3), "integers 0 5")}, "axis: -1"),
    "accuracy_ignore": accuracy(SOME, "ignore_label: -1", "accuracy by_class"),
    "accuracy_ignore_all": accuracy(NONE, "ignore_label: -1", "accuracy by_class"),
}
