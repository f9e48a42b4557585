"""NetSpec: names, order and parameters of the layers it writes."""

import numpy as np
import pytest

from caffe import net_spec
from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from caffe.proto import caffe_pb2


def summary(net):
    return [(layer.name, layer.type, list(layer.bottom), list(layer.top)) for layer in net.layer]


def spec_with(name, value):
    n = NetSpec()
    n[name] = value
    return n


def test_attributes_name_layers_and_blobs():
    n = NetSpec()
    n.data, n.label = L.Data(source="db", backend=P.Data.LMDB, batch_size=4, ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n["ip/1"] = L.InnerProduct(n.relu1, num_output=2)
    n.loss = L.SoftmaxWithLoss(n["ip/1"], n.label)
    assert summary(n.to_proto()) == [
        ("data", "Data", [], ["data", "label"]),
        ("conv1", "Convolution", ["data"], ["conv1"]),
        ("relu1", "ReLU", ["conv1"], ["conv1"]),
        ("ip/1", "InnerProduct", ["conv1"], ["ip/1"]),
        ("loss", "SoftmaxWithLoss", ["ip/1", "label"], ["loss"]),
    ]


def test_what_is_not_named_is_numbered_by_type_before_what_reads_it():
    data, label = L.DummyData(ntop=2)
    conv = L.Convolution(data, num_output=1)
    total = L.Eltwise(L.Convolution(L.ReLU(conv, in_place=True), num_output=1), conv)
    assert summary(net_spec.to_proto(L.EuclideanLoss(total, label), L.Accuracy(total, label))) == [
        ("DummyData1", "DummyData", [], ["DummyData1", "DummyData2"]),
        ("Convolution1", "Convolution", ["DummyData1"], ["Convolution1"]),
        ("ReLU1", "ReLU", ["Convolution1"], ["Convolution1"]),
        ("Convolution2", "Convolution", ["Convolution1"], ["Convolution2"]),
        ("Eltwise1", "Eltwise", ["Convolution2", "Convolution1"], ["Eltwise1"]),
        ("EuclideanLoss1", "EuclideanLoss", ["Eltwise1", "DummyData2"], ["EuclideanLoss1"]),
        ("Accuracy1", "Accuracy", ["Eltwise1", "DummyData2"], ["Accuracy1"]),
    ]


def test_layers_without_tops_are_written_if_they_are_assigned():
    n = NetSpec()
    n.a, n.b = L.DummyData(ntop=2)
    n.silence = L.Silence(n.a, n.b, ntop=0)
    L.Silence(n.a, ntop=0)
    assert summary(n.to_proto())[1:] == [("silence", "Silence", ["a", "b"], [])]


def test_parameters_go_to_the_layers_own_message_or_to_the_layer():
    layer = L.Convolution(
        kernel_size=[3, 5], pad=1, bias_term=False, weight_filler=dict(type="gaussian", std=0.5),
        param=[dict(lr_mult=1), dict(lr_mult=2, decay_mult=0)], include=dict(phase=caffe_pb2.TRAIN, stage=("a", "b")),
        loss_weight=0.25, propagate_down=[True], name="other",
    ).to_proto().layer[0]
    own = layer.convolution_param
    assert (list(own.kernel_size), list(own.pad), own.bias_term, own.weight_filler.std) == ([3, 5], [1], False, 0.5)
    assert [spec.lr_mult for spec in layer.param] == [1, 2]
    assert layer.include[0].stage == ["a", "b"]
    assert (layer.name, list(layer.loss_weight), list(layer.propagate_down)) == ("other", [0.25], [True])


def test_types_with_another_types_message_name_it():
    layer = L.Deconvolution(convolution_param=dict(num_output=2, kernel_size=4)).to_proto().layer[0]
    assert layer.convolution_param.num_output == 2
    layer = L.LSTM(recurrent_param=dict(num_output=7)).to_proto().layer[0]
    assert layer.recurrent_param.num_output == 7


def test_numpy_numbers_and_empty_lists_are_taken():
    layer = L.Convolution(num_output=np.int64(4), pad=[], loss_weight=np.float32(0.5)).to_proto().layer[0]
    assert layer.convolution_param.num_output == 4
    assert list(layer.convolution_param.pad) == []


def test_spec_writes_the_same_net_each_time():
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 2]))
    n.out = L.ReLU(L.ReLU(n.data))
    assert n.to_proto() == n.to_proto()


def test_constants_come_from_the_messages():
    assert P.Pooling.AVE == caffe_pb2.PoolingParameter.AVE
    assert P.Eltwise.SUM == 1
    with pytest.raises(AttributeError):
        _ = P.Pooling.AVG


def test_param_name_dict():
    names = net_spec.param_name_dict()
    assert (names["InnerProduct"], names["HDF5Data"], names["LRN"], names["TanH"]) == (
        "inner_product", "hdf5_data", "lrn", "tanh")


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: L.Silence(L.DummyData(ntop=2), ntop=0), TypeError,
     r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"),
    (lambda: L.Convolution(num_ouput=1).to_proto(), AttributeError,
     r"layer 'Convolution1' \(Convolution\) has no parameter 'num_ouput': did you mean 'num_output'"),
    (lambda: L.LSTM(num_output=1).to_proto(), AttributeError, r"\(LSTM\) has no parameter 'num_output'"),
    (lambda: L.Convolution(weight_filler=dict(tipe="x")).to_proto(), AttributeError,
     "FillerParameter has no field 'tipe': did you mean 'type'"),
    (lambda: L.Convolution(num_output="many").to_proto(), TypeError, "many|str"),
    (lambda: NetSpec().conv, AttributeError, "no top is named 'conv'"),
    (lambda: NetSpec().conv, KeyError, "no top is named 'conv'"),
    (lambda: NetSpec()["to_proto"], KeyError, "no top is named 'to_proto'"),
    (lambda: NetSpec()["conv"], KeyError, "conv"),
    (lambda: spec_with("data", L.DummyData(ntop=2)).to_proto(), TypeError, "data is set to <class 'tuple'>"),
])
def test_mistakes_are_said(make, error, message):
    with pytest.raises(error, match=message):
        make()
