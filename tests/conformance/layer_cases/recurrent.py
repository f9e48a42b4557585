"""LSTM, RNN, LSTMUnit."""

from __future__ import annotations

from layer_cases import Case, one


def sequences(steps: int, streams: int, *rest: int) -> dict:
    """Bottoms x (T×N×…) and cont (T×N), with sequences that start at random places."""
    return {"x": ((steps, streams, *rest), "normal"), "cont": ((steps, streams), "integers 0 2")}


def lstm(bottoms: dict, body: str = "num_output: 3", tops: str = "h", **rest) -> Case:
    return Case(one("LSTM", " ".join(bottoms), tops, f"recurrent_param {{ {body} }}"), bottoms, **rest)


def rnn(bottoms: dict, body: str = "num_output: 3", tops: str = "y", **rest) -> Case:
    return Case(one("RNN", " ".join(bottoms), tops, f"recurrent_param {{ {body} }}"), bottoms, **rest)


def unit(cont: str, **rest) -> Case:
    return Case(one("LSTMUnit", "c gates cont", "c1 h1"),
                {"c": ((1, 4, 3), "normal"), "gates": ((1, 4, 12), "normal 2"), "cont": ((1, 4), cont)}, **rest)


STATES = {"h0": ((1, 2, 3), "normal"), "c0": ((1, 2, 3), "normal")}
STATIC = {"s": ((2, 5), "normal")}
GAUSSIAN = "weight_filler { type: 'gaussian' std: 0.3 } bias_filler { type: 'uniform' min: -1 max: 1 }"
FROZEN = "param { lr_mult: 0 } param { lr_mult: 1 } param { lr_mult: 0 }"

CASES = {
    "lstm_unit": unit("integers 0 2", forwards=2),
    "lstm_unit_going_on": unit("integers 1 2"),
    "lstm_unit_fractional_cont": unit("uniform 0 1"),
    "lstm_unit_another_batch": unit("integers 0 2", forwards=2, last_shapes={
        "c": (1, 2, 3), "gates": (1, 2, 12), "cont": (1, 2)}),
    "lstm": lstm(sequences(4, 2, 6)),
    "lstm_one_step": lstm(sequences(1, 3, 4)),
    "lstm_carries_its_state": lstm(sequences(3, 2, 4), forwards=3),
    "lstm_test_phase": lstm(sequences(3, 2, 4), forwards=2, phase="TEST"),
    "lstm_one_long_sequence": lstm({"x": ((5, 2, 4), "normal"), "cont": ((5, 2), "integers 1 2")}, forwards=3),
    "lstm_only_starts": lstm({"x": ((3, 2, 4), "normal"), "cont": ((3, 2), "integers 0 1")}, forwards=2),
    "lstm_fractional_cont": lstm({"x": ((4, 2, 3), "normal"), "cont": ((4, 2), "uniform 0 1")}, forwards=2),
    "lstm_images": lstm(sequences(3, 2, 2, 3, 2)),
    "lstm_static": lstm({**sequences(3, 2, 4), **STATIC}, forwards=2),
    "lstm_static_image": lstm({**sequences(2, 2, 4), "s": ((2, 2, 3), "normal")}),
    "lstm_expose_hidden": lstm({**sequences(3, 2, 4), **STATES}, "num_output: 3 expose_hidden: true", "h h1 c1",
                               forwards=2),
    "lstm_expose_hidden_static": lstm({**sequences(3, 2, 4), **STATIC, **STATES},
                                      "num_output: 3 expose_hidden: true", "h h1 c1"),
    "lstm_fillers": lstm(sequences(3, 2, 4), f"num_output: 3 {GAUSSIAN}", params=None),
    "lstm_fillers_static": lstm({**sequences(3, 2, 4), **STATIC}, f"num_output: 3 {GAUSSIAN}", params=None),
    # the second layer's weights show how many draws the first took
    "lstm_fillers_of_two": Case(
        one("LSTM", "x cont", "h", f"recurrent_param {{ num_output: 3 {GAUSSIAN} }}").replace('"layer"', '"one"')
        + one("LSTM", "h cont", "y", f"recurrent_param {{ num_output: 2 {GAUSSIAN} }}").replace('"layer"', '"two"'),
        sequences(3, 2, 4), params=None),
    "lstm_frozen_weights": Case(one("LSTM", "x cont", "h", "recurrent_param { num_output: 3 } " + FROZEN),
                                sequences(3, 2, 4)),
    # nobody asks for the gradients of the sequence and the static input; Caffe gives them
    "lstm_unasked": lstm({**sequences(3, 2, 4), **STATIC}, forwards=2, force_backward=False),
    "rnn_unasked": rnn(sequences(3, 2, 4), force_backward=False),
    "lstm_fewer_streams": lstm(sequences(3, 4, 4), forwards=3, last_shapes={"x": (3, 2, 4), "cont": (3, 2)}),
    "lstm_more_streams": lstm(sequences(3, 2, 4), forwards=3, last_shapes={"x": (3, 4, 4), "cont": (3, 4)}),
    "lstm_saturated": lstm({"x": ((3, 2, 4), "normal 50"), "cont": ((3, 2), "integers 0 2")}, forwards=2),
    "rnn": rnn(sequences(4, 2, 6)),
    "rnn_carries_its_state": rnn(sequences(3, 2, 4), forwards=3),
    "rnn_images": rnn(sequences(3, 2, 2, 3, 2)),
    "rnn_static": rnn({**sequences(3, 2, 4), **STATIC}, forwards=2),
    "rnn_expose_hidden": rnn({**sequences(3, 2, 4), "h0": STATES["h0"]}, "num_output: 3 expose_hidden: true", "y h1",
                             forwards=2),
    "rnn_fillers": rnn(sequences(3, 2, 4), f"num_output: 3 {GAUSSIAN}", params=None),
    "rnn_fillers_of_two": Case(
        one("RNN", "x cont", "h", f"recurrent_param {{ num_output: 3 {GAUSSIAN} }}").replace('"layer"', '"one"')
        + one("RNN", "h cont", "y", f"recurrent_param {{ num_output: 2 {GAUSSIAN} }}").replace('"layer"', '"two"'),
        sequences(3, 2, 4), params=None),
    "rnn_fewer_streams": rnn(sequences(3, 4, 4), forwards=3, last_shapes={"x": (3, 2, 4), "cont": (3, 2)}),
}
