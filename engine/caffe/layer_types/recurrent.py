"""Recurrent layers, unrolled over the time steps of a batch: LSTM, RNN; LSTMUnit, one step by itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from caffe.blob import Blob
from caffe.layer_types.base import TensorLayer, register
from caffe.layer_types.support import make_parameters
from caffe.proto import caffe_pb2
from caffe.random import fillers, rng


class RecurrentLayer(TensorLayer):
    """A layer over time-major sequences: bottoms x (T×N×…), cont (T×N) and, if given, x_static (N×…).

    cont is 0 where a sequence starts, else 1. The state after the last step is where the next forward goes on,
    per stream; the gradient stays within one forward. With `expose_hidden` the state is not kept but comes in
    as further bottoms and goes out as further tops (each 1×N×H), without gradient. T is fixed at setup.
    src/caffe/layers/recurrent_layer.cpp
    """

    states = 0  # blobs of hidden state: h, and c in an LSTM

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self.hidden = layer_param.recurrent_param.num_output
        self.exposed = self.states if layer_param.recurrent_param.expose_hidden else 0
        self.bottoms = (2 + self.exposed, 3 + self.exposed)
        self.tops = 1 + self.exposed
        self.state = [Blob(dtype=self.dtype) for _ in range(self.states)]

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.hidden < 1:
            raise self.fault("recurrent_param.num_output must be given and positive")
        self.static = len(bottom) > 2 + self.exposed
        self.steps = bottom[0].shape[0] if bottom[0].shape else 0
        self._check_shapes(bottom)
        self.make_parameters(bottom)

    def make_parameters(self, bottom: Sequence[Blob]) -> None:
        """Make the parameter blobs, called once the bottoms' shapes are checked."""
        raise NotImplementedError

    def _check_shapes(self, bottom: Sequence[Blob]) -> None:
        x, cont = bottom[:2]
        if x.num_axes < 3:
            raise self.fault(f"the sequence has shape {x.shape_string()}; it takes T×N×…, at least 3 axes")
        if x.shape[0] != self.steps:
            raise self.fault(f"the sequence has {x.shape[0]} time steps, at setup it had {self.steps}; "
                             "only the number of streams may change")
        if cont.shape != x.shape[:2]:
            raise self.fault(f"cont has shape {cont.shape_string()} for a sequence of shape {x.shape_string()}; "
                             "it takes T×N")
        if self.static and (bottom[2].num_axes < 2 or bottom[2].shape[0] != x.shape[1]):
            raise self.fault(f"the static input has shape {bottom[2].shape_string()}; it takes N×… "
                             f"with N = {x.shape[1]}")
        for blob in bottom[2 + self.static:]:
            if blob.shape != (1, x.shape[1], self.hidden):
                raise self.fault(f"a hidden state has shape {blob.shape_string()}; it takes "
                                 f"1×{x.shape[1]}×{self.hidden}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._check_shapes(bottom)
        streams = bottom[0].shape[1]
        top[0].reshape(self.steps, streams, self.hidden)
        for blob in [*self.state, *top[1:]]:
            blob.reshape(1, streams, self.hidden)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if any(self.bottom_need_backward) or any(self.param_propagate_down):
            # Caffe's unrolled net takes the gradient of frozen weights too: they count in the norm for clipping
            self.param_propagate_down = [True] * len(self.blobs)
        super().forward(bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[1], "cont")
        super().backward(top, propagate_down, bottom)

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index != 1

    def gives_unasked(self, bottom_index: int) -> bool:
        return bottom_index == 0 or (bottom_index == 2 and self.static)

    def first_state(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor]:
        """The state before the first step, each N×H."""
        given = bottoms[2 + self.static:] if self.exposed else [blob.tensor().clone() for blob in self.state]
        return [value.detach()[0] for value in given]

    def keep_state(self, state: list[torch.Tensor]) -> list[torch.Tensor]:
        """Leave the state after the last step for the next forward; the tops that expose it."""
        values = [value.detach()[None] for value in state]
        for blob, value in zip(self.state, values):
            blob.mutable_tensor().copy_(value)
        return values[:self.exposed]


class _Unit(torch.autograd.Function):
    """One step: i, f, o = σ(gates), g = tanh(gates), f times cont; c = f·c₋₁ + i·g, h = o·tanh(c).

    c₋₁ is N×H, gates N×4H in the order i, f, o, g, cont N×1. The gradient of f's gate uses f with cont in it.
    src/caffe/layers/lstm_unit_layer.cpp
    """

    @staticmethod
    def forward(ctx, before: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor):
        hidden = before.shape[1]
        # Caffe's σ and tanh are rounded from float64: it matters where they are nearly 1
        exact = gates.double()
        i, f, o = torch.sigmoid(exact[:, :3 * hidden]).to(gates.dtype).split(hidden, 1)
        g = torch.tanh(exact[:, 3 * hidden:]).to(gates.dtype)
        f = torch.where(cont == 0, 0, cont * f)
        c = f * before + i * g
        tanh_c = torch.tanh(c.double()).to(c.dtype)
        ctx.save_for_backward(before, i, f, o, g, tanh_c)
        return c, o * tanh_c

    @staticmethod
    def backward(ctx, c_diff: torch.Tensor, h_diff: torch.Tensor):
        before, i, f, o, g, tanh_c = ctx.saved_tensors
        through_c = c_diff + h_diff * o * (1 - tanh_c * tanh_c)
        gates = torch.cat([
            through_c * g * i * (1 - i),
            through_c * before * f * (1 - f),
            h_diff * tanh_c * o * (1 - o),
            through_c * i * (1 - g * g),
        ], 1)
        return through_c * f, gates, None


@register
class LSTMUnit(TensorLayer):
    """One step of an LSTM: bottoms c₋₁ (1×N×H), gates (1×N×4H, in the order i, f, o, g) and cont (1×N); tops c, h.

    i, f, o = σ(gates), g = tanh(gates), f times cont; c = f·c₋₁ + i·g, h = o·tanh(c).
    src/caffe/layers/lstm_unit_layer.cpp
    """

    type = "LSTMUnit"
    bottoms = 3
    tops = 2

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        before, gates, cont = bottom
        streams, hidden = before.shape[1:] if before.num_axes == 3 else (0, 0)
        wanted = ((1, streams, hidden), (1, streams, 4 * hidden), (1, streams))
        if (before.shape, gates.shape, cont.shape) != wanted:
            shapes = ", ".join(blob.shape_string() for blob in bottom)
            raise self.fault(f"its bottoms have shapes {shapes}; it takes 1×N×H, 1×N×4H and 1×N")
        for blob in top:
            blob.reshape(*before.shape)

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index != 2

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        before, gates, cont = bottoms
        return _Unit.apply(before[0], gates[0], cont[0][:, None])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.refuse_gradient(propagate_down[2], "cont")
        super().backward(top, propagate_down, bottom)


@register
class LSTM(RecurrentLayer):
    """h_t, c_t = LSTMUnit(c_{t−1}, W_xc·x_t + b_c [+ W_xc_static·x_static] + W_hc·(cont_t·h_{t−1}), cont_t).

    Parameters: W_xc (4H×D), b_c (4H), [W_xc_static (4H×Ds)], W_hc (4H×H). State: h, c.
    src/caffe/layers/lstm_layer.cpp
    """

    type = "LSTM"
    states = 2

    def make_parameters(self, bottom: Sequence[Blob]) -> None:
        param = self.layer_param.recurrent_param
        gates = 4 * self.hidden
        wanted = [((gates, prod(bottom[0].shape[2:])), param.weight_filler), ((gates,), param.bias_filler)]
        if self.static:
            wanted.append(((gates, prod(bottom[2].shape[1:])), param.weight_filler))
        wanted.append(((gates, self.hidden), param.weight_filler))
        fresh = not self.blobs
        make_parameters(self, wanted)
        if fresh:
            # Caffe has a layer per time step: each draws its W_hc before it takes the first one's
            for _ in range(self.steps - 1):
                fillers.fill(param.weight_filler, self.blobs[-1].shape, rng.main())

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x, cont = bottoms[0].flatten(2), bottoms[1].unsqueeze(2)
        w_x, b, *w_static, w_h = params
        from_x = torch.nn.functional.linear(x, w_x, b)
        if w_static:
            from_x = from_x + torch.nn.functional.linear(bottoms[2].flatten(1), w_static[0])
        h, c = self.first_state(bottoms)
        outputs = []
        for from_x_t, cont_t in zip(from_x.unbind(), cont.unbind()):
            gates = torch.addmm(from_x_t, cont_t * h, w_h.t())
            c, h = _Unit.apply(c, gates, cont_t)
            outputs.append(h)
        return [torch.stack(outputs), *self.keep_state([h, c])]


@register
class RNN(RecurrentLayer):
    """h_t = tanh(W_xh·x_t + b_h [+ W_xh_static·x_static] + W_hh·(cont_t·h_{t−1})); y_t = tanh(W_ho·h_t + b_o).

    Parameters: W_xh (H×D), b_h (H), [W_xh_static (H×Ds)], W_hh (H×H), W_ho (H×H), b_o (H). State: h.
    src/caffe/layers/rnn_layer.cpp
    """

    type = "RNN"
    states = 1

    def make_parameters(self, bottom: Sequence[Blob]) -> None:
        param, h = self.layer_param.recurrent_param, self.hidden
        inputs = [((h, prod(bottom[0].shape[2:])), param.weight_filler), ((h,), param.bias_filler)]
        if self.static:
            inputs.append(((h, prod(bottom[2].shape[1:])), param.weight_filler))
        each_step = [((h, h), param.weight_filler), ((h, h), param.weight_filler), ((h,), param.bias_filler)]
        fresh = not self.blobs
        make_parameters(self, inputs + each_step)
        if fresh:
            # Caffe has layers for each time step: they draw their own weights before they take the first one's
            for shape, filler in each_step * (self.steps - 1):
                fillers.fill(filler, shape, rng.main())

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        x, cont = bottoms[0].flatten(2), bottoms[1].unsqueeze(2)
        w_x, b, *w_static, w_h, w_out, b_out = params
        from_x = torch.nn.functional.linear(x, w_x, b)
        if w_static:
            from_x = from_x + torch.nn.functional.linear(bottoms[2].flatten(1), w_static[0])
        (h,) = self.first_state(bottoms)
        states = []
        for from_x_t, cont_t in zip(from_x.unbind(), cont.unbind()):
            h = torch.tanh(torch.addmm(from_x_t, cont_t * h, w_h.t()))
            states.append(h)
        outputs = torch.tanh(torch.nn.functional.linear(torch.stack(states), w_out, b_out))
        return [outputs, *self.keep_state([h])]
