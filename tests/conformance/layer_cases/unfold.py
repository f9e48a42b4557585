"""Deconvolution, Im2col."""

from __future__ import annotations

from layer_cases import Case, one

IMAGE = {"x": ((2, 4, 5, 6), "normal")}


def deconvolution(body: str, bottoms: dict = IMAGE, tops: str = "y", **rest) -> Case:
    return Case(one("Deconvolution", " ".join(bottoms), tops, f"convolution_param {{ {body} }}"), bottoms, **rest)


def im2col(body: str, bottoms: dict = IMAGE) -> Case:
    return Case(one("Im2col", "x", "y", f"convolution_param {{ {body} }}"), bottoms)


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
    "deconv_two": deconvolution("num_output: 2 kernel_size: 3", {"x": IMAGE["x"], "z": IMAGE["x"]}, "y w"),
    "im2col": im2col("kernel_size: 3"),
    "im2col_stride": im2col("kernel_size: 3 stride: 2 pad: 1"),
    "im2col_rectangle": im2col("kernel_h: 2 kernel_w: 3 pad_h: 1 pad_w: 0 stride_h: 2 stride_w: 1"),
    "im2col_dilation": im2col("kernel_size: 2 dilation: 2"),
}
