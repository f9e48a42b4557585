"""ArgMax, BatchReindex, Bias, Crop, Embed, Filter, MVN, Parameter, Reduction, Tile."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 3, 4, 5), "normal")}
GRID = {"x": ((2, 3, 4, 5), "grid")}


def case(kind: str, body: str = "", bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    return Case(one(kind, " ".join(bottoms), tops, body), bottoms, **rest)


def argmax(body: str, bottoms: dict = GRID) -> Case:
    return case("ArgMax", f"argmax_param {{ {body} }}", bottoms, backward=False)


def reduction(body: str, bottoms: dict = IMAGE) -> Case:
    return case("Reduction", f"reduction_param {{ {body} }}", bottoms)


def learning(kind: str, bottoms: dict, body: str = "", tops: str = "y") -> Case:
    """The layer behind biases of all of its bottoms but the last, and without force_backward: see `force_backward`."""
    *biased, last = bottoms
    before = "".join(one("Bias", blob, f"{blob}_b", "bias_param { axis: 0 num_axes: -1 }").replace(
        '"layer"', f'"bias_{blob}"') for blob in biased)
    inputs = " ".join([*(f"{blob}_b" for blob in biased), last])
    weights = " ".join("loss_weight: 1" for _ in tops.split())
    return Case(before + one(kind, inputs, tops, body + weights), bottoms, force_backward=False)


PICKED = {"x": ((5, 3, 2), "normal"), "i": ((7,), "integers 0 5")}
FILTERED = {"x": ((6, 2, 3), "normal"), "s": ((6, 1, 1), "integers 0 2")}

# real Caffe aborts where force_backward asks for an index's gradient: those cases go forward only, or without it
CASES = {
    "argmax": argmax(""),
    "argmax_top_k": argmax("top_k: 4"),
    "argmax_values": argmax("top_k: 3 out_max_val: true"),
    "argmax_axis": argmax("axis: 1 top_k: 2"),
    "argmax_last_axis_values": argmax("axis: -1 top_k: 3 out_max_val: true"),
    "argmax_2_axes": argmax("top_k: 2", {"x": ((5, 6), "grid")}),
    "reindex": case("BatchReindex", "", PICKED, backward=False),
    "reindex_none": case("BatchReindex", "", {"x": ((5, 3, 2), "normal"), "i": ((1,), "integers 4 5")},
                         backward=False),
    "reindex_learning": learning("BatchReindex", PICKED),
    "filter": case("Filter", "", FILTERED, forwards=3, backward=False),
    "filter_two": case("Filter", "", {"x": FILTERED["x"], "z": ((6,), "normal"), "s": ((6,), "uniform -1 0")},
                       "y w", backward=False),
    "filter_none": case("Filter", "", {"x": ((4, 3), "normal"), "s": ((4,), "integers 0 1")}, backward=False),
    "filter_learning": learning("Filter", FILTERED),
    "filter_learning_two": learning("Filter", {"x": FILTERED["x"], "z": ((6, 4), "normal"),
                                               "s": ((6,), "integers -1 2")}, tops="y w"),
    "bias": case("Bias", "bias_param { filler { type: 'gaussian' } }", forwards=2),
    "bias_filled": case("Bias", "bias_param { filler { type: 'gaussian' } }", params=None),
    "bias_axes": case("Bias", "bias_param { axis: 1 num_axes: 2 }"),
    "bias_all_axes": case("Bias", "bias_param { axis: 0 num_axes: -1 }"),
    "bias_scalar": case("Bias", "bias_param { num_axes: 0 }"),
    "bias_in_place": case("Bias", "", tops="x", forwards=2),
    "bias_bottom": case("Bias", "", {"x": IMAGE["x"], "b": ((3, 4), "normal")}),
    "crop": case("Crop", "", {"x": ((2, 3, 6, 7), "normal"), "size": ((2, 3, 4, 5), "normal")}),
    "crop_offset": case("Crop", "crop_param { offset: 2 }",
                        {"x": ((2, 3, 6, 7), "normal"), "size": ((2, 3, 4, 5), "normal")}),
    "crop_offsets": case("Crop", "crop_param { axis: 1 offset: 0 offset: 2 offset: 1 }",
                         {"x": ((2, 3, 6, 7), "normal"), "size": ((1, 2, 4, 5), "normal")}),
    "crop_3_axes": case("Crop", "crop_param { axis: -1 offset: 1 }",
                        {"x": ((2, 3, 6), "normal"), "size": ((2, 3, 4), "normal")}),
    "parameter": Case(one("Parameter", "", "p", "parameter_param { shape { dim: 2 dim: 3 } }")
                      + one("Eltwise", "p x", "y").replace('"layer"', '"sum"'), {"x": ((2, 3), "normal")}),
    "embed": case("Embed", "embed_param { num_output: 4 input_dim: 6 }",
                  {"x": ((5, 3), "integers 0 6")}, backward=False),
    "embed_no_bias": case("Embed", "embed_param { num_output: 4 input_dim: 6 bias_term: false "
                          "weight_filler { type: 'uniform' } }",
                          {"x": ((5,), "integers 0 6")}, params=None, backward=False),
    "embed_filled": case("Embed", "embed_param { num_output: 4 input_dim: 6 weight_filler { type: 'xavier' } "
                         "bias_filler { type: 'gaussian' std: 0.5 } }", {"x": ((5, 3), "integers 0 6")}, params=None,
                         backward=False),
    "embed_learning": case("Embed", "embed_param { num_output: 4 input_dim: 6 } loss_weight: 1",
                           {"x": ((5, 3), "integers 0 6")}, force_backward=False),
    "mvn": case("MVN"),
    "mvn_mean_only": case("MVN", "mvn_param { normalize_variance: false }"),
    "mvn_across": case("MVN", "mvn_param { across_channels: true }"),
    "mvn_across_mean_only": case("MVN", "mvn_param { across_channels: true normalize_variance: false }"),
    "mvn_eps": case("MVN", "mvn_param { eps: 0.5 }"),
    "sum": reduction(""),
    "sum_axis": reduction("axis: 2 coeff: 0.5"),
    "asum": reduction("operation: ASUM axis: 1"),
    "asum_grid": reduction("operation: ASUM axis: 1", GRID),
    "sumsq": reduction("operation: SUMSQ axis: -1 coeff: 2"),
    "mean": reduction("operation: MEAN axis: 1 coeff: -3"),
    "tile": case("Tile", "tile_param { tiles: 3 }"),
    "tile_axis": case("Tile", "tile_param { tiles: 2 axis: -1 }"),
    "tile_axis_0": case("Tile", "tile_param { tiles: 2 axis: 0 }", {"x": ((3,), "normal")}),
}
