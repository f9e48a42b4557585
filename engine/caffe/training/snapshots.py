"""A solver's snapshots: weights, and the state that training goes on from, in protobuf or HDF5.

Source: Solver::Snapshot in src/caffe/solver.cpp, SGDSolver's SnapshotSolverState and RestoreSolverState in
src/caffe/solvers/sgd_solver.cpp.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats import binaryproto, hdf5, weights
from caffe.proto import caffe_pb2

if TYPE_CHECKING:
    from caffe.training.solvers import Solver


def check_prefix(param: caffe_pb2.SolverParameter) -> None:
    """Raise CaffeError if snapshots are wanted and there is no place for them."""
    if not param.snapshot:
        return
    if not param.HasField("snapshot_prefix"):
        raise CaffeError("solver: has snapshot but no snapshot_prefix; say where snapshots go")
    folder = os.path.dirname(param.snapshot_prefix) or "."
    if not os.access(folder, os.W_OK):
        raise CaffeError(f"solver: cannot write to snapshot_prefix '{param.snapshot_prefix}'; "
                         f"make the folder '{folder}' and let it be written to")


def write(solver: Solver) -> None:
    """Write <prefix>_iter_<n>.caffemodel and .solverstate (each with .h5 for HDF5)."""
    stem = f"{solver.param.snapshot_prefix}_iter_{solver.iter}"
    as_hdf5 = solver.param.snapshot_format == caffe_pb2.SolverParameter.HDF5
    kind, ending = ("HDF5", ".h5") if as_hdf5 else ("binary proto", "")
    model, state = f"{stem}.caffemodel{ending}", f"{stem}.solverstate{ending}"
    glog.info(f"Snapshotting to {kind} file {model}")
    (weights.save_hdf5 if as_hdf5 else weights.save)(solver.net, model, solver.param.snapshot_diff)
    glog.info(f"Snapshotting solver state to {kind} file {state}")
    (_write_hdf5 if as_hdf5 else _write_proto)(solver, state, model)


def restore(solver: Solver, file: str) -> None:
    """Go on from a state. Raises CaffeError, before anything is changed, where it is not this net's and solver's."""
    (_read_hdf5 if file.endswith(".h5") else _read_proto)(solver, file)


def _write_proto(solver: Solver, file: str, model: str) -> None:
    state = caffe_pb2.SolverState(iter=solver.iter, learned_net=model, current_step=solver.current_step)
    state.history.extend(blob.to_proto() for blob in solver.history)
    binaryproto.write(file, state)


def _read_proto(solver: Solver, file: str) -> None:
    state = binaryproto.read_solver_state(file)
    _check_history(solver, file, len(state.history))
    for blob, proto in zip(solver.history, state.history):
        if not blob.matches(proto):
            raise CaffeError(f"{file}: a history blob has shape {binaryproto.blob_shape(proto)}, this solver "
                             f"needs {blob.shape}; the state is of another net")
    _check_progress(file, state.iter, state.current_step)
    if state.HasField("learned_net"):
        solver.net.copy_from(_beside(state.learned_net, file))
    glog.info("SGDSolver: restoring history")
    for i, (blob, proto) in enumerate(zip(solver.history, state.history)):
        try:
            blob.from_proto(proto, reshape=False)
        except CaffeError as error:
            raise CaffeError(f"{file}: history {i}: {error}") from None
    solver.iter, solver.current_step = state.iter, state.current_step


def _write_hdf5(solver: Solver, file: str, model: str) -> None:
    counts = {name: np.array([getattr(solver, name)], np.int32) for name in ("iter", "current_step")}
    arrays = {f"history/{i}": blob.data for i, blob in enumerate(solver.history)}
    weights.write_hdf5(file, {**counts, "learned_net": model, **arrays})


def _read_hdf5(solver: Solver, file: str) -> None:
    with hdf5.open_hdf5(file) as state:
        missing = [name for name in ("iter", "current_step", "history") if name not in state]
        if missing:
            raise CaffeError(f"{file}: has no {', '.join(missing)}; it is not a solver state")
        _check_history(solver, file, len(state["history"]))
        iteration, step = (hdf5.read_integer(state[name], f"{file}: {name}") for name in ("iter", "current_step"))
        arrays = [hdf5.read_array(state["history"][str(i)], blob.shape, f"{file}: history {i}")
                  for i, blob in enumerate(solver.history)]
        learned = state["learned_net"].asstr()[()] if "learned_net" in state else None
    _check_progress(file, iteration, step)
    if learned is not None:
        solver.net.copy_from(_beside(str(learned), file))
    for blob, array in zip(solver.history, arrays):
        blob.data[...] = array
    solver.iter, solver.current_step = iteration, step


def _check_history(solver: Solver, file: str, stored: int) -> None:
    if stored != len(solver.history):
        raise CaffeError(f"{file}: holds {stored} history blobs, this {solver.type} solver needs "
                         f"{len(solver.history)}; it is the state of another net or solver type")


def _check_progress(file: str, iteration: int, step: int) -> None:
    if iteration < 0 or step < 0:
        raise CaffeError(f"{file}: says iteration {iteration} and step {step}: it is damaged; copy it again")


def _beside(model: str, state_file: str) -> str:
    """The weights that a state names; where that path is gone, the file of that name beside the state."""
    moved = os.path.join(os.path.dirname(state_file), os.path.basename(model))
    return moved if not os.path.exists(model) and os.path.exists(moved) else model
