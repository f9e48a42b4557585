"""Trainings by others go on from their states here as in real Caffe: LeNet's and CIFAR-10's, in both formats."""

from __future__ import annotations

import numpy as np
import pytest
from test_recording import messages, worst_place

from caffe.cli import main
from caffe.formats import binaryproto, prototxt
from caffe.formats.upgrade import upgrade_net
from caffe.proto import caffe_pb2

SIZES = {"lenet_iter_10000": (1, 28, 28), "cifar10_full_iter_70000": (3, 32, 32)}
SOLVER = ('net: "net.prototxt" base_lr: 0.001 momentum: 0.9 weight_decay: 0.004 lr_policy: "step" gamma: 0.1 '
          'stepsize: 8000 display: 1 max_iter: {stop} snapshot_prefix: "on" random_seed: 1 solver_mode: CPU')


@pytest.mark.parametrize(("model", "state"), [
    ("lenet_iter_10000", "v1/lenet_iter_10000.solverstate"),
    ("cifar10_full_iter_70000", "v1/cifar10_full_iter_70000.solverstate"),
    ("cifar10_full_iter_70000", "hdf5/cifar10_full_iter_70000.solverstate.h5"),
])
def test_they_go_on_as_in_real_caffe(model, state, tmp_path, monkeypatch, shared, real_caffe, capfd):
    monkeypatch.chdir(tmp_path)
    folder = shared / "caffe"
    write_images(tmp_path, SIZES[model])
    prototxt.write(tmp_path / "net.prototxt", training_net(folder / "v1" / f"{model}.caffemodel"))
    start = int(model.rpartition("_")[2])
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(stop=start + 6))
    file = tmp_path / state.rpartition("/")[2]
    file.write_bytes((folder / state).read_bytes())
    weights = tmp_path / learned_net(file)  # where it was when the state was written
    weights.parent.mkdir(parents=True, exist_ok=True)
    kind = ".h5" if file.suffix == ".h5" else ""
    weights.write_bytes((folder / state.partition("/")[0] / f"{model}.caffemodel{kind}").read_bytes())
    words = ["train", "--solver=solver.prototxt", f"--snapshot={file.name}"]
    log = real_caffe(tmp_path, "env", "GLOG_minloglevel=0", "caffe", *words).stderr
    capfd.readouterr()
    assert main(words) == 0
    ours, theirs = messages(capfd.readouterr().err), messages(log)
    begin = theirs.index(f"Resuming from {file.name}")
    assert worst_place(ours[begin:], theirs[begin:]) < 1.5
    assert any(line.startswith(f"Iteration {start + 5} ") for line in ours)


def learned_net(state) -> str:
    if state.suffix == ".h5":
        import h5py

        with h5py.File(state) as stored:
            return stored["learned_net"].asstr()[()].rstrip("\0")
    return binaryproto.read_solver_state(state).learned_net


def training_net(weights) -> caffe_pb2.NetParameter:
    """The net that a .caffemodel is of, fed from the LMDB `images`."""
    train = caffe_pb2.NetParameter(name="train")
    data = train.layer.add(name="data", type="Data", top=["data", "label"])
    data.transform_param.scale = 0.00390625
    data.data_param.MergeFrom(caffe_pb2.DataParameter(source="images", batch_size=8, backend="LMDB"))
    for layer in upgrade_net(binaryproto.read_net(weights)).layer:
        if layer.type not in ("Data", "Accuracy"):
            kept = train.layer.add()
            kept.CopyFrom(layer)
            del kept.blobs[:], kept.include[:]
    return train


def write_images(folder, shape) -> None:
    import lmdb

    random = np.random.RandomState(2)
    with lmdb.open(str(folder / "images"), map_size=1 << 22) as environment, environment.begin(write=True) as batch:
        for k in range(20):
            datum = caffe_pb2.Datum(channels=shape[0], height=shape[1], width=shape[2], label=k % 10,
                                    data=random.randint(0, 256, shape).astype(np.uint8).tobytes())
            batch.put(b"%04d" % k, datum.SerializeToString())
