"""Trainings for several processes: run as a program, this is one of the processes, connected as python/train.py does.

    python parallel_cases.py FOLDER RANK COUNT UID…        a uid for each case; writes FOLDER/RANK.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

import caffe
from caffe.proto import caffe_pb2

BATCH, ITERATIONS = 4, 6

DATA = """layer { name: "data" type: "Data" top: "data" top: "label" transform_param { scale: 0.01 }
  data_param { source: "FOLDER/lmdb" backend: LMDB batch_size: BATCH } }"""
CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }"""
LOSS = """layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }"""
NORM = 'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }'
SHARED = """layer { name: "a" type: "InnerProduct" bottom: "data" top: "conv" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "flat" type: "Flatten" bottom: "data" top: "flat" }
layer { name: "b" type: "InnerProduct" bottom: "flat" top: "b" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 8 } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "b" top: "conv" }"""

PLAIN = DATA + CONV + LOSS
# name: (net, solver)
CASES = {
    "momentum": (PLAIN, "base_lr: 0.1 momentum: 0.9 weight_decay: 0.01"),
    "at_the_end": (PLAIN, "base_lr: 0.1 momentum: 0.9 weight_decay: 0.01 layer_wise_reduce: false"),
    "clipped": (PLAIN, "base_lr: 0.5 clip_gradients: 0.3"),
    "rmsprop": (PLAIN, 'type: "RMSProp" base_lr: 0.01 rms_decay: 0.92'),
    "iter_size": (PLAIN, "base_lr: 0.1 momentum: 0.9 iter_size: 2"),
    "shared": (DATA + SHARED + LOSS, "base_lr: 0.1 momentum: 0.9"),
    "batch_norm": (DATA + CONV + NORM + LOSS, "base_lr: 0.1"),
}


def write_lmdb(folder: Path) -> None:
    rng = np.random.RandomState(1)
    with lmdb.open(str(folder / "lmdb"), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for k in range(40):
            datum = caffe_pb2.Datum(channels=2, height=6, width=6, label=k % 3)
            datum.data = rng.randint(0, 256, 72).astype(np.uint8).tobytes()
            transaction.put(b"%05d" % k, datum.SerializeToString())


def make_solver(folder: Path, case: str, batch: int, name: str):
    """The solver of a case, with files of its own."""
    net, settings = CASES[case]
    start = folder / f"{case}_{name}"
    start.with_suffix(".net").write_text(net.replace("FOLDER", str(folder)).replace("BATCH", str(batch)))
    start.with_suffix(".solver").write_text(f'net: "{start}.net" lr_policy: "fixed" random_seed: 7 snapshot_prefix: '
                                            f'"{folder}/{case}" {settings}')
    return caffe.get_solver(str(start.with_suffix(".solver")))


def weights(solver) -> list[np.ndarray]:
    return [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]


def main(folder: Path, rank: int, count: int, uids: list[str]) -> None:
    caffe.set_solver_count(count)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    results: dict[str, Any] = {}
    for case, uid in zip(CASES, uids):
        solver = make_solver(folder, case, BATCH, str(rank))
        results.update({f"{case}/before/{k}": values for k, values in enumerate(weights(solver))})
        nccl = caffe.NCCL(solver, uid)
        nccl.bcast()
        results.update({f"{case}/start/{k}": values for k, values in enumerate(weights(solver))})
        solver.add_callback(nccl)
        if solver.param.layer_wise_reduce:
            solver.net.after_backward(nccl)
        solver.step(ITERATIONS)
        results.update({f"{case}/end/{k}": values for k, values in enumerate(weights(solver))})
    # the last rank alone is asked to stop, in the third iteration from here
    solver.requested_action = lambda: "stop" if rank == count - 1 and solver.iter == ITERATIONS + 3 else ""
    solver.step(100)
    np.savez(folder / f"{rank}.npz", stopped_at=solver.iter, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
