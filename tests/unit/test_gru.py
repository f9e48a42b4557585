"""The Python layer GRU: against PyTorch's, the paper's equations unit by unit, differences, and as a layer of a net."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import caffe
from data_prep.errors import InputError
from python_layers import gru

STEPS, SEQUENCES, UNITS = 5, 3, 4
GAPS = np.array([[0, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 0]], np.float64)


def drawn(seed=0):
    """Inputs (T, N, 3·H), weights (3·H, H), a state (N, H) to start from and gradients of the states (T, N, H)."""
    random = np.random.default_rng(seed)
    shapes = (STEPS, SEQUENCES, 3 * UNITS), (3 * UNITS, UNITS), (SEQUENCES, UNITS), (STEPS, SEQUENCES, UNITS)
    return [random.normal(size=shape) for shape in shapes]


def test_states_and_gradients_are_pytorch_s_where_the_two_variants_agree():
    """PyTorch's reset gate acts after the candidate's product; for a diagonal matrix that is the same."""
    inputs, weights, state, diff = drawn()
    weights[2 * UNITS :] = np.diag(weights[2 * UNITS :].diagonal())
    reference = torch.nn.GRU(3 * UNITS, UNITS, bias=False, dtype=torch.float64)
    with torch.no_grad():
        reference.weight_ih_l0.copy_(torch.eye(3 * UNITS))
        reference.weight_hh_l0.copy_(torch.from_numpy(weights))
    given = torch.from_numpy(inputs).requires_grad_()
    expected, _ = reference(given, torch.from_numpy(state)[None])
    expected.backward(torch.from_numpy(diff))

    cont = np.ones((STEPS, SEQUENCES))
    states, steps = gru.run(inputs, cont, weights, state)
    of_inputs, of_weights = gru.gradients(diff, cont, weights, steps)
    np.testing.assert_allclose(states, expected.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(of_inputs, given.grad.numpy(), rtol=1e-7, atol=1e-12)
    theirs = reference.weight_hh_l0.grad.numpy()
    np.testing.assert_allclose(of_weights[: 2 * UNITS], theirs[: 2 * UNITS], rtol=1e-7, atol=1e-12)
    diagonals = (of_weights[2 * UNITS :].diagonal(), theirs[2 * UNITS :].diagonal())
    np.testing.assert_allclose(*diagonals, rtol=1e-7, atol=1e-12)


def by_the_paper(inputs, cont, weights, state):
    """Cho et al. 2014, equations 5 to 8, for one unit of one sequence after the other."""
    states = np.zeros((STEPS, SEQUENCES, UNITS))
    for n in range(SEQUENCES):
        h = state[n]
        for t in range(STEPS):
            h = h if cont[t, n] else np.zeros(UNITS)
            (r, z), new = np.zeros((2, UNITS)), np.zeros(UNITS)
            for gate, values in enumerate((r, z)):
                for j in range(UNITS):
                    total = inputs[t, n, gate * UNITS + j] + sum(
                        weights[gate * UNITS + j, k] * h[k] for k in range(UNITS)
                    )
                    values[j] = 1 / (1 + math.exp(-total))
            for j in range(UNITS):
                row = weights[2 * UNITS + j]
                candidate = math.tanh(inputs[t, n, 2 * UNITS + j] + sum(row[k] * r[k] * h[k] for k in range(UNITS)))
                new[j] = z[j] * h[j] + (1 - z[j]) * candidate
            states[t, n] = h = new
    return states


def test_states_are_the_paper_s_with_gaps():
    inputs, weights, state, _ = drawn(1)
    states, _ = gru.run(inputs, GAPS, weights, state)
    np.testing.assert_allclose(states, by_the_paper(inputs, GAPS, weights, state), rtol=1e-10)


def test_gradients_are_those_of_small_differences_through_time_and_stop_at_gaps():
    inputs, weights, state, diff = drawn(2)

    def total(inputs, weights):
        return (gru.run(inputs, GAPS, weights, state)[0] * diff).sum()

    found = gru.gradients(diff, GAPS, weights, gru.run(inputs, GAPS, weights, state)[1])
    for place, (array, gradient) in enumerate(zip((inputs, weights), found)):
        for index in np.ndindex(array.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [inputs.copy(), weights.copy()]
                moved[place][index] += step
                sides.append(total(*moved))
            assert gradient[index] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-8), (place, index)


NET = """
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: {frames} dim: {sequences} dim: 12 }} }} }}
layer {{ name: "cont" type: "Input" top: "cont" input_param {{ shape {{ dim: {frames} dim: {sequences} }} }} }}
layer {{ name: "aim" type: "Input" top: "aim" input_param {{ shape {{ dim: {frames} dim: {sequences} dim: 4 }} }} }}
layer {{ name: "gru" type: "Python" bottom: "x" bottom: "cont" top: "gru" propagate_down: true propagate_down: false
  python_param {{ module: "python_layers.gru" layer: "GRU" param_str: '{settings}' }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "gru" bottom: "aim" top: "loss" }}
force_backward: true
"""
SETTINGS = '{"num_output": 4, "weight_filler": {"type": "gaussian", "std": 0.5}}'


def make_net(folder, frames=6, sequences=1, settings=SETTINGS, seed=1):
    (folder / "net.prototxt").write_text(NET.format(frames=frames, sequences=sequences, settings=settings))
    caffe.set_random_seed(seed)
    return caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_state_goes_on_from_batch_to_batch_until_cont_clears_it(tmp_path, frames):
    inputs = np.random.default_rng(0).normal(size=(6, 1, 12))
    cont = np.array([0, 1, 1, 1, 0, 1], np.float32).reshape(6, 1)

    def states(net, length):
        found = []
        for start in range(0, 6, length):
            net.blobs["x"].data[...] = inputs[start : start + length]
            net.blobs["cont"].data[...] = cont[start : start + length]
            net.forward()
            found.append(net.blobs["gru"].data.copy())
        return np.concatenate(found)

    whole, parts = make_net(tmp_path), make_net(tmp_path, frames)
    expected = states(whole, 6)
    assert np.abs(expected[1] - expected[5]).max() > 1e-3
    np.testing.assert_allclose(states(parts, frames), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(states(whole, 6), expected, rtol=1e-5, atol=1e-6)  # cleared where the sequence starts


def test_it_learns_in_a_net(tmp_path):
    """The loss's gradient, in the net, by each input and weight; those of the weights add up, as Caffe's do."""
    net = make_net(tmp_path, 4, 2)
    random = np.random.default_rng(1)
    for name in ("x", "aim"):
        net.blobs[name].data[...] = random.normal(size=net.blobs[name].data.shape)
    net.blobs["cont"].data[...] = [[0, 0], [1, 1], [1, 0], [1, 1]]
    weights = net.params["gru"][0]
    weights.diff[...] = 0
    for _ in range(2):
        net.forward()
        net.backward()
    for blob, times in ((net.blobs["x"], 1), (weights, 2)):
        gradient = blob.diff.copy()
        assert np.abs(gradient).max() > 0.01
        for index in [tuple(random.integers(size) for size in gradient.shape) for _ in range(12)]:
            kept = float(blob.data[index])
            sides = []
            for step in (1e-2, -1e-2):
                blob.data[index] = kept + step
                sides.append(float(net.forward()["loss"]))
            blob.data[index] = kept
            assert gradient[index] / times == pytest.approx((sides[0] - sides[1]) / 2e-2, rel=0.02, abs=2e-4)


def test_weights_come_from_the_seed_by_caffe_s_filler(tmp_path):
    settings = '{"num_output": 4, "weight_filler": {"type": "uniform", "min": 2, "max": 3}}'
    first, again, other = (make_net(tmp_path, settings=settings, seed=seed).params["gru"][0].data for seed in (1, 1, 2))
    assert first.shape == (12, 4) and first.min() >= 2 and first.max() <= 3 and first.std() > 0.1
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("settings", ["", '{"num_output": 4}', SETTINGS.replace("4", "0"), SETTINGS.replace("_f", "f")])
def test_settings_that_are_none_are_refused(settings):
    with pytest.raises(InputError, match="GRU: the param_str"):
        gru.settings(settings)


def test_another_number_of_inputs_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"shapes \(6, 1, 12\) and \(6, 1\); with num_output 5 it takes sequences \(T, N, 15\)"
    ):
        make_net(tmp_path, settings=SETTINGS.replace("4", "5"))
