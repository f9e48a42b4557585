"""DummyData: every filler is the stream's next numbers at the right time."""

from __future__ import annotations

from layer_cases import Case, one


def dummy(tops: str, body: str, **rest) -> Case:
    return Case(one("DummyData", "", tops, f"dummy_data_param {{ {body} }}"), {}, **rest)


def shape(*dims: int) -> str:
    return "shape { " + " ".join(f"dim: {n}" for n in dims) + " } "


UNIFORM = "data_filler { type: 'uniform' min: -1 max: 1 } "
GAUSSIAN = "data_filler { type: 'gaussian' std: 2 } "
THREE = "data_filler { value: 3 } "

CASES = {
    "dummy_data": dummy("a", shape(2, 3)),
    "dummy_data_constant": dummy("a b", shape(2, 3) + shape(4) + THREE, forwards=2),
    "dummy_data_random": dummy("a b", shape(2, 3) + UNIFORM, forwards=3),
    "dummy_data_mixed": dummy("a b c", shape(2, 3) + shape(4) + shape(1, 2, 2, 2) + GAUSSIAN + THREE + UNIFORM,
                              forwards=2),
    "dummy_data_old_fields": dummy("a b", "num: 2 channels: 3 height: 1 height: 4 width: 2 " + UNIFORM, forwards=2),
}
