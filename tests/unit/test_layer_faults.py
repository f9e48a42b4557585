"""What golden files cannot reach: errors, shared memory, and where real Caffe 1.0 aborts."""

from __future__ import annotations

import numpy as np
import pytest

import caffe
from caffe import CaffeError


@pytest.fixture
def net(tmp_path):
    """Make a net of Input layers by {name: shape} and one layer 'it'."""
    def make(kind, inputs, tops="y", body="", phase=caffe.TRAIN):
        text = "".join(f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
                       + " ".join(f"dim: {n}" for n in shape) + " } } }\n" for name, shape in inputs.items())
        names = [f'bottom: "{b}"' for b in inputs] + [f'top: "{t}"' for t in tops.split()]
        file = tmp_path / "net.prototxt"
        file.write_text(f'{text} layer {{ name: "it" type: "{kind}" {" ".join(names)} {body} }}')
        return caffe.Net(str(file), phase)

    return make


LSTM = "recurrent_param { num_output: 3 }"
EXPOSED = "recurrent_param { num_output: 3 expose_hidden: true }"

FAULTS = {
    "concat of other shapes": ("Concat", {"a": (2, 3, 4), "b": (2, 3, 5)}, "y", "", "only axis 1 may differ"),
    "concat of other axes": ("Concat", {"a": (2, 3, 4), "b": (2, 3)}, "y", "", "only axis 1 may differ"),
    "concat both fields": ("Concat", {"a": (2, 3), "b": (2, 3)}, "y", "concat_param { axis: 1 concat_dim: 1 }",
                           "both axis and concat_dim"),
    "concat out of range": ("Concat", {"a": (2, 3), "b": (2, 3)}, "y", "concat_param { axis: 2 }", "out of range"),
    "old concat out of range": ("Concat", {"a": (2, 3), "b": (2, 3)}, "y", "concat_param { concat_dim: 2 }",
                                "out of range"),
    "uneven slice": ("Slice", {"a": (2, 5)}, "y z", "", "give slice_point"),
    "points of slice": ("Slice", {"a": (2, 5)}, "y z", "slice_param { slice_point: 1 slice_point: 3 }",
                        "one fewer than tops"),
    "falling slice": ("Slice", {"a": (2, 5)}, "x y z", "slice_param { slice_point: 3 slice_point: 2 }", "must rise"),
    "slice beyond": ("Slice", {"a": (2, 5)}, "y z", "slice_param { slice_point: 5 }", "must rise"),
    "split in place": ("Split", {"a": (2, 5)}, "a", "", "in place"),
    "flatten in place": ("Flatten", {"a": (2, 5)}, "a", "", "in place"),
    "flatten backwards": ("Flatten", {"a": (2, 5, 3)}, "y", "flatten_param { axis: 2 end_axis: 0 }", "lies before"),
    "reshape to other count": ("Reshape", {"a": (2, 5)}, "y", "reshape_param { shape { dim: 3 dim: 3 } }",
                               "must be as many"),
    "reshape infers twice": ("Reshape", {"a": (2, 5)}, "y", "reshape_param { shape { dim: -1 dim: -1 } }",
                             "at most one"),
    "reshape indivisible": ("Reshape", {"a": (2, 5)}, "y", "reshape_param { shape { dim: 3 dim: -1 } }",
                            "cannot be divided"),
    "reshape copies nothing": ("Reshape", {"a": (2, 5)}, "y", "reshape_param { shape { dim: 0 dim: 0 dim: 0 } }",
                               "does not have"),
    "reshape axis": ("Reshape", {"a": (2, 5)}, "y", "reshape_param { shape { dim: 1 } axis: 3 }", "do not fit"),
    "eltwise shapes": ("Eltwise", {"a": (2, 5), "b": (2, 4)}, "y", "", "must be equal"),
    "eltwise coefficients": ("Eltwise", {"a": (2, 5), "b": (2, 5)}, "y", "eltwise_param { coeff: 1 }", "one for each"),
    "eltwise product": ("Eltwise", {"a": (2, 5), "b": (2, 5)}, "y",
                        "eltwise_param { operation: PROD coeff: 1 coeff: 1 }", "SUM only"),
    "labels": ("SoftmaxWithLoss", {"a": (2, 5), "b": (2, 2)}, "y", "", "it takes 2"),
    "labels' first axis": ("SoftmaxWithLoss", {"a": (2, 5, 3), "b": (6,)}, "y", "", "first dimension"),
    "loss weights": ("SoftmaxWithLoss", {"a": (2, 5), "b": (2,)}, "y prob", "", "one loss_weight for each"),
    "accuracy of more than all": ("Accuracy", {"a": (2, 5), "b": (2,)}, "y", "accuracy_param { top_k: 6 }",
                                  "only 5 classes"),
    "accuracy's labels": ("Accuracy", {"a": (2, 5), "b": (3,)}, "y", "", "it takes 2"),
    "no units": ("LSTM", {"a": (3, 2, 4), "c": (3, 2)}, "y", "", "num_output"),
    "no features": ("LSTM", {"a": (3, 2), "c": (3, 2)}, "y", LSTM, "at least 3 axes"),
    "cont": ("LSTM", {"a": (3, 2, 4), "c": (2, 3)}, "y", LSTM, "it takes T×N"),
    "cont forgotten": ("LSTM", {"a": (3, 2, 4)}, "y", LSTM, "it takes 2 to 3"),
    "static": ("LSTM", {"a": (3, 2, 4), "c": (3, 2), "s": (3, 4)}, "y", LSTM, "N = 2"),
    "hidden": ("LSTM", {"a": (3, 2, 4), "c": (3, 2), "h0": (1, 2, 4), "c0": (1, 2, 3)}, "y h1 c1", EXPOSED, "1×2×3"),
    "hidden tops": ("LSTM", {"a": (3, 2, 4), "c": (3, 2), "h0": (1, 2, 3), "c0": (1, 2, 3)}, "y", EXPOSED,
                    "it takes 3"),
    "filter's tops": ("Filter", {"a": (2, 3), "s": (2,)}, "y z", "", "one fewer than bottoms"),
    "filter in place": ("Filter", {"a": (2, 3), "s": (2,)}, "a", "", "cannot work in place"),
    "concat in place": ("Concat", {"a": (2, 3), "b": (2, 3)}, "a", "", "cannot work in place, its top has another"),
    "filter's selector": ("Filter", {"a": (2, 3), "s": (2, 3)}, "y", "", "it takes N×1×…"),
    "filter's samples": ("Filter", {"a": (3, 3), "s": (2,)}, "y", "", "the same number of samples"),
    "filter of nothing": ("Filter", {"s": (2,)}, "y", "", "it takes 2 or more"),
    "unit's cont": ("LSTMUnit", {"c": (1, 2, 3), "x": (1, 2, 12), "cont": (2,)}, "c1 h1", "", "1×N×H, 1×N×4H and 1×N"),
    "unit's gates": ("LSTMUnit", {"c": (1, 2, 3), "x": (1, 2, 9), "cont": (1, 2)}, "c1 h1", "", "1×N×4H"),
    "unit's steps": ("LSTMUnit", {"c": (2, 2, 3), "x": (2, 2, 12), "cont": (2, 2)}, "c1 h1", "", "it takes 1×N×H"),
    "no pyramid": ("SPP", {"a": (2, 3, 4, 5)}, "y", "", "pyramid_height of 1 to 31"),
    "pyramid of a vector": ("SPP", {"a": (2, 3)}, "y", "spp_param { pyramid_height: 2 }", "bottoms of 4 axes"),
    "too high a pyramid": ("SPP", {"a": (2, 3, 5, 5)}, "y", "spp_param { pyramid_height: 3 }",
                           "level 2 has 4 × 4 bins for a plane of 5 × 5.*lower pyramid_height"),
    "padded at random": ("Pooling", {"a": (2, 3, 5, 5)}, "y",
                         "pooling_param { pool: STOCHASTIC kernel_size: 3 pad: 1 }", "takes no pad"),
    "infogain's size": ("InfogainLoss", {"x": (2, 3), "l": (2,), "H": (2, 2)}, "y", "", "holds 4 numbers; for 3"),
    "infogain's labels": ("InfogainLoss", {"x": (2, 3), "l": (2, 2), "H": (3, 3)}, "y", "", "it takes 2"),
    "im2col of vectors": ("Im2col", {"x": (2, 3)}, "y", "convolution_param { kernel_size: 1 }", "axes behind"),
    "im2col's kernels": ("Im2col", {"x": (2, 3, 4, 4)}, "y",
                         "convolution_param { kernel_size: 1 kernel_size: 2 kernel_size: 1 }", "once per side"),
    "shapes of input": ("Input", {}, "x y z", "input_param { shape { dim: 1 } shape { dim: 2 } }", "one for each"),
    "fillers": ("DummyData", {}, "x y z", "dummy_data_param { shape { dim: 1 } data_filler { } data_filler { } }",
                "data_fillers"),
    "old and new shape": ("DummyData", {}, "x", "dummy_data_param { shape { dim: 1 } num: 1 }", "give only shape"),
    "no shape": ("DummyData", {}, "x", "", "give shape"),
    "part of an old shape": ("DummyData", {}, "x", "dummy_data_param { num: 1 }", "give shape"),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)
def test_fault_names_the_layer_and_the_fix(net, case):
    kind, inputs, tops, body, message = case
    with pytest.raises(CaffeError, match=rf"layer 'it' .*{message}"):
        net(kind, inputs, tops, body)


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "Accuracy"])
@pytest.mark.parametrize("label", [-1, 5])
def test_label_that_is_no_class(net, kind, label):
    made = net(kind, {"x": (2, 5), "label": (2,)})
    made.blobs["label"].data[...] = [0, label]
    with pytest.raises(CaffeError, match=rf"a label is {label}, but there are 5 classes, 0 to 4"):
        made.forward()


def test_loss_gives_its_probabilities_too(net):
    # real Caffe 1.0 refuses a second top, whatever loss_weight says
    made = net("SoftmaxWithLoss", {"x": (2, 3), "label": (2,)}, "loss prob", "loss_weight: 1 loss_weight: 0")
    made.blobs["x"].data[...] = [[0, 0, 0], [0, np.log(2), 0]]
    made.blobs["label"].data[...] = 1
    made.forward()
    np.testing.assert_allclose(made.blobs["prob"].data, [[1 / 3] * 3, [0.25, 0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(made.blobs["loss"].data, (np.log(3) + np.log(2)) / 2, rtol=1e-6)
    assert made.blob_loss_weights["loss"] == 1
    assert made.blob_loss_weights["prob"] == 0


def test_flatten_and_reshape_share_their_bottoms_memory(net):
    for kind, body in (("Flatten", ""), ("Reshape", "reshape_param { shape { dim: -1 } }")):
        made = net(kind, {"x": (2, 3, 4)}, "y", body)
        made.forward()
        made.blobs["y"].data[...] = 7
        assert (made.blobs["x"].data == 7).all()
        made.blobs["y"].diff[...] = 8
        assert (made.blobs["x"].diff == 8).all()


def test_split_shares_data_and_keeps_diffs_apart(net):
    made = net("Split", {"x": (2, 3)}, "y z")
    made.blobs["x"].data[...] = 5
    made.forward()
    made.blobs["y"].data[...] = 7
    assert (made.blobs["z"].data == 7).all()
    made.blobs["y"].diff[...] = 8
    assert not made.blobs["z"].diff.any()


def test_sequence_length_is_fixed_at_setup(net):
    made = net("LSTM", {"x": (3, 2, 4), "cont": (3, 2)}, "h", LSTM)
    made.blobs["x"].reshape(4, 2, 4)
    made.blobs["cont"].reshape(4, 2)
    with pytest.raises(CaffeError, match="has 4 time steps, at setup it had 3"):
        made.forward()


def test_each_net_has_a_hidden_state_of_its_own(net):
    body = 'recurrent_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } }'
    nets = [net("LSTM", {"x": (3, 2, 4), "cont": (3, 2)}, "h", body) for _ in range(2)]
    nets[1].share_with(nets[0])
    for made in nets:
        made.blobs["x"].data[...] = 1
        made.blobs["cont"].data[...] = 1
    first = nets[0].forward()["h"].copy()
    assert not np.array_equal(nets[0].forward()["h"], first)
    np.testing.assert_array_equal(nets[1].forward()["h"], first)


def test_fillers_of_constant_dummy_data_leave_what_a_script_writes(net):
    made = net("DummyData", {}, "x", "dummy_data_param { shape { dim: 2 } data_filler { value: 3 } }")
    assert (made.forward()["x"] == 3).all()
    made.blobs["x"].data[...] = 5
    assert (made.forward()["x"] == 5).all()
