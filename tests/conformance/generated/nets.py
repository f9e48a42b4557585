"""Whole nets drawn from a seed: layers joined at random, losses, and a solver that trains them.

Shapes are followed while drawing, since real Caffe ends the process where they do not fit. Layers in place are put only
where Caffe's gradients do not need what they overwrite: behind one of `OVERWRITABLE` at once, and before any other
layer has used the blob.
"""

from __future__ import annotations

import numpy as np

from generated.draw import FILLERS, Draw, dims

BATCH, CLASSES = 4, 3
RULES = ('type: "SGD" momentum: 0.9', 'type: "SGD"', 'type: "Nesterov" momentum: 0.5', 'type: "AdaGrad" delta: 1e-3',
         'type: "RMSProp" rms_decay: 0.9 delta: 1e-3', 'type: "Adam" momentum: 0.9 delta: 1e-3',
         'type: "AdaDelta" momentum: 0.9 delta: 1e-3')
POLICIES = ('lr_policy: "fixed"', 'lr_policy: "step" gamma: 0.5 stepsize: 2', 'lr_policy: "inv" gamma: 0.1 power: 0.75',
            'lr_policy: "poly" power: 2', 'lr_policy: "multistep" gamma: 0.3 stepvalue: 1 stepvalue: 3',
            'lr_policy: "exp" gamma: 0.9', 'lr_policy: "sigmoid" gamma: 0.5 stepsize: 3')
IMAGE_FILLERS = ("type: 'gaussian' std: 0.3", "type: 'xavier'", "type: 'msra'", "type: 'uniform' min: -0.4 max: 0.4",
                 *FILLERS[2:3])
OVERWRITABLE = ("Convolution", "Deconvolution", "InnerProduct", "Pooling", "BatchNorm", "Scale", "Eltwise", "Concat",
                "ReLU", "PReLU", "Bias", "Input")


class Builder:
    """A net while it grows: its text, and the blobs that are there with their shapes."""

    def __init__(self, draw: Draw):
        self.draw = draw
        self.text: list[str] = []
        self.shapes: dict[str, tuple] = {}
        self.unused: list[str] = []
        self.made_by: dict[str, str] = {}
        self.count = 0
        self.shared = 0

    def layer(self, kind: str, bottoms: list, shapes: list, body: str = "", *, tops: list | None = None,
              own: str = "") -> list:
        """Add a layer; gives its tops."""
        name = f"{kind.lower()}{self.count}" + ("/x" if self.draw.chance(0.1) else "")
        self.count += 1
        tops = tops or [own or (name if i == 0 else f"{name}_{i}") for i in range(len(shapes))]
        parts = [f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in tops]
        self.text.append(f'layer {{ name: "{name}" type: "{kind}" {" ".join(parts)} {body} }}')
        for bottom in bottoms:
            if bottom in self.unused:
                self.unused.remove(bottom)
        for top, shape in zip(tops, shapes):
            self.shapes[top] = shape
            self.made_by[top] = kind
            if top not in self.unused:
                self.unused.append(top)
        return tops

    def blob(self, *axes: int) -> str:
        """A blob of so many axes, rather one that is not used yet."""
        fitting = [b for b, shape in self.shapes.items() if len(shape) in axes and b[0] != "!"]
        fresh = [b for b in fitting if b in self.unused]
        return self.draw.pick(*(fresh if fresh and self.draw.chance(0.7) else fitting))

    def place(self, bottom: str) -> list | None:
        """In place, where that is allowed and drawn."""
        ok = bottom in self.unused and self.made_by[bottom] in OVERWRITABLE
        return [bottom] if ok and self.draw.chance(0.6) else None


def spec(build: Builder, blobs: int) -> str:
    draw = build.draw
    if not draw.chance(0.35):
        return ""
    return "".join(f" param {{ lr_mult: {draw.pick(0, 1, 2, 0.5)} decay_mult: {draw.pick(0, 1, 2)} }}"
                   for _ in range(draw.size(1, blobs)))


def convolution(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(4)
    n, c, h, w = build.shapes[bottom]
    kernel, stride = draw.pick(1, 3), draw.pick(1, 1, 2)
    pad = draw.pick(kernel // 2, kernel // 2, 1)
    group = 2 if c % 2 == 0 and draw.chance(0.4) else 1
    if h + 2 * pad < kernel or w + 2 * pad < kernel:
        return
    out = [(e + 2 * pad - kernel) // stride + 1 for e in (h, w)]
    outputs = draw.pick(2, 4, 3) * group
    bias = draw.chance(0.7)
    body = (f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} stride: {stride} pad: {pad} "
            f"group: {group} weight_filler {{ {draw.pick(*IMAGE_FILLERS[:4])} }} bias_term: {str(bias).lower()} }}")
    build.layer("Convolution", [bottom], [(n, outputs, *out)], body + spec(build, 1 + bias))


def deconvolution(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(4)
    n, _, h, w = build.shapes[bottom]
    if h * w > 40:
        return
    build.layer("Deconvolution", [bottom], [(n, 2, 2 * h, 2 * w)], "convolution_param { num_output: 2 kernel_size: 2 "
                f"stride: 2 weight_filler {{ {draw.pick(*IMAGE_FILLERS[:4])} }} }}" + spec(build, 2))


def pooling(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(4)
    n, c, h, w = build.shapes[bottom]
    if h < 3 or w < 3:
        return
    kernel, stride = draw.pick((2, 2), (3, 2), (3, 1))
    out = [-(-(e - kernel) // stride) + 1 for e in (h, w)]
    build.layer("Pooling", [bottom], [(n, c, *out)],
                f"pooling_param {{ pool: {draw.pick('MAX', 'AVE')} kernel_size: {kernel} stride: {stride} }}")


def inner_product(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(2, 4)
    shape = build.shapes[bottom]
    outputs = draw.size(2, 6)
    body = f"inner_product_param {{ num_output: {outputs} weight_filler {{ {draw.pick(*IMAGE_FILLERS)} }} }}"
    build.layer("InnerProduct", [bottom], [(shape[0], outputs)], body + spec(build, 2))


def siamese(build: Builder) -> None:
    """Two layers with the same weights."""
    draw, bottom = build.draw, build.blob(2)
    n, c = build.shapes[bottom]
    others = [b for b, shape in build.shapes.items() if shape == (n, c)]
    outputs = draw.size(2, 5)
    build.shared += 1
    rate = draw.pick("", "lr_mult: 2", "decay_mult: 0")
    names = f'param {{ name: "w{build.shared}" {rate} }} param {{ name: "b{build.shared}" lr_mult: {draw.pick(0, 1)} }}'
    for x in (bottom, draw.pick(*others)):
        build.layer("InnerProduct", [x], [(n, outputs)], f"inner_product_param {{ num_output: {outputs} "
                    f"weight_filler {{ {draw.pick(*IMAGE_FILLERS)} }} }} {names}")


def function(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(2, 4)
    kind, body = draw.pick(("Sigmoid", ""), ("TanH", ""), ("ELU", ""), ("AbsVal", ""), ("BNLL", ""), ("ReLU", ""),
                           ("Power", "power_param { power: 2 scale: 0.5 shift: 0.1 }"), ("Swish", ""),
                           ("Softmax", ""), ("PReLU", "prelu_param { filler { type: 'constant' value: 0.1 } }"),
                           ("Clip", "clip_param { min: -0.7 max: 0.9 }"))
    if kind == "PReLU":
        body += spec(build, 1)
    build.layer(kind, [bottom], [build.shapes[bottom]], body)


def rectify(build: Builder) -> None:
    bottom = build.blob(2, 4)
    body = build.draw.pick("", "relu_param { negative_slope: 0.1 }")
    build.layer("ReLU", [bottom], [build.shapes[bottom]], body, tops=build.place(bottom))


def dropout(build: Builder) -> None:
    bottom = build.blob(2, 4)
    build.layer("Dropout", [bottom], [build.shapes[bottom]],
                f"dropout_param {{ dropout_ratio: {build.draw.pick(0.2, 0.5)} }}", tops=build.place(bottom))


def normalize(build: Builder) -> None:
    """BatchNorm, then Scale."""
    draw, bottom = build.draw, build.blob(4)
    shape = build.shapes[bottom]
    if shape[2] * shape[3] < 4:
        return
    body = draw.pick("", "eps: 0.01", "moving_average_fraction: 0.5 eps: 0.01")
    top = build.layer("BatchNorm", [bottom], [shape], f"batch_norm_param {{ {body} }}", tops=build.place(bottom))[0]
    if draw.chance(0.8):
        build.layer("Scale", [top], [shape], "scale_param { bias_term: true }" + spec(build, 2), tops=build.place(top))


def local_response(build: Builder) -> None:
    bottom = build.blob(4)
    build.layer("LRN", [bottom], [build.shapes[bottom]], "lrn_param { local_size: 3 alpha: 0.1 "
                f"{build.draw.pick('', 'norm_region: WITHIN_CHANNEL')} }}")


def join(build: Builder) -> None:
    draw, bottom = build.draw, build.blob(2, 4)
    shape = build.shapes[bottom]
    alike = [b for b, s in build.shapes.items() if len(s) == len(shape) and s[0] == shape[0] and s[2:] == shape[2:]]
    same = [b for b in alike if build.shapes[b] == shape]
    if draw.chance(0.5):
        bottoms = [bottom, *(draw.pick(*alike) for _ in range(draw.size(1, 2)))]
        channels = sum(build.shapes[b][1] for b in bottoms)
        if channels <= 16:
            build.layer("Concat", bottoms, [(shape[0], channels, *shape[2:])])
        return
    bottoms = [bottom, *(draw.pick(*same) for _ in range(draw.size(1, 2)))]
    weighted = "operation: SUM coeff: 0.5" + " coeff: -1" * (len(bottoms) - 1)
    body = draw.pick("operation: SUM", "operation: MAX", weighted, "operation: PROD")
    build.layer("Eltwise", bottoms, [shape], f"eltwise_param {{ {body} }}")


def cut(build: Builder) -> None:
    bottom = build.blob(2, 4)
    shape = build.shapes[bottom]
    if shape[1] >= 2:
        at = build.draw.size(1, shape[1] - 1)
        build.layer("Slice", [bottom], [(shape[0], at, *shape[2:]), (shape[0], shape[1] - at, *shape[2:])],
                    f"slice_param {{ axis: 1 slice_point: {at} }}")


def flat(build: Builder) -> None:
    bottom = build.blob(4)
    n, *rest = build.shapes[bottom]
    kind, body = build.draw.pick(("Flatten", ""), ("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }"))
    build.layer(kind, [bottom], [(n, int(np.prod(rest)))], body)


def recurrent(build: Builder) -> None:
    """Sequences from the batch: time × streams, and the hidden states as vectors again."""
    draw, bottom = build.draw, build.blob(2)
    n, c = build.shapes[bottom]
    steps = draw.pick(2, n)
    x = build.layer("Reshape", [bottom], [(steps, n // steps, c)],
                    f"reshape_param {{ shape {{ dim: {steps} dim: {n // steps} dim: {c} }} }}")
    cont = build.layer("Reshape", ["!cont"], [(steps, n // steps)],
                       f"reshape_param {{ shape {{ dim: {steps} dim: {n // steps} }} }} propagate_down: false")
    build.shapes.pop(cont[0])
    outputs = draw.size(2, 4)
    h = build.layer(draw.pick("LSTM", "RNN"), [x[0], cont[0]], [(steps, n // steps, outputs)],
                    f"recurrent_param {{ num_output: {outputs} weight_filler {{ {draw.pick(*IMAGE_FILLERS[:4])} }} "
                    f"bias_filler {{ type: 'constant' value: {draw.pick(0, 0.5)} }} }}" + spec(build, 2))
    build.layer("Reshape", h, [(n, outputs)], f"reshape_param {{ shape {{ dim: {n} dim: {outputs} }} }}")


def finish(build: Builder) -> None:
    """Losses, accuracies, and silence over some of what is left."""
    draw = build.draw
    for _ in range(draw.size(1, 3)):
        weight = draw.pick("", "", " loss_weight: 0.5", " loss_weight: 2", " loss_weight: -0.3", " loss_weight: 0")
        kind = draw.pick("SoftmaxWithLoss", "SoftmaxWithLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss", "HingeLoss",
                         "Reduction")
        bottom = build.blob(2)
        n = build.shapes[bottom][0]
        if kind == "HingeLoss" and "loss_weight: 0" in weight.split("0.")[0]:
            weight = ""  # real Caffe's leaves its margins as a gradient where none is asked for
        if kind in ("SoftmaxWithLoss", "HingeLoss"):
            top = build.layer("InnerProduct", [bottom], [(n, CLASSES)],
                              f"inner_product_param {{ num_output: {CLASSES} weight_filler {{ type: 'xavier' }} }}")[0]
            if draw.chance(0.5):
                build.layer("Accuracy", [top, "!label"], [()], draw.pick("", "include { phase: TEST }"))
                if "include" in build.text[-1]:
                    build.unused.pop()
                build.shapes.popitem()
            build.layer(kind, [top, "!label"], [()], weight)
        elif kind == "Reduction":
            body = "reduction_param { operation: SUMSQ coeff: 0.01 }" + (weight or " loss_weight: 1")
            build.layer(kind, [bottom], [()], body)
        else:
            top = build.layer("InnerProduct", [bottom], [(n, 2)],
                              "inner_product_param { num_output: 2 weight_filler { type: 'xavier' } }")[0]
            build.layer(kind, [top, "!target"], [()], weight)
        build.shapes.pop(list(build.shapes)[-1], None)
    left = [b for b in build.unused if b in build.shapes and len(build.shapes[b]) > 1]
    if left and draw.chance(0.5):
        build.layer("Silence", left, [])


STEPS = (convolution, convolution, deconvolution, pooling, inner_product, inner_product, siamese, function, function,
         rectify, rectify, rectify, dropout, normalize, normalize, local_response, join, join, join, cut, flat,
         recurrent)


def net_text(draw: Draw) -> str:
    """A training net fed by the inputs `image`, `vector`, `!label`, `!target` and `!cont`."""
    build = Builder(draw)
    side = draw.size(4, 7)
    image = (BATCH, 3, side, side)
    inputs = {"image": image, "vector": (BATCH, 5), "!label": (BATCH,), "!target": (BATCH, 2), "!cont": (BATCH,)}
    for top, shape in inputs.items():
        build.layer("Input", [], [shape], f"input_param {{ {dims(shape)} }}", tops=[top])
    if draw.chance(0.3):
        build.layer("DummyData", [], [image],
                    f"dummy_data_param {{ data_filler {{ type: 'gaussian' std: 1 }} {dims(image)} }}")
    for _ in range(draw.size(3, 14)):
        draw.pick(*STEPS)(build)
    finish(build)
    lines = []
    for line in build.text:
        rules = ""
        if '"Dropout"' in line and "include" not in line and draw.chance(0.2):
            bottom, top = (line.split(f'{word}: "')[1].split('"')[0] for word in ("bottom", "top"))
            if bottom == top:
                rules = draw.pick("include { stage: 'a' }", "include { phase: TEST } include { min_level: 1 }",
                                  "exclude { phase: TRAIN not_stage: 'b' }", "exclude { max_level: 0 }",
                                  "include { max_level: 1 stage: 'a' not_stage: 'c' }")
        lines.append(line[:-1] + rules + " }" if rules else line)
    head = 'name: "drawn"\n' + ("force_backward: true\n" if draw.chance(0.2) and '"Accuracy"' not in str(lines) else "")
    head += draw.pick("", "", "state { level: 1 stage: 'a' }\n", "state { stage: 'b' }\n")
    return head + "\n".join(lines) + "\n"


def solver_text(draw: Draw) -> str:
    """Its solver, less the net."""
    return " ".join((
        draw.pick(*RULES), draw.pick(*POLICIES), f"base_lr: {draw.pick(0.01, 0.002)} max_iter: 20",
        draw.pick("", "weight_decay: 0.01", 'weight_decay: 0.01 regularization_type: "L1"'),
        draw.pick("", "clip_gradients: 0.5", "clip_gradients: 5"), draw.pick("", "", "iter_size: 2"),
        draw.pick("", "train_state { stage: 'b' level: 1 }", "train_state { stage: 'c' }"), "random_seed: 7"))
