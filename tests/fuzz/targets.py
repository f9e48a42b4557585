"""How each kind of file is loaded: through the public interface, as a user would."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from corpus import DATA_NET, HDF5_NET, IMAGE_NET

# a net that was damaged into a larger one may be right: it is run only if that is little work
MOST_NUMBERS, MOST_PASSES = 2_000_000, 20


def _small(net) -> bool:
    blobs = sum(blob.count for blob in net.blobs.values())
    params = sum(blob.count for layer in net.layers for blob in layer.blobs)
    return blobs + params < MOST_NUMBERS and blobs * max(params, 1) < 1e10


def net(base: Path, file: Path) -> None:
    import caffe

    for phase in (caffe.TEST, caffe.TRAIN):
        made = caffe.Net(str(file), phase)
        if _small(made):
            made.forward()
            made.backward()


def solver(base: Path, file: Path) -> None:
    import caffe

    made = caffe.get_solver(str(file))
    param = made.param
    passes = param.iter_size + sum(param.test_iter)
    if _small(made.net) and 0 <= passes < MOST_PASSES and not param.snapshot:
        made.step(2)


@cache
def _real_net(name: str, base: Path):
    """A net for a caffemodel by others, of the layers that it describes itself; None if that is no whole net."""
    import caffe
    from caffe.formats import binaryproto
    from caffe.formats.upgrade import upgrade_net
    from caffe.proto import caffe_pb2

    sizes = {"lenet": (1, 28), "cifar10": (3, 32)}
    size = next((size for key, size in sizes.items() if key in name), None)
    model = next((file for file in sorted((base / "weights").iterdir()) if size and next(
        key for key in sizes if key in name) in file.name and file.name.startswith("real_v1")), None)
    if size is None or model is None:
        return None
    param = caffe_pb2.NetParameter()
    data = param.layer.add(name="input", type="Input", top=["data", "label"])
    data.input_param.shape.add(dim=[2, size[0], size[1], size[1]])
    data.input_param.shape.add(dim=[2])
    for layer in upgrade_net(binaryproto.read_net(model)).layer:
        if layer.type not in ("Data", "Accuracy"):
            kept = param.layer.add()
            kept.CopyFrom(layer)
            del kept.blobs[:], kept.include[:]
    caffe.CaffeError  # noqa: B018 (loads the name)
    return param


def _net_for(base: Path, source: str):
    import caffe

    param = _real_net(source, base) if source.startswith("real_") else None
    return caffe.Net(str(base / "test.prototxt"), caffe.TEST) if param is None else caffe.Net.from_proto(param)


def weights(base: Path, file: Path) -> None:
    made = _net_for(base, file.name.split("~")[0])
    made.copy_from(str(file))


def state(base: Path, file: Path) -> None:
    import caffe
    from caffe.proto import caffe_pb2

    form = "hdf5" if file.name.endswith(".h5") else "binaryproto"
    param = _real_net(file.name.split("~")[0], base) if file.name.startswith("real_") else None
    if param is None:
        made = caffe.get_solver(str(base / f"{form}_solver.prototxt"))
    else:
        made = caffe.SGDSolver(caffe_pb2.SolverParameter(train_net_param=param, base_lr=0.1, lr_policy="fixed"))
    made.restore(str(file))
    made.step(1)


def _run_data(base: Path, source: str, text: str, passes: int) -> None:
    import caffe

    file = base / f"run_{source}.prototxt"
    file.write_text(text)
    made = caffe.Net(str(file), caffe.TEST)
    for _ in range(passes):
        made.forward()


def datum(base: Path, file: Path) -> None:
    import lmdb

    folder = base / "one.mdb"
    folder.unlink(missing_ok=True)
    with lmdb.open(str(folder), subdir=False, map_size=1 << 26, lock=False, sync=False) as out, \
            out.begin(write=True) as batch:
        batch.put(b"0", file.read_bytes())
    for transform in ("", "force_color: true crop_size: 3 mirror: true"):
        _run_data(base, "datum", DATA_NET.format(source=folder, transform=transform, batch=1, backend="LMDB"), 1)


def lmdb(base: Path, file: Path) -> None:
    _run_data(base, "lmdb", DATA_NET.format(source=file, transform="scale: 0.5", batch=40, backend="LMDB"), 12)


def leveldb(base: Path, file: Path) -> None:
    folder = base / "leveldb_damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base / "leveldb_whole", folder)
    shutil.copy(file, folder / file.name.split("~")[0])
    _run_data(base, "leveldb", DATA_NET.format(source=folder, transform="", batch=1, backend="LEVELDB"), 6)


def mean(base: Path, file: Path) -> None:
    transform = f'mean_file: "{file}"'
    images = base / "large.mdb" if file.name.startswith("real_") else base / "lmdb" / "few.mdb"
    _run_data(base, "mean", DATA_NET.format(source=images, transform=transform, batch=1, backend="LMDB"), 1)


def image(base: Path, file: Path) -> None:
    import caffe
    from caffe.proto import caffe_pb2

    for color in (True, False):
        caffe.io.load_image(str(file), color)
    one = base / "encoded"
    one.write_bytes(caffe_pb2.Datum(encoded=True, data=file.read_bytes()).SerializeToString())
    datum(base, one)


def data_hdf5(base: Path, file: Path) -> None:
    (base / "hdf5_list.txt").write_text(f"{file}\n")
    _run_data(base, "hdf5", HDF5_NET.format(source=base / "hdf5_list.txt"), 4)


def image_list(base: Path, file: Path) -> None:
    _run_data(base, "images", IMAGE_NET.format(source=file, root=base / "image"), 2)


# kind: (what loads it, whether it is text, the layer type it needs, exceptions allowed beside CaffeError)
TARGETS: dict[str, tuple[Callable[[Path, Path], None], bool, str, tuple[type[Exception], ...]]] = {
    "net": (net, True, "", ()),
    "solver": (solver, True, "", ()),
    "weights": (weights, False, "", ()),
    "state": (state, False, "", ()),
    "weights_hdf5": (weights, False, "", ()),
    "state_hdf5": (state, False, "", ()),
    "datum": (datum, False, "Data", ()),
    "lmdb": (lmdb, False, "Data", ()),
    "leveldb": (leveldb, False, "Data", ()),
    "mean": (mean, False, "Data", ()),
    "image": (image, False, "Data", (ValueError,)),
    "data_hdf5": (data_hdf5, False, "HDF5Data", ()),
    "image_list": (image_list, True, "ImageData", ()),
}

# kinds whose files are messages
MESSAGES = {"net": "NetParameter", "solver": "SolverParameter", "weights": "NetParameter", "state": "SolverState",
            "datum": "Datum", "mean": "BlobProto"}
