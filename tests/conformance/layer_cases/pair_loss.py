"""EuclideanLoss, HingeLoss, SigmoidCrossEntropyLoss, ContrastiveLoss, MultinomialLogisticLoss."""

from __future__ import annotations

from layer_cases import Case, one

PAIR = {"x": ((4, 3, 2), "normal"), "t": ((4, 3, 2), "normal")}
SCORES = {"x": ((6, 5), "normal 2"), "t": ((6,), "integers 0 5")}
TARGETS = {"x": ((6, 5), "normal 2"), "t": ((6, 5), "integers 0 2")}
SOFT = {"x": ((6, 5), "normal 2"), "t": ((6, 5), "uniform 0 1")}
SOME = {"x": ((6, 5), "normal 2"), "t": ((6, 5), "integers -1 2")}
TWINS = {"x": ((8, 4), "normal 0.4"), "t": ((8, 4), "normal 0.4"), "s": ((8,), "integers 0 2")}
SHARES = {"x": ((6, 5), "uniform 0.01 1"), "t": ((6,), "integers 0 5")}


def loss(kind: str, bottoms: dict, body: str = "", **rest) -> Case:
    return Case(one(kind, " ".join(bottoms), "loss", body), bottoms, top_diffs=False, **rest)


def cross(bottoms: dict, body: str = "", **rest) -> Case:
    return loss("SigmoidCrossEntropyLoss", bottoms, body, **rest)


CASES = {
    "euclidean": loss("EuclideanLoss", PAIR, forwards=2),
    "euclidean_weight": loss("EuclideanLoss", PAIR, "loss_weight: 0.3"),
    "hinge": loss("HingeLoss", SCORES, forwards=2),
    "hinge_l2": loss("HingeLoss", SCORES, "hinge_loss_param { norm: L2 } loss_weight: 2"),
    "hinge_l1": loss("HingeLoss", SCORES, "hinge_loss_param { norm: L1 }"),
    "hinge_images": loss("HingeLoss", {"x": ((3, 2, 2, 2), "normal"), "t": ((3, 1, 1, 1), "integers 0 8")}),
    "cross_entropy": cross(TARGETS, forwards=2),
    "cross_entropy_soft": cross(SOFT),
    "cross_entropy_ignore": cross(SOME, "loss_param { ignore_label: -1 }"),
    "cross_entropy_ignore_valid": cross(SOME, "loss_param { ignore_label: -1 normalization: VALID }"),
    "cross_entropy_full": cross(TARGETS, "loss_param { normalization: FULL } loss_weight: 3"),
    "cross_entropy_none": cross(TARGETS, "loss_param { normalization: NONE }"),
    "cross_entropy_normalize": cross(TARGETS, "loss_param { normalize: true }"),
    "cross_entropy_far": cross({"x": ((6, 5), "normal 40"), "t": ((6, 5), "integers 0 2")}),
    "sigmoid_of_a_map": loss("SigmoidCrossEntropyLoss", {"x": ((9, 10000), "uniform 0 0"),
                                                         "t": ((9, 10000), "integers 0 2")}, backward=False),
    "contrastive": loss("ContrastiveLoss", TWINS, forwards=2),
    "contrastive_margin": loss("ContrastiveLoss", TWINS, "contrastive_loss_param { margin: 0.5 }"),
    "contrastive_legacy": loss("ContrastiveLoss", TWINS, "contrastive_loss_param { legacy_version: true margin: 2 }"),
    "multinomial": loss("MultinomialLogisticLoss", SHARES, forwards=2),
    "multinomial_zero": loss("MultinomialLogisticLoss", {"x": ((6, 5), "integers 0 1"), "t": SHARES["t"]}),
}
