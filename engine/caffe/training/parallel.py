"""Training by several processes that each see their share of the data: Caffe's `-gpu 0,1` and python/train.py.

Every process has a solver of its own, with the rank and count that `context` holds. They start from rank 0's weights,
and before each update the gradients are summed over all and divided by their number (src/caffe/parallel.cpp), so n
processes of batch b take the steps of one with batch n·b. On CUDA devices NCCL does the sums, else gloo.
`launch` starts such processes; so does torchrun.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.training import peers

if TYPE_CHECKING:
    from caffe.training.solvers import Solver

BUCKET = 1 << 22  # numbers that travel together: many small blobs cost more in calls than in bytes
REQUESTS = ("", "snapshot", "stop")
HELD_SIGNALS = (signal.SIGINT, signal.SIGHUP)


class NCCL:
    """Connects a solver to those of the other processes, as pycaffe's class of this name.

    Construct it once solver count and rank are set, then `bcast()`, `solver.add_callback(nccl)` and, where
    `layer_wise_reduce` is set, `solver.net.after_backward(nccl)`: each layer's gradients are then summed while those
    of the layers below are computed. Raises CaffeError if a process is missing, has another net, or ends.
    """

    def __init__(self, solver: Solver, uid: bytes | str | None = None):
        self._solver = solver
        self._blobs = [param.blob for param in solver.net.learnable_params]
        shares = sum(len(layer.blobs) for layer in solver.net.layers) != len(self._blobs)
        # a shared gradient is whole only after the lowest of its layers; Caffe refuses such nets here
        self._layer_wise = solver.param.layer_wise_reduce and not shares
        self._pending: list[tuple[dist.Work, torch.Tensor]] = []
        self._reduced = False
        with peers.told_in_one_line():
            peers.form_group(peers.joined() if uid is None else peers.store_of(uid), signature(self._blobs))
        solver.agree = self.agree

    @staticmethod
    def new_uid() -> bytes:
        """What connects the processes that are given it, while this process lives."""
        return peers.serve()

    def bcast(self) -> None:
        """Give every process the weights of rank 0."""
        with peers.told_in_one_line():
            for blob in self._blobs:
                dist.broadcast(blob.mutable_tensor(), src=0)

    def on_start(self) -> None:
        """Before an iteration: nothing."""

    def on_gradients_ready(self) -> None:
        """Make every gradient the mean over the processes."""
        with peers.told_in_one_line():
            if self._reduced:
                self._finish()
            else:
                for bucket in buckets(self._blobs):
                    _average([blob.mutable_diff_tensor() for blob in bucket])
        self._reduced = False

    def __call__(self, layer: int) -> None:
        """After a layer's backward: start to sum its gradients.

        With iter_size each pass adds to what is the mean already, and the mean of that is again right.
        """
        if not self._layer_wise:
            return
        self._reduced = True
        with peers.told_in_one_line():
            for blob in self._solver.net.layers[layer].blobs:
                diff = blob.mutable_diff_tensor()
                self._pending.append((dist.all_reduce(diff, async_op=True), diff))
            if layer == 0:  # the next pass adds to these gradients
                self._finish()

    def agree(self, request: str) -> str:
        """What all do at the end of an iteration, when each may be asked for something: the last of REQUESTS wins."""
        if os.environ.get(peers.LAUNCHER, str(os.getppid())) != str(os.getppid()):
            raise CaffeError("the process that started this training has ended")
        value = torch.tensor([REQUESTS.index(request)])  # on the CPU also where NCCL has the gradients
        with peers.told_in_one_line():
            dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return REQUESTS[int(value)]

    def _finish(self) -> None:
        for work, diff in self._pending:
            work.wait()
            diff.mul_(1 / dist.get_world_size())
        self._pending.clear()


def buckets(blobs: Sequence[Blob]) -> Iterator[list[Blob]]:
    """The blobs in runs of up to BUCKET numbers; a larger blob is a run by itself."""
    run: list[Blob] = []
    for blob in blobs:
        if run and sum(one.count for one in run) + blob.count > BUCKET:
            yield run
            run = []
        run.append(blob)
    if run:
        yield run


def signature(blobs: Sequence[Blob]) -> str:
    """What the nets of all processes must have in common: the parameters' shapes, in short."""
    return hashlib.sha256(repr([blob.shape for blob in blobs]).encode()).hexdigest()


def _average(tensors: list[torch.Tensor]) -> None:
    """Sum over the processes, then ÷ their number, as NCCL::on_gradients_ready in src/caffe/parallel.cpp."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) if len(tensors) > 1 else tensors[0]
    dist.all_reduce(flat)
    flat.mul_(1 / dist.get_world_size())
    if len(tensors) > 1:
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(part.view_as(tensor))


def connect(solver: Solver) -> None:
    """Make the solver one of the training's, from rank 0's weights; nothing where this process is alone.

    What a signal does must be settled by now.
    """
    if peers.joined() is None:
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
    nccl = NCCL(solver)
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
