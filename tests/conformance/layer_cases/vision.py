"""Convolution, Pooling, SPP."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 4, 7, 6), "normal")}
TIES = {"x": ((2, 3, 7, 8), "grid")}


def conv(body: str, bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    return Case(one("Convolution", " ".join(bottoms), tops, f"convolution_param {{ {body} }}"), bottoms, **rest)


def pool(body: str, bottoms: dict = TIES, tops: str = "y", **rest) -> Case:
    return Case(one("Pooling", "x", tops, f"pooling_param {{ {body} }}"), bottoms, **rest)


def values(shape: tuple, kind: str = "normal") -> dict:
    return {"x": (shape, kind)}


CONVOLUTIONS = {
    "conv": conv("num_output: 3 kernel_size: 3", forwards=2),
    "conv_no_bias": conv("num_output: 3 kernel_size: 3 bias_term: false"),
    "conv_stride": conv("num_output: 3 kernel_size: 3 stride: 2"),
    "conv_engine": conv("num_output: 3 kernel_size: 3 engine: CAFFE"),
    "conv_pad": conv("num_output: 3 kernel_size: 3 pad: 2"),
    "conv_1x1": conv("num_output: 5 kernel_size: 1"),
    "conv_1x1_stride_pad": conv("num_output: 5 kernel_size: 1 stride: 2 pad: 1"),
    "conv_group": conv("num_output: 6 kernel_size: 3 group: 2 pad: 1"),
    "conv_depthwise": conv("num_output: 4 kernel_size: 3 group: 4 bias_term: false"),
    "conv_dilation": conv("num_output: 3 kernel_size: 3 dilation: 2 pad: 1"),
    "conv_dilation_stride_group": conv("num_output: 4 kernel_size: 2 dilation: 3 stride: 2 pad: 2 group: 2"),
    "conv_rectangle": conv("num_output: 3 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 2 pad_w: 0"),
    "conv_kernel_per_side": conv("num_output: 3 kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 pad: 0 pad: 1"),
    "conv_dilation_per_side": conv("num_output: 3 kernel_size: 2 dilation: 1 dilation: 3"),
    "conv_kernel_of_the_image": conv("num_output: 3 kernel_h: 7 kernel_w: 6"),
    "conv_kernel_beyond_the_pad": conv("num_output: 2 kernel_size: 5 stride: 3", values((1, 2, 4, 3))),
    "conv_stride_over_the_kernel": conv("num_output: 3 kernel_size: 1 stride: 3"),
    "conv_first_layer": conv("num_output: 3 kernel_size: 11 stride: 4", values((1, 3, 19, 23))),
    "conv_two_bottoms": conv("num_output: 3 kernel_size: 3", {**IMAGE, "z": ((2, 4, 7, 6), "normal")}, "y w"),
    "conv_axis_2": conv("num_output: 2 kernel_size: 2 axis: 2", values((2, 2, 3, 4, 4))),
    "conv_axis_0": conv("num_output: 2 kernel_size: 2 axis: 0", values((3, 4, 5))),
    "conv_axis_negative": conv("num_output: 2 kernel_size: 2 axis: -3 group: 2", values((2, 4, 4, 3))),
    "conv_dilation_0": conv("num_output: 3 kernel_size: 2 dilation: 0 pad: 1"),
    "conv_dilation_0_and_2": conv("num_output: 2 kernel_size: 2 dilation: 0 dilation: 2 group: 2 stride: 2"),
    "conv_1d": conv("num_output: 4 kernel_size: 3 stride: 2 pad: 1 group: 2", values((2, 4, 9))),
    "conv_3d": conv("num_output: 2 kernel_size: 2 kernel_size: 3 kernel_size: 1 pad: 1 pad: 0 pad: 2 stride: 2",
                    values((2, 3, 4, 5, 3))),
    "conv_3d_dilation": conv("num_output: 2 kernel_size: 2 dilation: 2 group: 2", values((1, 4, 4, 4, 3))),
    "conv_4d": conv("num_output: 4 kernel_size: 2 pad: 1 stride: 2 group: 2", values((2, 2, 2, 3, 2, 3))),
    "conv_4d_dilation": conv("num_output: 2 kernel_size: 2 dilation: 2 bias_term: false",
                             values((1, 2, 3, 4, 3, 3))),
    "conv_0d": conv("num_output: 3 kernel_size: 1", values((2, 4))),
    "conv_nd_im2col": conv("num_output: 3 kernel_size: 3 pad: 1 force_nd_im2col: true"),
    "conv_another_size": conv("num_output: 2 kernel_size: 3", forwards=2, last_shapes={"x": (3, 4, 5, 8)}),
    "conv_fillers": conv("num_output: 4 kernel_size: 3 weight_filler { type: 'xavier' } "
                         "bias_filler { type: 'gaussian' std: 0.1 }", params=None),
    "conv_gaussian_filler": conv("num_output: 4 kernel_size: 3 weight_filler { type: 'gaussian' std: 0.01 } "
                                 "bias_filler { type: 'constant' value: 1 }", params=None),
}

# sizes, strides and pads at which the last window is clipped, left out, or lies beyond the image
WINDOWS = ("kernel_size: 3 stride: 2", "kernel_size: 3 stride: 2 pad: 1", "kernel_size: 2 stride: 2 pad: 1",
           "kernel_size: 3 stride: 3 pad: 2", "kernel_size: 5 stride: 4 pad: 3", "kernel_size: 2",
           "kernel_size: 2 stride: 3", "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 2 pad_w: 0",
           "kernel_size: 7",
           "kernel_size: 8 stride: 2")

POOLINGS = {
    **{f"pool_{method.lower()}_{i}": pool(f"pool: {method} {window}")
       for method in ("MAX", "AVE") for i, window in enumerate(WINDOWS)},
    **{f"pool_{method.lower()}_floor_{i}": pool(f"pool: {method} {window} round_mode: FLOOR")
       for method in ("MAX", "AVE") for i, window in enumerate(WINDOWS[:3])},
    **{f"pool_{method.lower()}_global": pool(f"pool: {method} global_pooling: true", forwards=2,
                                             last_shapes={"x": (1, 3, 2, 5)}) for method in ("MAX", "AVE")},
    **{f"pool_mask_{i}": pool(window, tops="y mask") for i, window in enumerate(WINDOWS[:5])},
    # for MAX, real Caffe's backward writes outside its memory here
    "pool_ave_empty_window": pool("pool: AVE kernel_size: 1 stride: 4", values((1, 2, 6, 7))),
    "pool_max_all_equal": pool("kernel_size: 3 stride: 2 pad: 1", values((1, 2, 5, 5), "uniform 1 1"), "y mask"),
    "pool_max_all_negative": pool("kernel_size: 3 stride: 2 pad: 2", values((1, 2, 6, 5), "uniform -9 -8")),
    "pool_kernel_size_before_kernel_h": pool("kernel_size: 2 kernel_h: 3"),
    "pool_engine": pool("kernel_size: 3 stride: 2 engine: CAFFE round_mode: CEIL"),
    "pool_another_size": pool("kernel_size: 3 stride: 2", forwards=2, last_shapes={"x": (1, 2, 8, 9)}),
}


def spp(body: str, shape: tuple = (2, 3, 8, 9), **rest) -> Case:
    return Case(one("SPP", "x", "y", f"spp_param {{ {body} }}"), {"x": (shape, "normal")}, **rest)


PYRAMIDS = {
    **{f"spp_{method.lower()}_{height}": spp(f"pyramid_height: {height} pool: {method}")
       for method in ("MAX", "AVE") for height in (1, 2, 3)},
    "spp_engine": spp("pyramid_height: 2 engine: CAFFE"),
    "spp_default": spp("pyramid_height: 2"),
    "spp_odd": spp("pyramid_height: 3", (1, 2, 7, 11)),
    "spp_odd_ave": spp("pyramid_height: 3 pool: AVE", (1, 2, 7, 11)),
    "spp_deep": spp("pyramid_height: 4 pool: AVE", (1, 2, 15, 23)),
    "spp_another_size": spp("pyramid_height: 3", forwards=3, last_shapes={"x": (1, 3, 6, 7)}),
    "spp_another_size_ave": spp("pyramid_height: 1 pool: AVE", forwards=2, last_shapes={"x": (3, 3, 5, 4)}),
}

CASES = {**CONVOLUTIONS, **POOLINGS, **PYRAMIDS}
