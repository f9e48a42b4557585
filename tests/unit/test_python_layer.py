"""Users' Python layers: how they are found, what they are given, what of theirs comes through."""

from __future__ import annotations

import numpy as np
import pytest

import caffe
from caffe import CaffeError

MODULE = '''
import caffe

class Times(caffe.Layer):
    """x times param_str; remembers what it was asked."""

    def setup(self, bottom, top):
        self.factor = float(self.param_str)
        self.calls = []

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.calls.append(list(propagate_down))
        bottom[0].diff[...] = self.factor * top[0].diff

class Old(caffe.Layer):
    def setup(self, bottom, top):
        self.seen = self.param_str_

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        pass

class Growing(caffe.Layer):
    """As many rows as forwards so far."""

    def setup(self, bottom, top):
        self.rows = 0

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        self.rows += 1
        top[0].reshape(self.rows, 2)
        top[0].data[...] = self.rows

class Scalar(caffe.Layer):
    def setup(self, bottom, top):
        top[0].reshape()

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].data[...] = self.phase

class Weighted(caffe.Layer):
    """x times a parameter of its own."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 3

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[0] * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum()
        bottom[0].diff[...] = self.blobs[0].data[0] * top[0].diff

class Failing(caffe.Layer):
    def setup(self, bottom, top):
        raise ValueError("a fault of the user's own")

class NoLayer:
    pass
'''

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Make a net with one Python layer, of a module in the user's own folder."""
    (tmp_path / "users_layers.py").write_text(MODULE)
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(layer, param_str="", bottom="x", module="users_layers", phase=caffe.TEST, more=""):
        bottoms = f'bottom: "{bottom}"' if bottom else ""
        file = tmp_path / "net.prototxt"
        file.write_text("force_backward: true\n" + INPUT + (
            f'layer {{ name: "mine" type: "Python" {bottoms} top: "y" {more} python_param {{ module: "{module}" '
            f'layer: "{layer}" param_str: "{param_str}" share_in_parallel: true }} }}\n'))
        return caffe.Net(str(file), phase)

    return make


def test_layer_runs_forward_and_backward(net):
    made = net("Times", "2.5")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    made.blobs["x"].data[...] = x
    np.testing.assert_array_equal(made.forward()["y"], 2.5 * x)
    made.blobs["y"].diff[...] = x
    made.backward()
    np.testing.assert_array_equal(made.blobs["x"].diff, 2.5 * x)


def test_layers_of_the_net_are_the_users_own_objects(net):
    made = net("Times", "2")
    mine = made.layers[1]
    assert type(mine).__name__ == "Times"
    assert mine.factor == 2
    assert mine.type == "Python"
    made.forward()
    made.backward()
    assert mine.calls == [[True]]


def test_old_code_reads_param_str_with_an_underscore(net):
    assert net("Old", "text").layers[1].seen == "text"


def test_top_may_change_its_shape_in_forward(net):
    made = net("Growing", bottom="")
    for rows in (1, 2, 3):
        assert made.forward()["y"].shape == (rows, 2)


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_top_may_have_no_axes_and_the_layer_knows_its_phase(net, phase):
    found = net("Scalar", bottom="", phase=phase).forward()["y"]
    assert found.shape == ()
    assert found == phase


def test_layer_may_have_parameters(net):
    made = net("Weighted")
    made.blobs["x"].data[...] = 2
    assert (made.forward()["y"] == 6).all()
    made.blobs["y"].diff[...] = 1
    made.backward()
    assert made.params["mine"][0].diff[0] == 12


def test_loss_weight_makes_a_top_a_loss(net):
    made = net("Times", "2", more="loss_weight: 0.5")
    made.blobs["x"].data[...] = 1
    made.forward()
    made.backward()
    np.testing.assert_array_equal(made.blobs["x"].diff, np.ones((2, 3)))


def test_exceptions_of_the_user_pass_through(net):
    with pytest.raises(ValueError, match="a fault of the user's own"):
        net("Failing")


def test_module_that_is_not_there(net):
    with pytest.raises(CaffeError, match=r"layer 'mine' .*'no_such_module' .*PYTHONPATH"):
        net("Times", module="no_such_module")


def test_module_that_needs_another(net):
    with pytest.raises(CaffeError, match=r"'needs_more' .*a_module_that_is_not_there"):
        net("Times", module="needs_more")


def test_class_that_is_not_there(net):
    with pytest.raises(CaffeError, match=r"layer 'mine' .*users_layers\.py\) has no class 'Tmies'"):
        net("Tmies")


def test_class_that_is_no_layer(net):
    with pytest.raises(CaffeError, match=r"'NoLayer' .* no subclass of caffe\.Layer"):
        net("NoLayer")


def test_layer_without_a_module(net):
    with pytest.raises(CaffeError, match="must name a module"):
        net("Times", module="")
