"""Blobs: live arrays, and the host and device copies behind them, on a stand-in for a GPU.

The stand-in is a device whose tensors lie in memory of their own: what is not copied at the right moment is stale.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe import CaffeError, context
from caffe.blob import Blob
from caffe.proto import caffe_pb2

STAND_IN = context.Device(torch.device("cpu"), shares_host=False)


@pytest.fixture(params=[context.CPU, STAND_IN], ids=["cpu", "stand-in"])
def device(request):
    with context.use_device(request.param):
        yield request.param


def test_data_is_the_blobs_own_memory(device):
    blob = Blob(2, 3)
    blob.data[...] = 7
    assert blob.tensor().eq(7).all()
    blob.mutable_tensor().fill_(5)
    assert (blob.data == 5).all()


def test_an_array_taken_before_sees_what_a_layer_wrote_once_data_is_asked_for_again(device):
    blob = Blob(2, 3)
    before = blob.data
    blob.mutable_tensor().fill_(3)
    assert blob.data.__array_interface__["data"] == before.__array_interface__["data"]
    assert (before == 3).all()


def test_reading_does_not_lose_a_write_on_either_side(device):
    blob = Blob(4)
    blob.data[:2] = 1
    blob.tensor()
    blob.data[2:] = 2
    assert blob.tensor().tolist() == [1, 1, 2, 2]
    blob.mutable_tensor()[0] = 9
    blob.tensor()
    assert blob.data.tolist() == [9, 1, 2, 2]


def test_copies_are_made_only_when_a_side_is_behind(monkeypatch):
    with context.use_device(STAND_IN):
        blob = Blob(3)
        blob.data[...] = 1
        first = blob.tensor()
        assert blob.tensor().data_ptr() == first.data_ptr()
        blob._data._host[...] = 4  # behind the blob's back: nobody may look at the host again
        assert blob.tensor().tolist() == [1, 1, 1]
        assert blob._data.head == "synced"
        assert blob.data.tolist() == [4, 4, 4]  # asking for data says that it may be written
        assert blob.tensor().tolist() == [4, 4, 4]


def test_leaving_a_device_brings_its_values_home():
    with context.use_device(STAND_IN):
        blob = Blob(3)
        blob.mutable_tensor().fill_(2)
    assert blob.tensor().tolist() == [2, 2, 2]
    blob.mutable_tensor().fill_(6)
    with context.use_device(STAND_IN):
        assert blob.tensor().tolist() == [6, 6, 6]


def test_reshape_keeps_memory_until_it_must_grow(device):
    blob = Blob(2, 6)
    blob.data[...] = np.arange(12).reshape(2, 6)
    blob.reshape(3, 2)
    assert blob.data.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    blob.reshape(12)
    assert blob.data.tolist() == list(range(12))
    blob.reshape(13)
    assert blob.data.tolist() == [0] * 13


def test_a_zero_axis_blob_is_a_scalar(device):
    blob = Blob()
    blob.data[...] = 3
    assert blob.shape == () and blob.count == 1 and float(blob.data) == 3


def test_sharing_goes_both_ways(device):
    one, other = Blob(2, 3), Blob(6)
    other.share_data(one)
    other.mutable_tensor().fill_(8)
    assert (one.data == 8).all() and (other.diff == 0).all()
    with pytest.raises(CaffeError, match="cannot share"):
        other.share_diff(Blob(5))


@pytest.mark.parametrize("shape", [(2**16, 2**16), (-1,), (1,) * 33])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(CaffeError, match="blob"):
        Blob(*shape)


def test_legacy_names_of_axes():
    blob = Blob(5, 4)
    assert (blob.num, blob.channels, blob.height, blob.width) == (5, 4, 1, 1)
    with pytest.raises(CaffeError, match="at most 4 axes"):
        _ = Blob(1, 1, 1, 1, 1).num


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_proto_and_back(device, dtype):
    blob = Blob(2, 3, dtype=dtype)
    blob.data[...] = np.random.RandomState(1).randn(2, 3)
    blob.diff[...] = 4
    proto = caffe_pb2.BlobProto.FromString(blob.to_proto(write_diff=True).SerializeToString())
    back = Blob(dtype=dtype)
    back.from_proto(proto)
    assert back.shape == (2, 3)
    assert (back.data == blob.data).all() and (back.diff == 4).all()


def test_legacy_4d_shapes_compare_aligned_at_their_end():
    legacy = caffe_pb2.BlobProto(num=1, channels=1, height=2, width=3, data=range(6))
    blob = Blob(2, 3)
    assert blob.matches(legacy) and not Blob(3, 2).matches(legacy) and not Blob(1, 2, 3, 1).matches(legacy)
    blob.from_proto(legacy, reshape=False)
    assert blob.data.tolist() == [[0, 1, 2], [3, 4, 5]]
    blob.from_proto(legacy)
    assert blob.shape == (1, 1, 2, 3)


def test_a_stored_blob_of_the_wrong_length_is_refused():
    proto = caffe_pb2.BlobProto(data=[1, 2, 3])
    proto.shape.dim.extend([2, 2])
    with pytest.raises(CaffeError, match="holds 3 numbers where 4"):
        Blob().from_proto(proto)


def test_the_devices_address_is_there_where_the_device_has_memory_of_its_own():
    blob = Blob(2)
    assert not hasattr(blob, "_gpu_data_ptr") and not hasattr(blob, "_gpu_diff_ptr")
    with context.use_device(STAND_IN):
        blob.data[...] = 1
        assert blob._gpu_data_ptr == blob.tensor().data_ptr() != blob.data.ctypes.data
        assert blob._gpu_diff_ptr
        assert blob._diff.head == "at device"  # a kernel may have written there


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_result_is_the_data_in_whatever_layout_it_comes(device, layout):
    blob, value = Blob(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    blob.put(value.contiguous(memory_format=layout))
    flat = Blob(2, 60)
    flat.share_data(blob)
    assert blob.tensor().equal(value)
    assert flat.tensor().equal(value.view(2, 60))
    assert np.array_equal(blob.data, value.numpy())
    blob.data[0] = 0
    assert blob.tensor()[0].eq(0).all() and flat.tensor()[0].eq(0).all()


def test_an_array_that_was_taken_before_sees_the_next_result():
    blob = Blob(2, 3)
    before = blob.data
    blob.put(torch.full((2, 3), 4.0))
    assert (before == 4).all()
    before[...] = 5
    assert blob.tensor().eq(5).all()


def test_a_result_for_fewer_numbers_than_there_is_memory_leaves_the_rest(device):
    blob = Blob(6)
    blob.mutable_tensor().fill_(1)
    blob.reshape(2)
    blob.put(torch.full((2,), 7.0))
    blob.reshape(6)
    assert blob.data.tolist() == [7, 7, 1, 1, 1, 1]


@pytest.mark.parametrize("look", [lambda blob: blob.diff, lambda blob: blob.diff_tensor().numpy(),
                                  lambda blob: blob.mutable_diff_tensor().numpy()])
@pytest.mark.parametrize("shown", [False, True])
def test_a_cleared_diff_is_0_whoever_asks(device, look, shown):
    blob = Blob(2, 3)
    blob.mutable_diff_tensor().fill_(3)
    array = blob.diff if shown else None
    blob.clear_diff()
    assert not look(blob).any()
    assert array is None or not blob.diff_tensor().any()


def test_a_cleared_diff_is_filled_without_being_read(device):
    blob = Blob(2, 3)
    blob.mutable_diff_tensor().fill_(3)
    blob.clear_diff()
    place, cleared = blob.diff_to_fill()
    place.copy_(torch.ones(2, 3)) if cleared else place.add_(torch.ones(2, 3))
    assert blob.diff_tensor().eq(1).all()
    place, cleared = blob.diff_to_fill()
    assert not cleared and place.eq(1).all()


def test_memory_that_is_given_is_the_data(device):
    blob, sharing = Blob(2, 3), Blob(2, 3)
    sharing.share_data(blob)
    before = blob.data
    before[...] = 1
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    blob.set_cpu_data(given)
    for one in (blob, sharing):
        assert one.tensor().numpy().tolist() == given.tolist()
        assert np.shares_memory(one.data, given)
    assert (before == 1).all()
    blob.mutable_tensor().fill_(5)
    assert (blob.data == 5).all() and (given == 5).all()


def test_memory_that_is_given_takes_the_place_of_a_layers_result(device):
    blob = Blob(2, 3)
    blob.put(torch.ones(2, 3))
    blob.set_cpu_data(np.full((2, 3), 7, np.float32))
    assert blob.tensor().eq(7).all() and (blob.data == 7).all()


def test_memory_that_is_given_may_be_less_than_a_blob_had(device):
    blob = Blob(4, 3)
    blob.reshape(2, 3)
    blob.set_cpu_data(np.full((2, 3), 7, np.float32))
    assert blob.tensor().eq(7).all() and blob.diff.shape == (2, 3)
    blob.reshape(4, 3)
    assert blob.data.shape == blob.diff.shape == (4, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 2), np.float32),
        np.zeros((2, 3)),
        np.zeros((3, 2), np.float32).T,
        np.broadcast_to(np.float32(0), (2, 3)),
        np.frombuffer(bytes(24), np.float32).reshape(2, 3),  # not writable
    ],
)
def test_memory_that_cannot_be_the_data_is_refused(array):
    with pytest.raises(CaffeError, match=r"a blob of shape 2 3 \(6\) takes a writable C-contiguous float32 array"):
        Blob(2, 3).set_cpu_data(array)
