"""Run a case through pycaffe's public interface: the engine's or real Caffe's, whichever is given."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from layer_cases import Case
from layer_cases.values import draw, source


def net_text(case: Case) -> str:
    """The prototxt of the case's net: Input layers, then the layers under test, most with every gradient asked for."""
    inputs = [
        f'layer {{ name: "{blob}" type: "Input" top: "{blob}" input_param {{ shape {{ '
        + " ".join(f"dim: {n}" for n in shape) + " } } }\n"
        for blob, (shape, _) in case.bottoms.items()
    ]
    return ("force_backward: true\n" if case.force_backward else "") + "".join(inputs) + case.layer


def run_case(caffe, name: str, case: Case) -> dict[str, np.ndarray]:
    """What the case's net gives, by name.

    `<forward>/top/<blob>` and `<forward>/bottom_diff/<blob>` for every pass, then `param/<layer>/<i>` (values
    after the last pass) and `param_diff/<layer>/<i>` (summed over the passes).
    """
    caffe.set_random_seed(1)
    net = _load(caffe, case)
    rng = source(name)
    if case.params is not None:
        _fill_parameters(net, rng, case.params)
    found = {}
    for k in range(case.forwards):
        if k == case.forwards - 1:
            for blob, shape in (case.last_shapes or {}).items():
                net.blobs[blob].reshape(*shape)
        for blob, (_, kind) in case.bottoms.items():
            net.blobs[blob].data[...] = draw(rng, net.blobs[blob].data.shape, kind)
        net.forward()
        for blob in sorted(net.outputs):
            found[f"{k}/top/{blob}"] = net.blobs[blob].data.copy()
            if case.top_diffs:
                net.blobs[blob].diff[...] = draw(rng, net.blobs[blob].data.shape, "normal")
        if not case.backward:
            continue
        net.backward()
        for blob in case.bottoms:
            found[f"{k}/bottom_diff/{blob}"] = net.blobs[blob].diff.copy()
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            found[f"param/{layer}/{i}"] = blob.data.copy()
            found[f"param_diff/{layer}/{i}"] = blob.diff.copy()
    return found


def _load(caffe, case: Case):
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", delete=False) as file:
        file.write(net_text(case))
    try:
        return caffe.Net(file.name, getattr(caffe, case.phase))
    finally:
        os.unlink(file.name)


def _fill_parameters(net, rng: np.random.RandomState, kinds: tuple[str, ...]) -> None:
    for blobs in net.params.values():
        for i, blob in enumerate(blobs):
            blob.data[...] = draw(rng, blob.data.shape, kinds[min(i, len(kinds) - 1)])
