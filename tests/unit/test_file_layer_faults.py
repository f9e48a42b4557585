"""What layers that read and write files or arrays say of what is wrong; what they read is held against real Caffe
elsewhere."""

from __future__ import annotations

import re

import cv2
import h5py
import numpy as np
import pytest

import caffe
from caffe import CaffeError, context
from caffe.proto import caffe_pb2


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Make a net of one layer 'it', with the folder of its files as working folder."""
    monkeypatch.chdir(tmp_path)

    def make(kind, body, tops=("data", "label"), before="", phase=caffe.TRAIN):
        bottoms = 'bottom: "x" bottom: "y"' if before else ""
        file = tmp_path / "net.prototxt"
        file.write_text(f'{before} layer {{ name: "it" type: "{kind}" {bottoms} '
                        f'{" ".join(f"top: {top!r}" for top in tops)} {body} }}')
        return caffe.Net(str(file), phase)

    return make


def write_image(path, height=6, width=8):
    cv2.imwrite(str(path), np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3))


def write_blob(path, *shape):
    blob = caffe_pb2.BlobProto(data=[0] * int(np.prod(shape)))
    blob.shape.dim.extend(shape)
    path.write_bytes(blob.SerializeToString())


def write_hdf5(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


@pytest.fixture
def files(tmp_path):
    """Some good and some bad files of each kind."""
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", 5, 5)
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "a.txt").write_text("a.png 0\n")
    (tmp_path / "sizes.txt").write_text("a.png 0\nb.png 1\n")
    (tmp_path / "missing.txt").write_text("a.png 0\nnone.png 1\n")
    (tmp_path / "no_image.txt").write_text("a.png 0\ntext.png 1\n")
    (tmp_path / "blank.txt").write_text("a.png 0\n\n")
    write_blob(tmp_path / "mean.binaryproto", 1, 3, 4, 4)
    write_blob(tmp_path / "matrix.binaryproto", 3, 3)
    write_hdf5(tmp_path / "a.h5", data=np.zeros((4, 2)), label=np.zeros(4), few=np.zeros(3), one=np.float32(1),
               text=np.array([b"a"] * 4), flags=np.ones(4, bool), none=np.zeros((0, 2)),
               pair=np.zeros(4, [("a", "f4"), ("b", "f4")]))
    write_hdf5(tmp_path / "wide.h5", data=np.zeros((4, 3)), label=np.zeros(4))
    (tmp_path / "cut.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:3000])
    for name in ("a", "cut", "none"):
        (tmp_path / f"{name}_h5.txt").write_text(f"{name}.h5\n")
    (tmp_path / "wide_h5.txt").write_text("a.h5 wide.h5\n")
    (tmp_path / "white.txt").write_text(" \n\n")
    good = "# 0\na.png\n3 6 8\n2\n1 0.9 1 1 4 4\n0 0 2 2 3 3\n"
    for name, text in {
        "good": good, "cut": good[:-6], "numbers": good.replace("4 4", "4 4.5"),
        "count": good.replace("\n2\n", "\n1\n"), "numbering": good.replace("# 0", "# 1"),
        "no_background": good.replace("0 0 2", "2 0.8 2"),
        "no_foreground": good.replace("0.9", "0.4"), "class": good.replace("1 0.9", "0 0.9"),
        "outside": good.replace("4 4", "8 4"), "turned": good.replace("1 1 4 4", "4 4 1 1"),
        "far": good.replace("1 1 4 4", "90 90 99 99"), "large": good.replace("4 4", "4 99999999999"),
        "no_image": good.replace("a.png", "none.png"), "other": "a.png 0\n",
    }.items():
        (tmp_path / f"windows_{name}.txt").write_text(text)
    return tmp_path


def image_data(source, body="", transform=""):
    return "ImageData", (f'transform_param {{ {transform} }} image_data_param {{ source: "{source}" batch_size: 2 '
                         f"{body} }}")


def hdf5_data(source, body="batch_size: 2", tops=("data", "label"), more=""):
    return "HDF5Data", f'hdf5_data_param {{ source: "{source}" {body} }} {more}', tops


def window_data(name, body="batch_size: 8 fg_fraction: 0.5", transform="crop_size: 4"):
    return "WindowData", (f'transform_param {{ {transform} }} window_data_param {{ source: "windows_{name}.txt" '
                          f"{body} }}")


SETUP = {
    "missing list": (image_data("none.txt"), "none.txt: not found"),
    "empty list": (image_data("empty"), "empty: is empty"),
    "one side": (image_data("a.txt", "new_height: 3"), "only one of new_height and new_width"),
    "no batch": (("ImageData", 'image_data_param { source: "a.txt" batch_size: 0 }'), "batch_size must be positive"),
    "skipping all": (image_data("a.txt", "rand_skip: 4000000"), "too few for rand_skip 4000000"),
    "images crop": (image_data("a.txt", "", "crop_size: 9"), "a.txt, line 1: crop_size 9 is larger"),
    "images mean": (image_data("a.txt", "", "mean_file: 'none'"), "none: not found"),
    "missing hdf5 list": (hdf5_data("none.txt"), "none.txt: not found"),
    "white hdf5 list": (hdf5_data("white.txt"), "white.txt: lists no HDF5 file"),
    "missing hdf5": (hdf5_data("none_h5.txt"), "none.h5: cannot be opened: No such file"),
    "cut hdf5": (hdf5_data("cut_h5.txt"), "cut.h5: "),
    "no batch of hdf5": (hdf5_data("a_h5.txt", ""), "batch_size must be given"),
    "hdf5 transform": (hdf5_data("a_h5.txt", more="transform_param { scale: 2 }"), "remove transform_param"),
    "no dataset": (hdf5_data("a_h5.txt", tops=["other"]), "a.h5: has no dataset 'other'.*it has data, few"),
    "lengths": (hdf5_data("a_h5.txt", tops=["data", "few"]), r"a.h5: its datasets data, few have \[4, 3\] rows"),
    "number": (hdf5_data("a_h5.txt", tops=["one"]), "'one' is a single number"),
    "text": (hdf5_data("a_h5.txt", tops=["text"]), "'text' is of type .*; store floats or integers"),
    "flags": (hdf5_data("a_h5.txt", tops=["flags"]), "'flags' is of type bool; store floats or integers"),
    "pair": (hdf5_data("a_h5.txt", tops=["pair"]), "'pair' is of type .*; store floats or integers"),
    "no rows": (hdf5_data("a_h5.txt", tops=["none"]), r"have \[0\] rows; .*at least one"),
    "memory": (("MemoryData", "memory_data_param { batch_size: 2 channels: 1 height: 3 }"), "all positive"),
    "memory's mean": (("MemoryData", "memory_data_param { batch_size: 2 channels: 1 height: 3 width: 3 } "
                       "transform_param { mean_file: 'none' }"), "none: not found"),
    "missing windows": (window_data("none"), "windows_none.txt: not found"),
    "no crop": (window_data("good", transform=""), "crop_size and window_data_param.batch_size"),
    "no windows' batch": (window_data("good", ""), "both positive"),
    "context": (window_data("good", "batch_size: 2 context_pad: 2"), "leaves nothing of crop_size 4"),
    "windows cut": (window_data("cut"), "windows_cut.txt: ends where the y1 was expected; is it cut short"),
    "windows' numbers": (window_data("numbers"), "windows_numbers.txt, line 5: '4.5' stands where the y2"),
    "windows' count": (window_data("count"), "line 6: '0' stands where '# image_index'"),
    "windows' numbering": (window_data("numbering"), "image 1 stands where image 0"),
    "large number": (window_data("large"), "'99999999999' stands where the y2"),
    "no background": (window_data("no_background"), "has no background window"),
    "no foreground": (window_data("no_foreground"), "has no foreground window"),
    "foreground class": (window_data("class"), "class 0 or less"),
    "another list": (window_data("other"), "line 1: 'a.png' stands where"),
    "cached image": (window_data("no_image", "batch_size: 2 cache_images: true"), "none.png: not found"),
    "windows' means": (window_data("good", transform="crop_size: 4 mean_value: 1 mean_value: 2"), "2 mean_value"),
    "windows' mean": (window_data("good", transform="crop_size: 5 mean_file: 'mean.binaryproto'"),
                      "mean.binaryproto is 3×4×4"),
}
FORWARD = {
    "sizes": (image_data("sizes.txt"), r"sizes.txt, line 2: the image gives \(3, 5, 5\)"),
    "missing image": (image_data("missing.txt"), "missing.txt, line 2: none.png: not found"),
    "no image": (image_data("no_image.txt"), "no_image.txt, line 2: text.png: .*cannot be decoded"),
    "blank line": (image_data("blank.txt"), "blank.txt, line 2: "),
    "rows": (hdf5_data("wide_h5.txt", "batch_size: 5"), "wide.h5: the rows of dataset 'data' hold 3 numbers"),
    "no arrays": (("MemoryData", "memory_data_param { batch_size: 2 channels: 1 height: 3 width: 3 }"),
                  r"call net.set_input_arrays\(data, labels\) first"),
    "window outside": (window_data("outside"), "a.png: the window 1 1 8 4 .*image of 8 × 6"),
    "window turned": (window_data("turned", "batch_size: 8 fg_fraction: 0.5 context_pad: 1"), "the window 4 4 1 1"),
    "window far": (window_data("far", "batch_size: 8 fg_fraction: 0.5 context_pad: 1"), "the window 90 90 99 99"),
    "window's image": (window_data("no_image"), "none.png: .*not found"),
}


@pytest.mark.parametrize("case", SETUP.values(), ids=SETUP)
def test_fault_at_setup_names_layer_file_and_fix(net, files, case):
    (kind, *settings), message = case
    with pytest.raises(CaffeError, match=rf"^layer 'it' \({kind}\): .*{message}") as caught:
        net(kind, *settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", FORWARD.values(), ids=FORWARD)
def test_fault_at_forward_names_layer_file_and_fix(net, files, case):
    (kind, *settings), message = case
    made = net(kind, *settings)
    with pytest.raises(CaffeError, match=rf"^layer 'it' \({kind}\): .*{message}") as caught:
        made.forward()
    assert "\n" not in str(caught.value)


def test_images_of_other_sizes_where_a_crop_or_a_size_makes_them_equal(net, files):
    assert net(*image_data("sizes.txt", "", "crop_size: 4")).forward()["data"].shape == (2, 3, 4, 4)
    assert net(*image_data("sizes.txt", "new_height: 3 new_width: 7")).forward()["data"].shape == (2, 3, 3, 7)


DRAWN = ('layer { name: "drawn" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 3 dim: 2 } '
         'shape { dim: %d } } }')


@pytest.mark.parametrize(("name", "labels", "message"), [
    ("", 3, "needs a file_name"),
    ("nowhere/o.h5", 3, "nowhere/o.h5: cannot be written; its folder must exist"),
    (".", 3, "must not be one itself"),
    ("o.h5", 2, "as many labels as data"),
])
def test_hdf5_output_that_cannot_be_written(net, tmp_path, name, labels, message):
    with pytest.raises(CaffeError, match=rf"layer 'it' \(HDF5Output\): .*{message}"):
        net("HDF5Output", f'hdf5_output_param {{ file_name: "{name}" }}', (), DRAWN % labels).forward()
    assert not list(tmp_path.glob("*.h5"))


def test_hdf5_output_replaces_a_file_when_it_has_the_new_one_whole(net, tmp_path):
    write_hdf5(tmp_path / "o.h5", old=np.zeros(3))
    made = net("HDF5Output", 'hdf5_output_param { file_name: "o.h5" }', (), DRAWN % 3)
    with h5py.File(tmp_path / "o.h5") as file:
        assert list(file) == ["old"]
    made.forward()
    with h5py.File(tmp_path / "o.h5") as file:
        assert {name: values.shape for name, values in file.items()} == {"data": (3, 2, 1, 1), "label": (3, 1, 1, 1)}
    with pytest.raises(CaffeError, match=re.escape("o.h5: holds one forward's batch and has it already")):
        made.forward()


MEMORY = "memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 }"


@pytest.mark.parametrize(("data", "labels", "message"), [
    (np.zeros((4, 1, 2, 3)), np.zeros(4, "f4"), "the data array must be float32 and C-contiguous"),
    (np.zeros((4, 1, 3, 2), "f4").swapaxes(2, 3), np.zeros(4, "f4"), "data array must be float32 and C-contiguous"),
    (np.zeros((4, 1, 2, 3), "f4"), np.zeros(4), "the labels array must be float32"),
    (np.zeros((4, 6), "f4"), np.zeros(4, "f4"), "shape (4, 6); it takes N × 1 × 2 × 3"),
    (np.zeros((4, 2, 2, 3), "f4"), np.zeros(4, "f4"), "it takes N × 1 × 2 × 3"),
    (np.zeros((4, 1, 2, 3), "f4"), np.zeros((4, 2), "f4"), "it takes N × 1 × 1 × 1"),
    (np.zeros((4, 1, 2, 3), "f4"), np.zeros(2, "f4"), "4 samples came with 2 labels"),
    (np.zeros((3, 1, 2, 3), "f4"), np.zeros(3, "f4"), "3 samples came for batches of 2"),
    (np.zeros((0, 1, 2, 3), "f4"), np.zeros(0, "f4"), "give a multiple of batch_size"),
    ([[1]], [1], "the data array must be float32"),
])
def test_arrays_that_memory_data_cannot_take(net, data, labels, message):
    with pytest.raises(CaffeError, match=re.escape(message)):
        net("MemoryData", MEMORY).set_input_arrays(data, labels)


def test_memory_data_must_be_the_first_layer(net):
    made = net("DummyData", "dummy_data_param { shape { dim: 2 } }", ["data"])
    with pytest.raises(CaffeError, match="whose first layer is a MemoryData layer"):
        made.set_input_arrays(np.zeros((2, 1, 1, 1), "f4"), np.zeros(2, "f4"))


def test_memory_data_sees_changes_of_its_arrays_and_takes_new_ones(net):
    made = net("MemoryData", MEMORY)
    data, labels = np.zeros((4, 1, 2, 3), "f4"), np.arange(4, dtype="f4").reshape(4, 1, 1, 1)
    made.set_input_arrays(data, labels)
    assert made.forward()["label"].ravel().tolist() == [0, 1]
    data[2:] = 5
    assert (made.forward()["data"] == 5).all()
    made.set_input_arrays(data[2:].copy(), labels[2:].copy())
    assert made.forward()["label"].ravel().tolist() == [2, 3]


def test_hdf5_rows_are_shared_out_to_several_solvers(net, tmp_path):
    write_hdf5(tmp_path / "rows.h5", data=np.arange(7))
    (tmp_path / "rows.txt").write_text("rows.h5")
    context.set_solver_count(3)
    context.set_solver_rank(1)
    try:
        made = [net(*hdf5_data("rows.txt", tops=["data"]), phase=phase) for phase in (caffe.TRAIN, caffe.TEST)]
        assert [list(n.forward()["data"]) for n in made] == [[1, 4], [0, 1]]
        assert [list(n.forward()["data"]) for n in made] == [[0, 3], [2, 3]]
    finally:
        context.set_solver_count(1)
        context.set_solver_rank(0)


@pytest.mark.parametrize(("body", "message"), [
    ("", "give it as the third bottom, or name its file"),
    ("infogain_loss_param { source: 'none' }", "none: not found"),
    ("infogain_loss_param { source: 'matrix.binaryproto' }", r"matrix \(matrix.binaryproto\) holds 9 numbers; for 2"),
    ("loss_param { normalize: true } infogain_loss_param { source: 'matrix.binaryproto' }", "normalize is too old"),
])
def test_infogain_matrix(net, files, body, message):
    with pytest.raises(CaffeError, match=rf"layer 'it' \(InfogainLoss\): .*{message}"):
        net("InfogainLoss", body, ["loss"], DRAWN % 3)
