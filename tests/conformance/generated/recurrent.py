"""LSTM, RNN, LSTMUnit."""

from __future__ import annotations

from generated.draw import Draw, vary


def recurrent(kind: str):
    def make(draw: Draw):
        steps, streams, outputs = draw.size(1, 5), draw.size(1, 4), draw.size(1, 4)
        inner = draw.shape(draw.size(1, 3), 1, 3)
        cont = draw.pick("integers 0 2", "integers 0 2", "integers 1 2", "uniform 0 1")
        bottoms = {"x": ((steps, streams, *inner), "normal"), "cont": ((steps, streams), cont)}
        static = draw.chance(0.3)
        if static:
            bottoms["static"] = ((streams, *draw.shape(draw.size(1, 2), 1, 3)), "normal")
        body, rest, tops = f"num_output: {outputs}", {}, "h"
        if draw.chance(0.25):
            names = ("h0", "c0") if kind == "LSTM" else ("h0",)
            bottoms.update({name: ((1, streams, outputs), "normal") for name in names})
            body, tops = body + " expose_hidden: true", " ".join(["h", *(name[0] + "1" for name in names)])
        if kind == "RNN" and draw.chance(0.2):
            body += " debug_info: false"
        if draw.chance(0.25):
            body, rest = f"{body} {draw.filler('weight_filler')} {draw.filler('bias_filler')}", {"params": None}
        # the number of streams may change, not that of steps
        now = draw.size(1, 5)
        another = {} if "h0" in bottoms else {"x": (steps, now, *inner), "cont": (steps, now)}
        if static:
            another = {}
        return vary(draw, kind, bottoms, tops, f"recurrent_param {{ {body} }}", another=another, weights=tops == "h",
                    gradients=tuple(range(1, len(bottoms))), **rest)

    return make


def lstm_unit(draw: Draw):
    streams, units = draw.size(1, 5), draw.size(1, 5)
    bottoms = {"c": ((1, streams, units), "normal"), "x": ((1, streams, 4 * units), "normal"),
               "cont": ((1, streams), draw.pick("integers 0 2", "uniform 0 1"))}
    return vary(draw, "LSTMUnit", bottoms, "c1 h1", another={}, gradients=(2,))


TYPES = {"LSTM": (24, recurrent("LSTM")), "RNN": (18, recurrent("RNN")), "LSTMUnit": (8, lstm_unit)}
