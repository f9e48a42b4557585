"""GRU: a layer of gated recurrent units, which Caffe 1.0 does not have.

    layer {
      name: "gru"  type: "Python"  bottom: "sequences"  bottom: "cont"  top: "gru"
      param { lr_mult: 1 decay_mult: 1 }
      python_param {
        module: "python_layers.gru"  layer: "GRU"
        param_str: '{"num_output": 256, "weight_filler": {"type": "gaussian", "std": 0.01}}'
      }
    }

The input's part, W x + b, is an InnerProduct of Caffe's before it, with 3·num_output outputs.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, NamedTuple

import numpy as np

import caffe
from data_prep.errors import InputError

GATES = 3  # the rows of the weights and the bottom's values, in this order: reset, update, candidate
KEYS = {"num_output", "weight_filler"}


class Step(NamedTuple):
    """What the gradient of a time step needs: the state before it (cleared where a sequence starts), the gates
    reset and update, and the candidate; each (N, H)."""

    before: np.ndarray
    reset: np.ndarray
    update: np.ndarray
    candidate: np.ndarray


class GRU(caffe.Layer):
    """Bottoms: the input's part (T, N, 3·H) and cont (T, N), 0 where a sequence starts. Top: the states (T, N, H).

    Its one parameter are the recurrent weights U (3·H, H), filled by any of Caffe's fillers with Caffe's own random
    numbers. As Caffe's LSTM does, it goes on from the state that the batch before left, 0 at first or where the
    number of sequences is another, and gradients do not go back beyond the batch. Raises InputError at setup for
    settings or bottoms that do not fit.
    """

    def setup(self, bottom, top):
        if len(bottom) != 2 or len(top) != 1:
            raise InputError(
                f"GRU: {len(bottom)} bottoms and {len(top)} tops; it takes sequences and cont, and has one top"
            )
        self._units, filler = settings(self.param_str)
        self._state = np.zeros((0, self._units), np.float32)
        self._steps: list[Step] = []
        self.blobs.add_blob(GATES * self._units, self._units)
        self.blobs[0].data[...] = filled(self._units, filler)

    def reshape(self, bottom, top):
        shape, cont = tuple(bottom[0].data.shape), tuple(bottom[1].data.shape)
        if len(shape) != 3 or shape[2] != GATES * self._units or cont != shape[:2]:
            raise InputError(
                f"GRU: bottoms of shapes {shape} and {cont}; with num_output {self._units} it takes sequences "
                f"(T, N, {GATES * self._units}) and cont (T, N)"
            )
        top[0].reshape(shape[0], shape[1], self._units)
        if len(self._state) != shape[1]:
            self._state = np.zeros((shape[1], self._units), np.float32)

    def forward(self, bottom, top):
        states, self._steps = run(bottom[0].data, bottom[1].data, self.blobs[0].data, self._state)
        self._state = states[-1]
        top[0].data[...] = states

    def backward(self, top, propagate_down, bottom):
        inputs, weights = gradients(top[0].diff, bottom[1].data, self.blobs[0].data, self._steps)
        self.blobs[0].diff[...] += weights
        if propagate_down[0]:
            bottom[0].diff[...] = inputs


def settings(text: str) -> tuple[int, dict[str, Any]]:
    """num_output and the weight filler of a `param_str`. Raises InputError if it is something else."""
    try:
        given = json.loads(text)
        if set(given) != KEYS or not int(given["num_output"]) > 0:
            raise ValueError
        return int(given["num_output"]), dict(given["weight_filler"])
    except (ValueError, TypeError):
        raise InputError(
            f"GRU: the param_str {text!r} is not JSON with num_output (1 or more) and weight_filler, such as "
            '{"num_output": 256, "weight_filler": {"type": "gaussian", "std": 0.01}}'
        ) from None


def filled(units: int, filler: dict[str, Any]) -> np.ndarray:
    """Weights (3·units, units) as a filler of Caffe's makes them: those of an InnerProduct in a net of its own, so
    that they come from the solver's random_seed."""
    net = caffe.NetSpec()
    net.state = caffe.layers.Input(shape={"dim": [1, units]})
    net.gates = caffe.layers.InnerProduct(net.state, num_output=GATES * units, bias_term=False, weight_filler=filler)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.prototxt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(net.to_proto()))
        return caffe.Net(path, caffe.TRAIN).params["gates"][0].data.copy()


def run(inputs: np.ndarray, cont: np.ndarray, weights: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, list[Step]]:
    """The states (T, N, H) after each time step from the state (N, H) before the first, and what `gradients` needs.

    Cho et al. 2014 (arXiv:1406.1078), equations 5 to 8, with the input's part a = W x + b given, · elementwise:
        r = σ(a_r + U_r h),  z = σ(a_z + U_z h),  c = tanh(a_c + U_c (r · h)),  h' = z · h + (1 − z) · c
    So the reset gate acts on the state before the product with U_c; cuDNN's and PyTorch's variant has it after.
    """
    of_reset, of_update, of_candidate = np.split(weights, GATES)
    states, steps = [], []
    for given, goes_on in zip(inputs, cont):
        before = state * goes_on[:, np.newaxis]
        a_reset, a_update, a_candidate = np.split(given, GATES, axis=1)
        reset = sigmoid(a_reset + before @ of_reset.T)
        update = sigmoid(a_update + before @ of_update.T)
        candidate = np.tanh(a_candidate + (reset * before) @ of_candidate.T)
        state = update * before + (1 - update) * candidate
        states.append(state)
        steps.append(Step(before, reset, update, candidate))
    return np.stack(states), steps


def gradients(
    diff: np.ndarray, cont: np.ndarray, weights: np.ndarray, steps: list[Step]
) -> tuple[np.ndarray, np.ndarray]:
    """From the gradient of the states (T, N, H), backwards through time, those of the inputs (T, N, 3·H) and of the
    weights (3·H, H). The state before the first step has none, as in Caffe's LSTM."""
    of_reset, of_update, of_candidate = np.split(weights, GATES)
    of_inputs, of_weights = [], np.zeros_like(weights)
    later = np.zeros_like(diff[0])
    for own, goes_on, step in zip(diff[::-1], cont[::-1], steps[::-1]):
        total = own + later
        update = total * (step.before - step.candidate) * step.update * (1 - step.update)
        candidate = total * (1 - step.update) * (1 - step.candidate**2)
        kept = candidate @ of_candidate  # of reset · before
        reset = kept * step.before * step.reset * (1 - step.reset)
        of_weights += np.concatenate([
            reset.T @ step.before, update.T @ step.before, candidate.T @ (step.reset * step.before)
        ])  # fmt: skip
        before = total * step.update + kept * step.reset + reset @ of_reset + update @ of_update
        later = before * goes_on[:, np.newaxis]
        of_inputs.append(np.concatenate([reset, update, candidate], axis=1))
    return np.stack(of_inputs[::-1]), of_weights


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), by a form that does not overflow."""
    return (np.tanh(x / 2) + 1) / 2
