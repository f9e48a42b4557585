"""Whole files of every kind that Caffe reads, small, made by this script: what gets damaged.

`build(folder, shared)` writes them under folder/<kind>/ and helper files beside; `listing(folder)` is {kind: files}.
Real files by others are added from `shared` where they are there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CONFORMANCE = HERE.parent / "conformance"
REPOSITORY = HERE.parents[1]

# what the weights and states belong to; its Data layers read an LMDB
NET = """
name: "small"
layer {{ name: "data" type: "Input" top: "data" top: "label" input_param {{ shape {{ dim: 2 dim: 1 dim: 8 dim: 8 }}
  shape {{ dim: 2 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
  convolution_param {{ num_output: 2 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param {{ kernel_size: 2 stride: 2 }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param {{ num_output: 3
  weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" include {{ phase: {phase} }} }}
"""
SOLVER = """
net: "{net}"
base_lr: 0.01 lr_policy: "multistep" gamma: 0.1 stepvalue: 5 stepvalue: 9 momentum: 0.9 weight_decay: 0.001
type: "{type}" random_seed: 3 max_iter: 4 display: 1 average_loss: 2 iter_size: 1 clip_gradients: 10
snapshot: 100 snapshot_prefix: "{prefix}" snapshot_format: {form} solver_mode: CPU
"""
DATA_NET = """
layer {{ name: "it" type: "Data" top: "data" top: "label" transform_param {{ {transform} }}
  data_param {{ source: "{source}" batch_size: {batch} backend: {backend} }} }}
"""
HDF5_NET = ('layer {{ name: "it" type: "HDF5Data" top: "data" top: "label" hdf5_data_param {{ source: "{source}" '
            'batch_size: 3 }} }}')
IMAGE_NET = ('layer {{ name: "it" type: "ImageData" top: "data" top: "label" image_data_param {{ source: "{source}" '
             'batch_size: 2 root_folder: "{root}/" new_height: 6 new_width: 6 }} }}')


def listing(folder: Path) -> dict[str, list[Path]]:
    """The files of each kind."""
    return {part.name: sorted(file for file in part.iterdir() if file.is_file())
            for part in sorted(folder.iterdir()) if part.is_dir()}


def build(folder: Path, shared: Path) -> None:
    """Write all files."""
    import caffe

    for part in ("net", "solver", "weights", "state", "weights_hdf5", "state_hdf5", "datum", "lmdb", "mean", "image",
                 "image_list", "data_hdf5", "leveldb"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _nets(folder / "net")
    for phase in ("TRAIN", "TEST"):
        (folder / f"{phase.lower()}.prototxt").write_text(NET.format(phase=phase))
    for form in ("BINARYPROTO", "HDF5"):
        solver = folder / f"{form.lower()}_solver.prototxt"
        solver.write_text(SOLVER.format(net=folder / "train.prototxt", type="SGD", form=form, prefix=folder / "snap"))
        made = caffe.get_solver(str(solver))
        made.step(2)
        made.snapshot()
    ends = {"weights": ".caffemodel", "state": ".solverstate", "weights_hdf5": ".caffemodel.h5",
            "state_hdf5": ".solverstate.h5"}
    for part, end in ends.items():
        os.replace(folder / f"snap_iter_2{end}", folder / part / f"small{end}")
    # the states name weights: let these be found beside them, whole
    for part, end in (("state", ".caffemodel"), ("state_hdf5", ".caffemodel.h5")):
        whole = folder / ("weights" if part == "state" else "weights_hdf5") / f"small{end}"
        (folder / f"snap_iter_2{end}").write_bytes(whole.read_bytes())
    for kind in ("SGD", "Adam", "RMSProp"):
        (folder / "solver" / f"{kind}.prototxt").write_text(
            SOLVER.format(net=folder / "train.prototxt", type=kind, form="HDF5", prefix=folder / "out").replace(
                "momentum: 0.9", "" if kind == "RMSProp" else "momentum: 0.9"))
    _data(folder)
    _old_formats(folder)
    _real(folder, shared)


def _nets(folder: Path) -> None:
    """Every layer type in the forms that conformance tries, nets of older formats, and whole networks."""
    sys.path.insert(0, str(CONFORMANCE))
    from layer_cases import FAMILIES, cases
    from layer_cases.run import net_text

    for family in FAMILIES:
        for name, case in cases(family).items():
            (folder / f"{family}_{name}.prototxt").write_text(net_text(case))
    for file in (*CONFORMANCE.glob("upgrade/*.prototxt"), *REPOSITORY.glob("prototxt/mini/*/*/deploy.prototxt")):
        if not file.name.startswith("solver"):
            (folder / ("_".join(file.parts[-3:]))).write_bytes(file.read_bytes())
    (folder / "small.prototxt").write_text(NET.format(phase="TEST"))


def _data(folder: Path) -> None:
    """Datums, LMDBs, HDF5 data, mean images, encoded images."""
    import cv2
    import h5py
    import lmdb

    from caffe.proto import caffe_pb2

    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (6, 10, 10, 3), np.uint8)
    for ending in (".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm"):
        (folder / "image" / f"image{ending}").write_bytes(cv2.imencode(ending, images[0])[1].tobytes())
    plain = [caffe_pb2.Datum(channels=3, height=10, width=10, label=k,
                             data=image.transpose(2, 0, 1).tobytes()).SerializeToString()
             for k, image in enumerate(images)]
    floats = caffe_pb2.Datum(channels=1, height=4, width=5, label=1, float_data=draw.random(20)).SerializeToString()
    encoded = caffe_pb2.Datum(encoded=True, label=2, data=(folder / "image" / "image.png").read_bytes())
    for name, value in (("plain", plain[0]), ("floats", floats),
                        ("encoded", encoded.SerializeToString())):
        (folder / "datum" / name).write_bytes(value)
    # with a field that no Datum has, which makes values of several pages
    long = [value + b"\xfa\x06\x90\x4e" + bytes(10_000) for value in plain]
    for name, values in (("few", plain), ("many", plain * 60), ("long", long)):
        file = folder / "lmdb" / f"{name}.mdb"
        with lmdb.open(str(file), subdir=False, map_size=1 << 22, lock=False) as out, out.begin(write=True) as batch:
            for k, value in enumerate(values):
                batch.put(b"%08d" % k, value)
    large = caffe_pb2.Datum(channels=3, height=256, width=256, data=bytes(3 << 16)).SerializeToString()
    with lmdb.open(str(folder / "large.mdb"), subdir=False, map_size=1 << 22, lock=False) as out, \
            out.begin(write=True) as batch:
        batch.put(b"0", large)
    mean = caffe_pb2.BlobProto(num=1, channels=3, height=10, width=10, data=draw.random(300))
    (folder / "mean" / "old.binaryproto").write_bytes(mean.SerializeToString())
    mean = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[3, 10, 10]), double_data=draw.random(300))
    (folder / "mean" / "new.binaryproto").write_bytes(mean.SerializeToString())
    settings: dict[str, dict] = {
        "plain": {}, "packed": {"compression": "gzip"}, "chunks": {"chunks": (2, 1, 2, 2), "shuffle": True}}
    for name, how in settings.items():
        with h5py.File(folder / "data_hdf5" / f"{name}.h5", "w") as out:
            out.create_dataset("data", data=draw.random((7, 1, 4, 4)).astype(np.float32), **how)
            out.create_dataset("label", data=np.arange(7, dtype=np.float32))
    (folder / "image_list" / "list.txt").write_text("image.png 0\nimage.jpg 1\nimage.bmp 2\n")
    _leveldb(folder)


def _leveldb(folder: Path) -> None:
    """The table file of a LevelDB, beside the rest of the database; only where plyvel is there."""
    try:
        import plyvel
    except ImportError:
        return
    whole = folder / "leveldb_whole"
    with plyvel.DB(str(folder / "leveldb_db"), create_if_missing=True) as out:
        for k, file in enumerate((folder / "datum").iterdir()):
            out.put(b"%08d" % k, file.read_bytes())
    os.rename(folder / "leveldb_db", whole)
    for file in whole.iterdir():
        if file.name != "LOCK" and file.stat().st_size:
            (folder / "leveldb" / file.name).write_bytes(file.read_bytes())


def _old_formats(folder: Path) -> None:
    """The small net's weights as V1 and V0 had them, with 4-D blobs, and with fields of forks."""
    from caffe.formats import binaryproto
    from caffe.proto import caffe_pb2

    today = binaryproto.read_net(folder / "weights" / "small.caffemodel")
    for version in ("v0", "v1"):
        net = caffe_pb2.NetParameter(name=version)
        for layer in today.layer:
            old = net.layers.add(name=layer.name)
            for blob in layer.blobs:
                shape = [1] * (4 - len(blob.shape.dim)) + list(blob.shape.dim)
                (old.layer if version == "v0" else old).blobs.add(
                    num=shape[0], channels=shape[1], height=shape[2], width=shape[3], data=blob.data)
            if version == "v0":
                old.layer.name = layer.name
        (folder / "weights" / f"{version}.caffemodel").write_bytes(net.SerializeToString())
    fork = today.layer[1].SerializeToString() + b"\xd2\x08\x03abc"  # 138 is another message here
    (folder / "weights" / "fork.caffemodel").write_bytes(binaryproto.field(100, fork))


def _real(folder: Path, shared: Path) -> None:
    found = {"weights": "caffe/*/*.caffemodel", "state": "caffe/*/*.solverstate", "weights_hdf5": "caffe/*/*model.h5",
             "state_hdf5": "caffe/*/*state.h5", "mean": "caffe/*/*.binaryproto"}
    # where a state's weights are looked for: beside it
    (folder / "work").mkdir(exist_ok=True)
    for name in ("cifar10_full_lr2_iter_70000", "lenet_iter_10000"):
        for file in shared.glob(f"caffe/v1/{name.replace('_lr2', '')}.caffemodel"):
            (folder / "work" / f"{name}.caffemodel").write_bytes(file.read_bytes())
    for file in shared.glob("caffe/hdf5/*.caffemodel.h5"):
        (folder / "work" / file.name).write_bytes(file.read_bytes())
    for part, pattern in found.items():
        for file in shared.glob(pattern):
            (folder / part / f"real_{file.parent.name}_{file.name}").write_bytes(file.read_bytes())
