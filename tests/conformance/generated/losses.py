"""Losses, Softmax and Accuracy."""

from __future__ import annotations

from layer_cases import Case, one

from generated.draw import Draw, vary

NORMALIZATIONS = ("FULL", "VALID", "BATCH_SIZE", "NONE")


def scores(draw: Draw, ignored: bool, kind: str = "normal 2") -> tuple:
    """({scores, labels}, axis of the classes as it is written, classes)."""
    axes = draw.size(2, 4)
    axis = draw.size(1, axes - 1) if draw.chance(0.4) else 1
    shape = draw.shape(axes, 1, 5)
    classes = draw.size(2, 6)
    shape = (*shape[:axis], classes, *shape[axis + 1:])
    label = (*shape[:axis], *([1] if draw.chance(0.3) else []), *shape[axis + 1:])
    low = -1 if ignored else 0
    return {"x": (shape, kind), "label": (label, f"integers {low} {classes}")}, draw.pick(axis, axis - axes), classes


def weighted(draw: Draw) -> str:
    return f"loss_weight: {draw.pick(0.3, 2, 1, -0.5, 0)} " if draw.chance(0.4) else ""


def loss_param(draw: Draw, ignored: bool, normalize: bool = True) -> str:
    body = "ignore_label: -1 " if ignored else "ignore_label: 1 " if draw.chance(0.2) else ""
    if draw.chance(0.5):
        body += f"normalization: {draw.pick(*NORMALIZATIONS)} "
    if normalize and draw.chance(0.2):
        body += f"normalize: {draw.pick('true', 'false')} "
    return f"loss_param {{ {body}}} "


def of_scores(draw: Draw, kind: str, bottoms: dict, body: str, gradients: tuple = (1,), **rest):
    """A case of a loss: the diff of its top is its weight."""
    return vary(draw, kind, bottoms, "loss", body, weights=False, top_diffs=False, gradients=gradients, **rest)


def softmax_loss(draw: Draw):
    ignored = draw.chance(0.4)
    bottoms, axis, _ = scores(draw, ignored, draw.pick("normal 2", "normal 2", "normal 60"))
    body = weighted(draw) + loss_param(draw, ignored) + f"softmax_param {{ axis: {axis} }}"
    return of_scores(draw, "SoftmaxWithLoss", bottoms, body)


def infogain(draw: Draw):
    ignored = draw.chance(0.4)
    bottoms, axis, classes = scores(draw, ignored)
    bottoms["h"] = ((1, 1, classes, classes), "uniform 0 1")
    body = weighted(draw) + loss_param(draw, ignored, normalize=False) + f"infogain_loss_param {{ axis: {axis} }}"
    # real Caffe ends where force_backward asks for the gradient of the matrix
    body += " propagate_down: true propagate_down: false propagate_down: false"
    return Case(one("InfogainLoss", " ".join(bottoms), "loss", body), bottoms, forwards=draw.size(1, 3),
                top_diffs=False, force_backward=False, phase=draw.pick("TRAIN", "TEST"))


def softmax(draw: Draw):
    axes = draw.size(1, 5)
    _, written = draw.axis(axes)
    return vary(draw, "Softmax", {"x": (draw.shape(axes, 2, 5), draw.pick("normal", "normal 20"))},
                draw.pick("x", "y", "y"), f"softmax_param {{ axis: {written} }}", weights=False)


def accuracy(draw: Draw):
    ignored = draw.chance(0.4)
    bottoms, axis, classes = scores(draw, ignored, draw.pick("normal", "grid"))
    body = f"axis: {axis} " + ("ignore_label: -1 " if ignored else "") + f"top_k: {draw.size(1, classes)}"
    return vary(draw, "Accuracy", bottoms, draw.pick("accuracy", "accuracy by_class"), f"accuracy_param {{ {body} }}",
                weights=False, backward=False)


def euclidean(draw: Draw):
    shape = draw.shape(draw.size(1, 4))  # real Caffe ends at more: it asks for num()
    return of_scores(draw, "EuclideanLoss", {"x": (shape, "normal"), "t": (shape, "normal")}, weighted(draw), ())


def hinge(draw: Draw):
    shape = (draw.size(1, 6), draw.size(2, 6), *[1] * draw.size(0, 2))
    bottoms = {"x": (shape, "normal 2"), "label": ((shape[0],), f"integers 0 {shape[1]}")}
    body = weighted(draw) + f"hinge_loss_param {{ norm: {draw.pick('L1', 'L2')} }}"
    # real Caffe's forward leaves its margins in the bottom's diff, which shows where no gradient is asked for
    return of_scores(draw, "HingeLoss", bottoms, body, selective=False)


def cross_entropy(draw: Draw):
    ignored = draw.chance(0.4)
    shape = draw.shape(draw.size(2, 4))
    target = "integers -1 2" if ignored else draw.pick("integers 0 2", "uniform 0 1")
    bottoms = {"x": (shape, draw.pick("normal 2", "normal 20")), "t": (shape, target)}
    body = weighted(draw)
    if ignored or target != "uniform 0 1":
        body += loss_param(draw, ignored)
    return of_scores(draw, "SigmoidCrossEntropyLoss", bottoms, body)


def contrastive(draw: Draw):
    shape = (draw.size(1, 8), draw.size(1, 6), *draw.pick((), (1, 1)))
    body = draw.fields(margin=(0.5, 1, 2), legacy_version=("true", "false"))
    bottoms = {"x": (shape, "normal 0.4"), "t": (shape, "normal 0.4"), "same": ((shape[0],), "integers 0 2")}
    return of_scores(draw, "ContrastiveLoss", bottoms, weighted(draw) + f"contrastive_loss_param {{ {body} }}", (2,))


def multinomial(draw: Draw):
    shape = (draw.size(1, 6), draw.size(2, 6))
    bottoms = {"x": (shape, "uniform 0.01 1"), "label": ((shape[0],), f"integers 0 {shape[1]}")}
    return of_scores(draw, "MultinomialLogisticLoss", bottoms, weighted(draw))


TYPES = {"SoftmaxWithLoss": (24, softmax_loss), "InfogainLoss": (12, infogain), "Softmax": (12, softmax),
         "Accuracy": (18, accuracy), "EuclideanLoss": (6, euclidean), "HingeLoss": (8, hinge),
         "SigmoidCrossEntropyLoss": (14, cross_entropy), "ContrastiveLoss": (10, contrastive),
         "MultinomialLogisticLoss": (6, multinomial)}
