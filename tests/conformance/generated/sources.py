"""DummyData: its fillers draw the stream's next numbers at the right time."""

from __future__ import annotations

from layer_cases import Case, one

from generated.draw import FILLERS, Draw, dims

# on shapes of at least two axes, which the fillers by fan-in need
DATA_FILLERS = (*FILLERS, "value: 3")


def dummy(draw: Draw) -> Case:
    number = draw.size(1, 3)
    tops = " ".join(f"y{i}" for i in range(number))
    shapes = [draw.shape(draw.size(2, 4), 1, 5) for _ in range(draw.pick(1, number))]
    fillers = [f"data_filler {{ {draw.pick(*DATA_FILLERS)} }}" for _ in range(draw.pick(0, 1, number))]
    body = " ".join([*map(dims, shapes), *fillers])
    return Case(one("DummyData", "", tops, f"dummy_data_param {{ {body} }}"), {}, forwards=draw.size(1, 3),
                phase=draw.pick("TRAIN", "TEST"))


TYPES = {"DummyData": (14, dummy)}
