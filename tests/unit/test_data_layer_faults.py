"""The Data layer's errors and its sharing of an LMDB; what it reads is held against real Caffe elsewhere."""

from __future__ import annotations

import struct

import lmdb
import numpy as np
import pytest

import caffe
from caffe import CaffeError, context
from caffe.proto import caffe_pb2


def datum(shape=(1, 4, 5), label=0, **fields):
    channels, height, width = shape
    fields.setdefault("data", bytes(range(channels * height * width)))
    return caffe_pb2.Datum(channels=channels, height=height, width=width, label=label, **fields).SerializeToString()


def write(folder, values):
    with lmdb.open(str(folder), map_size=1 << 20) as environment, environment.begin(write=True) as batch:
        for k, value in enumerate(values):
            batch.put(b"%08d" % k, value)
    return folder


@pytest.fixture
def net(tmp_path):
    def make(source, transform="", phase=caffe.TEST, batch=2, backend="backend: LMDB", tops=("data", "label")):
        file = tmp_path / "net.prototxt"
        file.write_text(
            f'layer {{ name: "it" type: "Data" {" ".join(f"top: {top!r}" for top in tops)} '
            f'transform_param {{ {transform} }} data_param {{ source: "{source}" batch_size: {batch} {backend} }} }}')
        return caffe.Net(str(file), phase)

    return make


def fault(net, source, message, **settings):
    with pytest.raises(CaffeError, match=rf"layer 'it' \(Data\): .*{message}") as caught:
        net(source, **settings).forward()
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_source(net, tmp_path):
    fault(net, tmp_path / "nowhere", "there is no such LMDB")


def test_folder_that_is_no_lmdb(net, tmp_path):
    (tmp_path / "other").mkdir()
    fault(net, tmp_path / "other", "no data.mdb")


def test_leveldb(net, tmp_path):
    (tmp_path / "level").mkdir()
    (tmp_path / "level" / "CURRENT").write_text("MANIFEST-000001\n")
    fault(net, tmp_path / "level", "looks like a LevelDB")


def test_file_that_is_no_lmdb(net, tmp_path):
    (tmp_path / "text").write_text("not a database\n" * 1000)
    fault(net, tmp_path / "text", "cannot be opened as an LMDB")


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.9])
def test_lmdb_that_is_cut_short(net, tmp_path, kept):
    folder = write(tmp_path / "short", [datum((1, 10, 10), data=bytes(100))] * 200)
    file = folder / "data.mdb"
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    fault(net, folder, "(cut short|cannot be opened as an LMDB)")


def test_lmdb_with_pages_that_were_never_written(net, tmp_path):
    # pages that a transaction takes and frees again count, but where they would end the file they are missing:
    # here the headers' number of the last page is raised by three
    folder = write(tmp_path / "loose", [datum()] * 20)
    content = bytearray((folder / "data.mdb").read_bytes())
    for header in (0, 4096):
        (last,) = struct.unpack_from("<Q", content, header + 136)
        struct.pack_into("<Q", content, header + 136, last + 3)
    (folder / "data.mdb").write_bytes(content)
    with lmdb.open(str(folder), readonly=True, lock=False) as environment:
        assert (environment.info()["last_pgno"] + 1) * 4096 > len(content)
    assert len(net(folder, batch=20).forward()["label"]) == 20


def test_empty_lmdb(net, tmp_path):
    fault(net, write(tmp_path / "empty", []), "is empty")


def test_backend_other_than_lmdb(net, tmp_path):
    fault(net, write(tmp_path / "d", [datum()]), "set backend: LMDB", backend="")


@pytest.mark.parametrize("value", [b"pickle or npy", b"", b"\xff" * 40], ids=["text", "nothing", "noise"])
def test_values_that_are_no_datums(net, tmp_path, value):
    fault(net, write(tmp_path / "foreign", [value]), "key 00000000: ")


def test_later_value_that_is_no_datum(net, tmp_path):
    fault(net, write(tmp_path / "foreign", [datum(), b"other"]), "key 00000001: ")


def test_image_of_another_size_in_a_batch(net, tmp_path):
    source = write(tmp_path / "d", [datum(), datum((1, 5, 5))])
    fault(net, source, r"key 00000001: .*\(1, 5, 5\).*\(1, 4, 5\)")
    assert net(source, batch=1).forward()["data"].shape == (1, 1, 4, 5)


def test_datum_of_fewer_numbers_than_it_says(net, tmp_path):
    fault(net, write(tmp_path / "d", [datum(data=b"1234")]), "key 00000000: .*1×4×5 .*holds 4 numbers")


def test_encoded_image_that_is_damaged(net, tmp_path):
    fault(net, write(tmp_path / "d", [datum(encoded=True)]), "cannot be decoded")


def test_crop_larger_than_the_image(net, tmp_path):
    fault(net, write(tmp_path / "d", [datum()]), "crop_size 5 is larger than the image, 4×5",
          transform="crop_size: 5")


def test_mean_values_for_another_number_of_channels(net, tmp_path):
    fault(net, write(tmp_path / "d", [datum((3, 4, 5))]), "2 mean_value.* 3 channels",
          transform="mean_value: 1 mean_value: 2")


def test_mean_file_of_another_size(net, tmp_path):
    mean = caffe_pb2.BlobProto(num=1, channels=1, height=2, width=2, data=[0] * 4)
    (tmp_path / "mean.binaryproto").write_bytes(mean.SerializeToString())
    fault(net, write(tmp_path / "d", [datum()]), "mean.binaryproto is 1×2×2 and the image 1×4×5",
          transform=f"mean_file: '{tmp_path}/mean.binaryproto'")


def test_mean_file_and_mean_value(net, tmp_path):
    source = write(tmp_path / "d", [datum()])
    with pytest.raises(CaffeError, match="both mean_file and mean_value"):
        net(source, transform="mean_file: 'm' mean_value: 1")


def test_batch_size_is_needed(net, tmp_path):
    source = write(tmp_path / "d", [datum()])
    with pytest.raises(CaffeError, match=r"layer 'it' .*batch_size must be given"):
        net(source, batch=0)


def test_two_nets_read_one_lmdb_each_in_its_own_place(net, tmp_path):
    source = write(tmp_path / "d", [datum(label=k) for k in range(5)])
    train, test = net(source, phase=caffe.TRAIN), net(source)
    train.forward()
    assert list(train.forward()["label"]) == [2, 3]
    assert list(test.forward()["label"]) == [0, 1]
    assert list(train.forward()["label"]) == [4, 0]


def test_each_of_several_solvers_takes_its_share(net, tmp_path):
    source = write(tmp_path / "d", [datum(label=k) for k in range(6)])
    context.set_solver_count(3)
    context.set_solver_rank(1)
    try:
        assert list(net(source, phase=caffe.TRAIN).forward()["label"]) == [1, 4]
        assert list(net(source, phase=caffe.TEST).forward()["label"]) == [0, 1]
    finally:
        context.set_solver_count(1)
        context.set_solver_rank(0)


def test_data_reaches_a_device_with_memory_of_its_own(net, tmp_path):
    import torch

    source = write(tmp_path / "d", [datum(label=k) for k in range(2)])
    with context.use_device(context.Device(torch.device("cpu"), shares_host=False)):
        made = net(source)
        made.forward()
        np.testing.assert_array_equal(made.blobs["data"].tensor()[0].flatten().numpy(), np.arange(20))
