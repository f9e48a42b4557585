"""Deconvolution, Im2col."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 4, 5, 6), "normal")}


def deconvolution(body: str, bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    return Case(one("Deconvolution", " ".join(bottoms), tops, f"convolution_param {{ {body} }}"), bottoms, **rest)


def im2col(body: str, shape: tuple = IMAGE["x"][0], **rest) -> Case:
    return Case(one("Im2col", "x", "y", f"convolution_param {{ {body} }}"), {"x": (shape, "normal")}, **rest)


CASES = {
    "deconv": deconvolution("num_output: 3 kernel_size: 3", forwards=2),
    "deconv_stride": deconvolution("num_output: 3 kernel_size: 4 stride: 2 pad: 1"),
    "deconv_group": deconvolution("num_output: 6 kernel_size: 3 group: 2"),
    "deconv_no_bias": deconvolution("num_output: 3 kernel_size: 2 stride: 2 bias_term: false"),
    "deconv_dilation": deconvolution("num_output: 3 kernel_size: 3 dilation: 2"),
    "deconv_rectangle": deconvolution("num_output: 2 "
                                      "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1"),
    "deconv_bilinear": deconvolution("num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false "
                                     "weight_filler { type: 'bilinear' }", params=None),
    "deconv_fillers": deconvolution("num_output: 3 kernel_size: 3 weight_filler { type: 'xavier' } "
                                    "bias_filler { type: 'uniform' }", params=None),
    "deconv_3d": deconvolution("num_output: 2 kernel_size: 2 stride: 2", {"x": ((1, 2, 3, 2, 3), "normal")}),
    "deconv_1d": deconvolution("num_output: 4 kernel_size: 3 stride: 2 pad: 1 group: 2", {"x": ((2, 4, 5), "normal")}),
    "deconv_4d": deconvolution("num_output: 4 kernel_size: 2 stride: 2 pad: 1 group: 2",
                               {"x": ((2, 2, 2, 3, 2, 2), "normal")}),
    "deconv_4d_dilation": deconvolution("num_output: 2 kernel_size: 2 kernel_size: 1 kernel_size: 2 kernel_size: 3 "
                                        "dilation: 2 bias_term: false", {"x": ((1, 2, 2, 3, 2, 2), "normal")}),
    "deconv_0d": deconvolution("num_output: 3 kernel_size: 1", {"x": ((2, 4), "normal")}),
    "deconv_axis_2": deconvolution("num_output: 2 kernel_size: 2 axis: 2", {"x": ((2, 2, 3, 4, 4), "normal")}),
    "deconv_axis_negative": deconvolution("num_output: 3 kernel_size: 2 axis: -2", {"x": ((2, 4, 5), "normal")}),
    "deconv_per_side": deconvolution("num_output: 2 kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 pad: 1 pad: 0"),
    "deconv_nd_im2col": deconvolution("num_output: 3 kernel_size: 3 pad: 1 force_nd_im2col: true"),
    "deconv_another_size": deconvolution("num_output: 2 kernel_size: 3", forwards=2, last_shapes={"x": (3, 4, 3, 4)}),
    "deconv_dilation_0": deconvolution("num_output: 3 kernel_size: 2 dilation: 0 stride: 2"),
    "deconv_two": deconvolution("num_output: 2 kernel_size: 3", {"x": IMAGE["x"], "z": IMAGE["x"]}, "y w"),
    "im2col": im2col("kernel_size: 3"),
    "im2col_stride": im2col("kernel_size: 3 stride: 2 pad: 1"),
    "im2col_rectangle": im2col("kernel_h: 2 kernel_w: 3 pad_h: 1 pad_w: 0 stride_h: 2 stride_w: 1"),
    "im2col_dilation": im2col("kernel_size: 2 dilation: 2"),
    "im2col_dilation_0": im2col("kernel_size: 2 dilation: 0"),
    "im2col_per_side": im2col("kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 pad: 1 pad: 0 "
                              "dilation: 1 dilation: 2"),
    "im2col_nd": im2col("kernel_size: 3 pad: 1 force_nd_im2col: true"),
    "im2col_1d": im2col("kernel_size: 3 stride: 2 pad: 1", (2, 3, 8)),
    "im2col_3d": im2col("kernel_size: 2 pad: 1", (2, 2, 3, 2, 3)),
    "im2col_3d_dilation": im2col("kernel_size: 2 kernel_size: 1 kernel_size: 3 stride: 2 dilation: 2",
                                 (1, 2, 4, 3, 5)),
    "im2col_4d": im2col("kernel_size: 2 stride: 2", (1, 2, 3, 2, 4, 2)),
    "im2col_axis_0": im2col("kernel_size: 2 axis: 0", (3, 4, 5)),
    "im2col_axis_2": im2col("kernel_size: 2 axis: 2 stride: 2", (2, 2, 3, 4, 4)),
    "im2col_axis_negative": im2col("kernel_size: 2 axis: -2", (2, 3, 5)),
    "im2col_beyond_the_pad": im2col("kernel_size: 5 stride: 3", (1, 2, 4, 3)),
    "im2col_another_size": im2col("kernel_size: 3", forwards=2, last_shapes={"x": (3, 4, 4, 7)}),
}
