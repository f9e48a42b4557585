"""Net: assembly rules, running parts of it, parameters. Names and rules are those of real Caffe 1.0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import caffe
from caffe import CaffeError, context

IP = 'inner_product_param {{ num_output: {n} weight_filler {{ type: "gaussian" std: 1 }} }}'


def layer(name, kind, bottom="", top="", more=""):
    bottoms = " ".join(f'bottom: "{b}"' for b in bottom.split())
    tops = " ".join(f'top: "{t}"' for t in top.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} {tops} {more} }}\n'


def ip(name, bottom, top, n=3, more=""):
    return layer(name, "InnerProduct", bottom, top, IP.format(n=n) + more)


DATA = layer("data", "Input", "", "x", "input_param { shape { dim: 4 dim: 5 } }")
LABEL = layer("label", "Input", "", "y", "input_param { shape { dim: 4 } }")


@pytest.fixture
def net(tmp_path):
    def make(text, phase=caffe.TRAIN, **kwargs):
        file = tmp_path / "net.prototxt"
        file.write_text(text)
        return caffe.Net(str(file), phase, **kwargs)

    return make


# -- which layers ------------------------------------------------------------------------------------------------

RULES = [
    ("include { phase: TEST }", {}, False),
    ("include { phase: TRAIN }", {}, True),
    ("include { phase: TEST } include { phase: TRAIN }", {}, True),
    ("exclude { phase: TRAIN }", {}, False),
    ("include { min_level: 2 }", {"level": 1}, False),
    ("include { min_level: 2 max_level: 3 }", {"level": 3}, True),
    ('include { stage: "a" stage: "b" }', {"stages": ["a"]}, False),
    ('include { stage: "a" stage: "b" }', {"stages": ["b", "a"]}, True),
    ('include { not_stage: "a" }', {"stages": ["a"]}, False),
    ('exclude { stage: "a" } exclude { min_level: 5 }', {"stages": ["a"]}, False),
]


@pytest.mark.parametrize(("rule", "state", "there"), RULES)
def test_rules_choose_layers(net, rule, state, there):
    made = net(DATA + ip("a", "x", "z", more=rule), **state)
    assert ("a" in made.layer_dict) == there


def test_both_kinds_of_rules_are_an_error(net):
    with pytest.raises(CaffeError, match="layer 'a': has both include and exclude"):
        net(DATA + ip("a", "x", "z", more="include { phase: TRAIN } exclude { phase: TEST }"))


# -- splits ------------------------------------------------------------------------------------------------------

def test_a_blob_used_twice_is_split_under_caffes_names(net):
    made = net(DATA + ip("a", "x", "p") + ip("b", "x", "q"))
    assert list(made.blobs) == ["x", "x_data_0_split_0", "x_data_0_split_1", "p", "q"]
    assert made.layer_dict["x_data_0_split"].type == "Split"
    assert made.bottom_names["b"] == ["x_data_0_split_1"]
    assert made.outputs == ["p", "q"]


def test_a_loss_used_as_a_bottom_gives_its_weight_to_the_split(net):
    made = net(DATA + LABEL + ip("a", "x", "p")
               + layer("l", "SoftmaxWithLoss", "p y", "loss", "loss_weight: 2")
               + layer("r", "Reshape", "loss", "again", "reshape_param { shape { dim: 1 } }"))
    weights = {name: w for name, w in made.blob_loss_weights.items() if w}
    # the loss layer, left without a loss_weight, takes its default of 1 again: so does real Caffe's
    assert weights == {"loss": 1, "loss_l_0_split_0": 2}


def test_in_place_layers_split_behind_the_last_writer(net):
    made = net(DATA + ip("a", "x", "p") + layer("r", "ReLU", "p", "p") + ip("b", "p", "q") + ip("c", "p", "s"))
    assert "p_r_0_split_0" in made.blobs


@pytest.mark.parametrize(("more", "kept"), [("", False), ("force_backward: true ", True)])
def test_what_backward_will_not_ask_for_is_not_kept(more, kept, net):
    """Else a deployed net needs its memory twice: in the blobs, and in what autograd remembers."""
    made = net(more + DATA + ip("a", "x", "p") + layer("r", "Sigmoid", "p", "q"))
    made.forward()
    assert [made.layer_dict[name]._graph is not None for name in ("a", "r")] == [kept, kept]


# -- faults ------------------------------------------------------------------------------------------------------

FAULTS = [
    (DATA + ip("a", "z", "p"), "layer 'a': unknown bottom blob 'z'"),
    ('layer { name: "d" type: "Input" top: "x" include { stage: "s" } }' + ip("a", "x", "p"),
     "layer 'd' makes it, but its include or exclude rules leave it out for phase T.*, level 0 and no stage; .*none"),
    (DATA + ip("a", "x", "p") + ip("b", "p", "q") + ip("c", "q", "p"), "top blob 'p' is produced by"),
    (DATA + layer("a", "Convolutoin", "x", "p"), "did you mean Convolution"),
    (DATA + layer("a", "ReLU", "x", "p q"), r"layer 'a' \(ReLU\): has 2 top"),
    (DATA + ip("a", "x", "p", more="param { lr_mult: 1 } param { lr_mult: 1 } param { lr_mult: 1 }"),
     "3 param messages for 2"),
    (DATA + ip("a", "x", "p", more="propagate_down: true propagate_down: true"), "2 propagate_down for 1"),
    (DATA + ip("a", "x", "p", more="loss_weight: 1 loss_weight: 1"), "2 loss_weight"),
    (DATA + ip("a", "x", "p", more='param { name: "w" }') + ip("b", "p", "q", more='param { name: "w" }'),
     "cannot share parameter 'w' of layer 'a'"),
    (DATA + "layer { nmae: 'a' }", r"net\.prototxt:\d+:\d+: .*did you mean name"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_faulty_net_names_the_layer_and_the_fault(net, text, message):
    with pytest.raises(CaffeError, match=message):
        net(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CaffeError, match=r"nowhere\.prototxt: not found"):
        caffe.Net(str(tmp_path / "nowhere.prototxt"), caffe.TEST)


# -- running -----------------------------------------------------------------------------------------------------

CHAIN = DATA + LABEL + ip("a", "x", "p", 6) + layer("r", "ReLU", "p", "p") + ip("b", "p", "q") + layer(
    "l", "SoftmaxWithLoss", "q y", "loss")


def fill(made, seed=1):
    random = np.random.RandomState(seed)
    made.blobs["x"].data[...] = random.randn(4, 5)
    if "y" in made.inputs:
        made.blobs["y"].data[...] = [0, 1, 2, 1]
    for blobs in made.params.values():
        for blob in blobs:
            blob.data[...] = random.randn(*blob.shape)
    return made


def test_forward_in_two_parts_is_forward(net):
    made = fill(net(CHAIN))
    whole = made.forward()["loss"].copy()
    made.blobs["q"].data[...] = 0
    made.forward(end="r")
    assert made.forward(start="b")["loss"] == whole
    # from an edited blob: the edit counts, what lies before it does not
    made.blobs["q"].data[...] = [[50, 0, 0], [0, 50, 0], [0, 0, 50], [0, 50, 0]]
    assert made.forward(start="l")["loss"] == pytest.approx(0, abs=1e-6)


def test_backward_adds_to_parameters_and_overwrites_blobs(net):
    made = fill(net("force_backward: true " + CHAIN))
    made.forward()
    made.backward()
    once = made.params["a"][0].diff.copy()
    bottom = made.blobs["x"].diff.copy()
    made.forward()
    made.backward()
    np.testing.assert_allclose(made.params["a"][0].diff, 2 * once, rtol=1e-6)
    assert (made.blobs["x"].diff == bottom).all()
    made.clear_param_diffs()
    assert not made.params["a"][0].diff.any()


def test_backward_twice_after_one_forward_with_other_top_diffs(net):
    made = fill(net("force_backward: true " + DATA + ip("a", "x", "p") + ip("b", "p", "q")))
    made.forward()
    weights = made.params["b"][0].data @ made.params["a"][0].data
    for k in range(3):
        one_hot = np.zeros((4, 3))
        one_hot[:, k] = 1
        np.testing.assert_allclose(made.backward(q=one_hot)["x"], np.tile(weights[k], (4, 1)), rtol=1e-5)


def test_backward_from_and_to_a_layer(net):
    made = fill(net("force_backward: true " + CHAIN))
    made.forward()
    made.backward()
    expected = {name: made.blobs[name].diff.copy() for name in ("q", "x")}
    made.blobs["x"].diff[...] = 0
    assert (made.backward(end="b")["p"] == made.blobs["p"].diff).all()
    assert not made.blobs["x"].diff.any()
    np.testing.assert_array_equal(made.backward(start="r")["x"], expected["x"])


PRODUCT = layer("m", "Eltwise", "p r", "q", "eltwise_param { operation: PROD }")


@pytest.mark.parametrize("looked_at_before", [False, True])
def test_backward_sees_what_a_script_wrote_after_forward(net, looked_at_before):
    made = fill(net("force_backward: true " + DATA + ip("a", "x", "p") + ip("b", "x", "r") + PRODUCT))
    if looked_at_before:
        assert not made.blobs["p"].data.any()
    made.forward()
    made.blobs["p"].data[...] = 7
    made.backward(q=np.ones((4, 3)))
    assert (made.blobs["r"].diff == 7).all()


def test_the_parts_of_a_blob_are_numbers_of_their_own(net):
    made = fill(net(DATA + ip("a", "x", "p") + layer("s", "Slice", "p", "s t u")))
    made.forward()
    before = made._blobs[1].tensor().clone()  # not by `data`, which would have it copied
    made.blobs["s"].data[...] = 9
    assert made.blobs["p"].data.tolist() == before.tolist()
    assert made.blobs["t"].data.tolist() == before[:, 1:2].tolist()


def test_a_convolutions_blobs_are_contiguous_arrays(net):
    """Whatever layout its kernels prefer."""
    image = layer("data", "Input", "", "x", "input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } }")
    made = net(image + layer("c", "Convolution", "x", "y", "convolution_param { num_output: 4 kernel_size: 3 "
               'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } }')
               + layer("f", "Flatten", "y", "z"))
    made.blobs["x"].data[...] = np.random.RandomState(1).randn(2, 3, 6, 5)
    made.forward()
    weight, bias = (torch.from_numpy(blob.data.copy()) for blob in made.params["c"])
    expected = torch.conv2d(torch.from_numpy(made.blobs["x"].data.copy()).double(), weight.double(), bias.double())
    for name, shape in (("z", (2, 48)), ("y", (2, 4, 4, 3))):
        assert made.blobs[name].data.flags.c_contiguous
        np.testing.assert_allclose(made.blobs[name].data, expected.reshape(shape).numpy(), rtol=1e-4, atol=1e-5)


def test_nothing_goes_back_where_no_loss_or_no_learning_is(net):
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    made = fill(net(DATA + LABEL + ip("a", "x", "p", more=frozen) + ip("b", "p", "q")
                    + layer("l", "SoftmaxWithLoss", "q y", "loss") + ip("side", "x", "s")))
    made.forward()
    made.backward()
    assert made.params["b"][0].diff.any()
    assert not made.params["a"][0].diff.any() and not made.blobs["p"].diff.any()
    assert not made.params["side"][0].diff.any()


def test_propagate_down_stops_and_forces(net):
    made = fill(net(DATA + LABEL + ip("a", "x", "p") + ip("b", "p", "q", more="propagate_down: false")
                    + layer("l", "SoftmaxWithLoss", "q y", "loss")))
    made.forward()
    made.backward()
    assert not made.params["a"][0].diff.any() and made.params["b"][0].diff.any()


def test_shared_parameters_are_one_memory_and_one_gradient(net):
    share = 'param { name: "w" lr_mult: 2 } param { name: "b" }'
    made = fill(net(DATA + LABEL + ip("a", "x", "p", 5, share) + ip("b", "p", "q", 5, share)
                    + layer("l", "SoftmaxWithLoss", "q y", "loss")))
    one, other = made.params["a"][0], made.params["b"][0]
    one.data[0, 0] = 123
    assert other.data[0, 0] == 123
    assert [(p.layer, p.index, p.lr_mult) for p in made.learnable_params] == [("a", 0, 2.0), ("a", 1, 1.0)]
    fill(made)
    made.forward()
    made.backward()
    both = one.diff.copy()
    assert (other.diff == both).all()
    separate = fill(net(DATA + LABEL + ip("a", "x", "p", 5) + ip("b", "p", "q", 5)
                        + layer("l", "SoftmaxWithLoss", "q y", "loss")))
    for name in ("a", "b"):
        for blob, source in zip(separate.params[name], made.params[name]):
            blob.data[...] = source.data
    separate.forward()
    separate.backward()
    np.testing.assert_allclose(both, sum(separate.params[n][0].diff for n in "ab"), rtol=1e-5)


def test_reshaping_the_input_reshapes_the_net(net):
    made = fill(net(DATA + ip("a", "x", "p")))
    made.blobs["x"].reshape(7, 5)
    made.blobs["x"].data[...] = 1
    made.reshape()
    assert made.blobs["p"].shape == (7, 3)
    assert made.forward()["p"].shape == (7, 3)


def test_inputs_by_name_must_be_the_nets(net):
    made = net(DATA + ip("a", "x", "p"))
    assert made.forward(x=np.ones((4, 5)))["p"].shape == (4, 3)
    with pytest.raises(CaffeError, match="'z'"):
        made.forward(z=np.ones((4, 5)))
    with pytest.raises(CaffeError, match="batch is 4"):
        made.forward(x=np.ones((3, 5)))
    with pytest.raises(CaffeError, match="no layer 'zz'"):
        made.forward(end="zz")


@pytest.mark.parametrize("samples", [3, 4, 11])
def test_forward_all_takes_any_number_of_samples(net, samples):
    made = fill(net(DATA + ip("a", "x", "p")))
    data = np.random.RandomState(3).randn(samples, 5).astype(np.float32)
    weight, bias = (blob.data.copy() for blob in made.params["a"])
    np.testing.assert_allclose(made.forward_all(x=data)["p"], data @ weight.T + bias, rtol=1e-5, atol=1e-5)
    outs, diffs = fill(net("force_backward: true " + DATA + ip("a", "x", "p"))).forward_backward_all(
        x=data, p=np.ones((samples, 3), np.float32))
    assert outs["p"].shape == (samples, 3) and diffs["x"].shape == (samples, 5)


def test_callbacks_run_before_and_after_each_layer(net):
    made = fill(net(CHAIN))
    seen = []
    made.before_forward(lambda i: seen.append(("before", i)))
    made.after_forward(lambda i: seen.append(("after", i)))
    made.after_backward(lambda i: seen.append(("back", i)))
    made.forward()
    made.backward()
    n = len(made.layers)
    assert seen == [(w, i) for i in range(n) for w in ("before", "after")] + [("back", i) for i in reversed(range(n))]


# -- weights -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("ending", ["caffemodel", "h5"])
def test_saved_weights_come_back(net, tmp_path, ending):
    made, file = fill(net(CHAIN), 5), str(tmp_path / f"w.{ending}")
    made.save(file) if ending == "caffemodel" else made.save_hdf5(file)
    other = net(CHAIN, weights=file)
    for name, blobs in made.params.items():
        for blob, back in zip(blobs, other.params[name]):
            assert (blob.data == back.data).all()
    old_order = caffe.Net(str(tmp_path / "net.prototxt"), file, caffe.TEST)
    assert old_order.phase == caffe.TEST and (old_order.params["a"][0].data == made.params["a"][0].data).all()


def test_weights_that_do_not_fit_change_nothing_and_name_the_layer(net, tmp_path):
    file = str(tmp_path / "w.caffemodel")
    fill(net(CHAIN), 5).save(file)
    other = fill(net(DATA + ip("a", "x", "p", 6) + ip("b", "p", "q", 4)), 9)
    before = other.params["a"][0].data.copy()
    with pytest.raises(CaffeError, match=r"w\.caffemodel: parameter 0 of layer 'b' has shape \(3, 6\).*rename"):
        other.copy_from(file)
    assert (other.params["a"][0].data == before).all()


def test_share_with_uses_the_other_nets_memory(net):
    one, other = fill(net(CHAIN), 5), net(DATA + ip("a", "x", "p", 6))
    other.share_with(one)
    one.params["a"][0].data[...] = 4
    assert (other.params["a"][0].data == 4).all()


# -- another device ------------------------------------------------------------------------------------------------

def test_a_device_with_memory_of_its_own_computes_the_same(net):
    def run():
        made = fill(net("force_backward: true " + CHAIN))
        made.forward()
        made.backward()
        return {**{n: b.data.copy() for n, b in made.blobs.items()},
                **{n + ".diff": b.diff.copy() for n, b in made.blobs.items()},
                **{f"{n}.{i}.diff": b.diff.copy() for n, bs in made.params.items() for i, b in enumerate(bs)}}

    expected = run()
    with context.use_device(context.Device(torch.device("cpu"), shares_host=False)):
        found = run()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_gpu_mode_without_a_gpu_warns_once_and_computes(net, capsys):
    context._state.warned_without_gpu = False
    caffe.set_mode_gpu()
    caffe.set_mode_gpu()
    assert fill(net(CHAIN)).forward()["loss"] > 0
    assert capsys.readouterr().err.count("no CUDA device") == 1
    caffe.set_mode_cpu()


def test_a_users_layer_may_have_attributes_of_any_everyday_name(net, tmp_path, monkeypatch):
    (tmp_path / "everyday_layer.py").write_text("""
import caffe
class Everyday(caffe.Layer):
    def setup(self, bottom, top):
        self.loss_weight, self.loss_weights, self.name, self.loss = 2.0, [3.0], "mine", None
        self.blobs.add_blob(2)
    def reshape(self, bottom, top):
        top[0].reshape(1)
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data.sum()
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff
""")
    monkeypatch.syspath_prepend(str(tmp_path))
    python = 'loss_weight: 2 python_param { module: "everyday_layer" layer: "Everyday" }'
    made = fill(net("force_backward: true " + DATA + layer("own", "Python", "x", "loss", python)))
    made.forward()
    made.backward()
    assert (made.blobs["x"].diff == 2).all()
    made.params["own"][0].data[...] = 7
    made.save_hdf5(tmp_path / "w.h5")
    made.params["own"][0].data[...] = 0
    made.load_hdf5(tmp_path / "w.h5")
    assert (made.params["own"][0].data == 7).all()
