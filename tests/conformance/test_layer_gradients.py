"""Every layer's backward in double precision against differences of its forward, over the cases of layer_cases/.

Cases of one layer are checked, at bottoms without ties; parameters that the layer keeps from solvers and integer
bottoms (labels, cont) are not.
"""

from __future__ import annotations

import file_cases
import numpy as np
import pytest
from google.protobuf import text_format
from layer_cases import FAMILIES, Case, cases
from layer_cases.values import draw, source

import caffe
from caffe.blob import Blob, BlobVec
from caffe.layer_types import create_layer, layer_type_list
from caffe.proto import caffe_pb2

STEP = 1e-5
PROBES = 4  # numbers probed per array

# where Caffe's backward is not the derivative, by design
NOT_THE_DERIVATIVE = {
    "relu_negative_slope_in_place": "goes by the sign of the top",
    "loss_clamped": "p − 1 though the loss is clamped",
    "loss_clamped_half": "p − 1 though the loss is clamped",
    "lstm_fractional_cont": "the forget gate's gradient has cont in it",
    "lstm_unit_fractional_cont": "the forget gate's gradient has cont in it",
    "rnn_expose_hidden": "no gradient through the exposed state",
    "lstm_expose_hidden": "no gradient through the exposed state",
    "lstm_expose_hidden_static": "no gradient through the exposed state",
    "pool_max_all_equal": "ties",
    "mvn_eps": "y for (x − mean) / deviation, as if eps were 0",
    "contrastive": "the distance in the denominator is never 0",
    "contrastive_margin": "the distance in the denominator is never 0",
}
# types without a gradient of their own to check
NO_GRADIENT = {"Accuracy", "ArgMax", "Data", "DummyData", "Input", "Parameter", "Python", "Silence", "Threshold"}


def only_layer(case: Case) -> caffe_pb2.LayerParameter | None:
    """The case's layer, if it has just one, with bottoms and tops."""
    net = text_format.Parse(case.layer, caffe_pb2.NetParameter())
    return net.layer[0] if len(net.layer) == 1 and net.layer[0].bottom and net.layer[0].top else None


ALL = {name: case for family in FAMILIES for name, case in cases(family).items()
       if (layer := only_layer(case)) and layer.type not in NO_GRADIENT and name not in NOT_THE_DERIVATIVE}


class Bench:
    """One case's layer in double precision, and the values to give it."""

    def __init__(self, name: str, case: Case):
        self.case = case
        rng = source(name)
        self.inputs = {blob: draw(rng, shape, "normal" if kind == "grid" else kind).astype(np.float64)
                       for blob, (shape, kind) in case.bottoms.items()}
        self.build()
        self.params = [draw(rng, blob.shape, "uniform 0.5 1.5").astype(np.float64) for blob in self.layer.blobs]
        self.weights = [rng.standard_normal(blob.shape) for blob in self.top]

    def build(self) -> None:
        """A new layer, as random draws and carried states would change the next forward."""
        caffe.set_random_seed(1)
        message = only_layer(self.case)
        assert message is not None
        message.phase = getattr(caffe, self.case.phase)
        self.layer = create_layer(message)
        self.layer.dtype = np.float64
        self.layer.blobs = BlobVec(dtype=np.float64)
        blobs = {name: Blob(*array.shape, dtype=np.float64) for name, array in self.inputs.items()}
        self.bottom = [blobs[name] for name in message.bottom]
        self.top = [blobs.setdefault(name, Blob(dtype=np.float64)) for name in message.top]
        self.layer.set_up(self.bottom, self.top)

    def value(self) -> float:
        """The weighted sum of the tops, computed anew."""
        self.build()
        for blob, array in zip(self.bottom, self.inputs.values()):
            blob.data[...] = array
        for blob, array in zip(self.layer.blobs, self.params):
            blob.data[...] = array
        self.layer.bottom_need_backward = [self.layer.allow_force_backward(i) for i in range(len(self.bottom))]
        self.layer.reshape(self.bottom, self.top)
        self.layer.forward(self.bottom, self.top)
        losses = [self.layer.top_loss_weight(j) for j in range(len(self.top))]
        # a Filter's tops shrink to what was selected
        weights = losses if any(losses) else [weight.reshape(-1)[:blob.count].reshape(blob.shape)
                                              for blob, weight in zip(self.top, self.weights)]
        total = sum(float((blob.data * weight).sum()) for blob, weight in zip(self.top, weights))
        for blob, weight in zip(self.top, weights):
            blob.diff[...] = weight
        return total

    def check(self, what: str, array: np.ndarray, gradient: np.ndarray) -> None:
        """Compare the gradient with differences at some of the array's numbers."""
        assert gradient.dtype == np.float64
        for i in np.unique(np.linspace(0, array.size - 1, PROBES).astype(int)):
            at = np.unravel_index(i, array.shape)
            before = array[at]
            array[at] = before + STEP
            above = self.value()
            array[at] = before - STEP
            below = self.value()
            array[at] = before
            expected = (above - below) / (2 * STEP)
            assert gradient[at] == pytest.approx(expected, rel=1e-5, abs=1e-7), f"{what}{list(map(int, at))}"


@pytest.mark.parametrize("name", ALL)
def test_backward_is_the_derivative_of_forward(name: str) -> None:
    case = ALL[name]
    bench = Bench(name, case)
    bench.value()
    bench.layer.backward(bench.top, bench.layer.bottom_need_backward, bench.bottom)
    layer = bench.layer
    gradients = [blob.diff.copy() for blob in bench.bottom]
    param_gradients = [blob.diff.copy() for blob in layer.blobs]
    for i, (blob, (_, kind)) in enumerate(case.bottoms.items()):
        if layer.bottom_need_backward[i] and not kind.startswith("integers"):
            bench.check(f"bottom {blob}", bench.inputs[blob], gradients[i])
    specs = list(layer.layer_param.param)
    for i, array in enumerate(bench.params):
        if i >= len(specs) or specs[i].lr_mult:
            bench.check(f"parameter {i}", array, param_gradients[i])


def test_every_layer_type_has_cases() -> None:
    known = {layer.type for family in FAMILIES for case in cases(family).values()
             for layer in text_format.Parse(case.layer, caffe_pb2.NetParameter()).layer}
    known |= {layer.type for case in file_cases.CASES.values()
              for layer in text_format.Parse(file_cases.net_text(case), caffe_pb2.NetParameter()).layer}
    assert set(layer_type_list()) - known <= {"Data", "HDF5Output", "Input", "Python"}, "add cases to layer_cases/"
