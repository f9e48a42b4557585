"""What layers say of settings that cannot be, and what golden values cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.layer_types import create_layer
from caffe.proto import caffe_pb2
from caffe.random import rng

IMAGE = (2, 4, 6, 5)


def run(text: str, *bottoms: np.ndarray, tops: int = 1, dtype: type = np.float32):
    """Set up and run one layer, given its type and parameters as prototxt; the layer, its bottoms and its tops."""
    message = text_format.Parse(f'name: "layer" {text}', caffe_pb2.LayerParameter())
    message.top.extend(f"top{i}" for i in range(tops))
    bottom = [Blob(*array.shape, dtype=dtype) for array in bottoms]
    for blob, array in zip(bottom, bottoms):
        blob.data[...] = array
    top = [Blob(dtype=dtype) for _ in range(tops)]
    layer = create_layer(message)
    layer.set_up(bottom, top)
    layer.reshape(bottom, top)
    layer.forward(bottom, top)
    return layer, bottom, top


@pytest.mark.parametrize(("text", "shape", "says"), [
    ("type: 'Convolution' convolution_param { kernel_size: 3 }", IMAGE, "num_output"),
    ("type: 'Convolution' convolution_param { num_output: 2 }", IMAGE, "has 0 kernel_size; give it once"),
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 0 }", IMAGE, "must be 1 or more"),
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 kernel_h: 3 }", IMAGE, "give one kind"),
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_h: 3 }", IMAGE, "must be 1 or more"),
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_h: 3 kernel_w: 3 }", (2, 4, 6), "for 2 sides"),
    ("type: 'Convolution' convolution_param { num_output: 3 kernel_size: 3 group: 2 }", IMAGE, "multiples of group"),
    ("type: 'Convolution' convolution_param { num_output: 3 kernel_size: 7 }", IMAGE, "does not fit"),
    ("type: 'Convolution' convolution_param { num_output: 3 kernel_size: 3 axis: 4 }", IMAGE, "axis 4 is out of range"),
    ("type: 'Convolution' convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: 'xaver' } }",
     IMAGE, "unknown filler 'xaver'"),
    ("type: 'Pooling' pooling_param { kernel_size: 3 pad: 3 }", IMAGE, "must be less than the kernel"),
    ("type: 'Pooling' pooling_param { kernel_h: 3 }", IMAGE, "both kernel_h and kernel_w"),
    ("type: 'Pooling' pooling_param { }", IMAGE, "kernel sizes and strides must be 1 or more"),
    ("type: 'Pooling' pooling_param { kernel_size: 3 stride: 0 }", IMAGE, "must be 1 or more"),
    ("type: 'Pooling' pooling_param { kernel_size: 3 }", (4, 6, 5), "takes bottoms of 4 axes"),
    ("type: 'Pooling' pooling_param { kernel_size: 3 global_pooling: true }", IMAGE, "remove its kernel sizes"),
    ("type: 'Pooling' pooling_param { global_pooling: true stride: 2 }", IMAGE, "pad 0 and stride 1"),
    ("type: 'Pooling' pooling_param { kernel_size: 8 round_mode: FLOOR }", IMAGE, "does not fit"),
    ("type: 'LRN' lrn_param { local_size: 4 }", IMAGE, "it must be odd"),
    ("type: 'LRN'", (2, 4), "takes bottoms of 4 axes"),
    ("type: 'BatchNorm' param { lr_mult: 1 }", IMAGE, "not to be learnt"),
    ("type: 'BatchNorm'", (4,), "no channel axis"),
    ("type: 'BatchNorm' blobs { shape { dim: 3 } data: 1 data: 1 data: 1 }", IMAGE, "comes with parameters of shapes"),
    ("type: 'Dropout' dropout_param { dropout_ratio: 1 }", IMAGE, "less than 1"),
    ("type: 'InnerProduct' inner_product_param { }", IMAGE, "num_output"),
    ("type: 'Scale' scale_param { axis: 2 num_axes: 3 }", IMAGE, "3 axes from axis 2 on"),
    ("type: 'Scale' scale_param { num_axes: -2 }", IMAGE, "0 or more, or -1"),
])
def test_fault_names_layer_and_cause(text: str, shape: tuple, says: str) -> None:
    with pytest.raises(CaffeError) as caught:
        run(text, np.zeros(shape))
    assert str(caught.value).startswith("layer 'layer' (")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "shape", "then", "says"), [
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 }", IMAGE, (2, 3, 6, 5), "take 4 channels"),
    ("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 }", IMAGE, (2, 4, 6), "2 side(s)"),
    ("type: 'InnerProduct' inner_product_param { num_output: 2 }", (2, 5), (2, 6), "vectors of 5 numbers"),
    ("type: 'Scale'", (2, 5), (2, 6), "do not fit"),
    ("type: 'BatchNorm'", (2, 5), (2, 6), "set up for 5 channels"),
])
def test_a_bottom_that_no_longer_fits(text: str, shape: tuple, then: tuple, says: str) -> None:
    layer, bottom, top = run(text, np.zeros(shape))
    bottom[0].reshape(*then)
    with pytest.raises(CaffeError, match="layer 'layer'") as caught:
        layer.reshape(bottom, top)
    assert says in str(caught.value)


def test_average_pooling_has_no_mask() -> None:
    with pytest.raises(CaffeError, match="only MAX pooling has a second top"):
        run("type: 'Pooling' pooling_param { pool: AVE kernel_size: 3 }", np.zeros(IMAGE), tops=2)


def test_convolution_of_unlike_bottoms() -> None:
    with pytest.raises(CaffeError, match="all bottoms must have the shape of the first"):
        run("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 }",
            np.zeros((1, 2, 5, 5)), np.zeros((2, 2, 5, 5)), tops=2)


def test_parameters_in_the_message_are_not_filled_again() -> None:
    layer, _, top = run("type: 'InnerProduct' inner_product_param { num_output: 1 bias_term: false "
                        "weight_filler { type: 'gaussian' } } blobs { shape { dim: 1 dim: 2 } data: 3 data: 4 }",
                        np.array([[1.0, 10.0]]))
    assert layer.blobs[0].data.tolist() == [[3, 4]]
    assert top[0].data.tolist() == [[43]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_pooling_without_a_maximum(dtype: type) -> None:
    """NaN never counts, nor does −inf; a window beyond the image has nothing (real Caffe's backward corrupts memory
    for these, so no golden values)."""
    lowest = -np.finfo(np.float32).max
    plane = np.array([[np.nan, 1, -np.inf], [2, np.nan, -np.inf], [5, 6, 7]])[None, None]
    layer, bottom, top = run("type: 'Pooling' pooling_param { kernel_h: 2 kernel_w: 1 stride_h: 4 stride_w: 1 }",
                             plane, tops=2, dtype=dtype)
    assert top[0].data.tolist() == [[[[2, 1, lowest], [lowest] * 3]]]
    assert top[1].data.tolist() == [[[[3, 1, -1], [-1] * 3]]]
    top[0].diff[...] = 1
    layer.backward(top, [True], bottom)
    assert bottom[0].diff.tolist() == [[[[0, 1, 0], [1, 0, 0], [0, 0, 0]]]]


@pytest.mark.parametrize("text", [
    "type: 'ArgMax'", "type: 'MVN'", "type: 'Reduction' reduction_param { axis: 1 }", "type: 'BatchNorm'",
    "type: 'SPP' spp_param { pyramid_height: 2 }", "type: 'Pooling' pooling_param { kernel_size: 2 }",
    "type: 'Pooling' pooling_param { pool: STOCHASTIC kernel_size: 2 }", "type: 'Softmax'", "type: 'LRN'",
    "type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 }",
    "type: 'Convolution' convolution_param { num_output: 2 kernel_size: 1 dilation: 0 }",
    "type: 'Deconvolution' convolution_param { num_output: 2 kernel_size: 1 dilation: 0 }",
    "type: 'Im2col' convolution_param { kernel_size: 3 }", "type: 'InnerProduct' inner_product_param { num_output: 2 }",
])
def test_a_batch_of_nothing(text: str) -> None:
    # a Filter can leave one; real Caffe aborts at some of these
    layer, bottom, top = run(text, np.zeros((0, 4, 6, 6)))
    assert top[0].shape[0] == top[0].count == 0
    if "ArgMax" not in text:
        layer.backward(top, [True], bottom)
    assert all(np.isfinite(blob.data).all() and not blob.diff.any() for blob in layer.blobs)


def stochastic(x: np.ndarray, u: np.ndarray | None, kernel: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Stochastic pooling of a plane, window by window as in pooling_layer.cu: the top, and where each number came
    from (−1: nowhere). `u` are the draws, None for TEST."""
    windows = -(-(len(x) - kernel) // stride) + 1
    top, source = np.zeros((windows, windows)), np.full((windows, windows), -1)
    for row, column in np.ndindex(windows, windows):
        area = [(i, j) for i in range(row * stride, min(row * stride + kernel, len(x)))
                for j in range(column * stride, min(column * stride + kernel, len(x)))]
        total = sum(x[at] for at in area)
        if u is None:
            top[row, column] = sum(x[at] ** 2 for at in area) / total if total > 0 else 0
            continue
        running = 0.0
        for at in area:
            running += x[at]
            if running >= u[row, column] * total:
                top[row, column], source[row, column] = x[at], at[0] * len(x) + at[1]
                break
    return top, source


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (2, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_stochastic_pooling(phase: str, kernel: int, stride: int) -> None:
    # real Caffe has it on GPUs only, where the draws are the GPU's: no golden values
    x = np.random.RandomState(kernel).uniform(0, 1, (6, 6))
    x[2:5, 1:4] = 0
    rng.seed_main(3)
    layer, bottom, top = run(f"phase: {phase} type: 'Pooling' pooling_param {{ pool: STOCHASTIC kernel_size: {kernel} "
                             f"stride: {stride} }}", x[None, None], dtype=np.float64)
    draws = None
    if phase == "TRAIN":
        draws = rng.Stream(3).uniform(0, 1, top[0].count).reshape(top[0].shape[2:])
    expected, source = stochastic(x, draws, kernel, stride)
    np.testing.assert_allclose(top[0].data[0, 0], expected, rtol=1e-12)
    if phase == "TRAIN":
        top[0].diff[...] = 1 + np.arange(top[0].count).reshape(top[0].shape)
        layer.backward(top, [True], bottom)
        gradient = np.zeros(37)
        np.add.at(gradient, source.ravel(), top[0].diff.ravel())
        np.testing.assert_allclose(bottom[0].diff.ravel(), gradient[:-1])


def test_stochastic_pooling_takes_each_number_as_often_as_its_share() -> None:
    rng.seed_main(1)
    x = np.tile(np.array([[1.0, 2.0], [3.0, 4.0]]), (1, 2000, 1, 1))
    _, _, top = run("type: 'Pooling' pooling_param { pool: STOCHASTIC kernel_size: 2 }", x)
    share = [(top[0].data == value).mean() for value in (1, 2, 3, 4)]
    np.testing.assert_allclose(share, [0.1, 0.2, 0.3, 0.4], atol=0.04)


def test_stochastic_pooling_of_no_positive_sum_gives_0_in_test() -> None:
    _, _, top = run("phase: TEST type: 'Pooling' pooling_param { pool: STOCHASTIC kernel_size: 2 }",
                    -np.ones((1, 1, 2, 2)))
    assert top[0].data.tolist() == [[[[0]]]]


def test_batch_norm_freezes_its_blobs_for_the_solver() -> None:
    layer, _, _ = run("type: 'BatchNorm'", np.zeros(IMAGE))
    assert [param.lr_mult for param in layer.layer_param.param] == [0, 0, 0]


def test_dropout_is_seeded_and_keeps_the_mean() -> None:
    import caffe

    results = []
    for seed in (5, 5, 6):
        caffe.set_random_seed(seed)
        _, _, top = run("type: 'Dropout' dropout_param { dropout_ratio: 0.25 }", np.ones((100, 100)))
        results.append(top[0].data.copy())
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    assert set(np.unique(results[0])) == {0, np.float32(1 / 0.75)}
    assert abs(results[0].mean() - 1) < 0.02
