"""Training by several processes that each see their share of the data: Caffe's `-gpu 0,1` and python/train.py.

Every process has a solver of its own, with the rank and count that `context` holds. They start from rank 0's weights,
and before each update the gradients are summed over all and divided by their number (src/caffe/parallel.cpp), so n
processes of batch b take the steps of one with batch n·b. On CUDA devices NCCL does the sums, else gloo.
`launch` starts such processes; so does torchrun.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from caffe import context
from caffe.blob import Blob
from caffe.errors import CaffeError

if TYPE_CHECKING:
    from caffe.solvers import Solver

BUCKET = 1 << 22  # numbers that travel together: many small blobs cost more in calls than in bytes
REQUESTS = ("", "snapshot", "stop")
GIVEN_BY_LAUNCHERS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LAUNCHER = "CAFFE_LAUNCHER"  # the environment variable with the process id of `launch`, where it is the parent
HELD_SIGNALS = (signal.SIGINT, signal.SIGHUP)
FAILURE, LOST = "failure", "lost"  # the store's keys: rank of the first process that failed, what the others saw


class PeerLost(CaffeError):
    """Another process ended or does not answer: the reason is there, not here."""


def timeout() -> timedelta:
    """How long a process waits for the others: CAFFE_PARALLEL_TIMEOUT seconds, 30 minutes where that is not set.

    It must be longer than rank 0 takes for a test, since the others wait meanwhile.
    """
    text = os.environ.get("CAFFE_PARALLEL_TIMEOUT", "1800")
    try:
        seconds = float(text)
        if not 0 < seconds < float("inf"):
            raise ValueError
    except ValueError:
        raise CaffeError(f"CAFFE_PARALLEL_TIMEOUT is a number of seconds above 0, not '{text}'") from None
    return timedelta(seconds=seconds)


# Servers that this process keeps for those it gave a uid to, and the store of the processes it is one of.
_served: list[Any] = []
_joined: list[Any] = []


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
        store = _store_of(uid) if uid is not None else _joined[-1]
        with _peers():
            _form_group(store, signature(self._blobs))
        solver.agree = self.agree

    @staticmethod
    def new_uid() -> bytes:
        """What connects the processes that are given it, while this process lives: `host:port` of its store.

        The host is MASTER_ADDR, or this machine alone.
        """
        host = os.environ.get("MASTER_ADDR", "127.0.0.1")
        _served.append(dist.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout()))
        return f"{host}:{_served[-1].port}".encode()

    def bcast(self) -> None:
        """Give every process the weights of rank 0."""
        with _peers():
            for blob in self._blobs:
                dist.broadcast(blob.mutable_tensor(), src=0)

    def on_start(self) -> None:
        """Before an iteration: nothing."""

    def on_gradients_ready(self) -> None:
        """Make every gradient the mean over the processes."""
        with _peers():
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
        with _peers():
            for blob in self._solver.net.layers[layer].blobs:
                diff = blob.mutable_diff_tensor()
                self._pending.append((dist.all_reduce(diff, async_op=True), diff))
            if layer == 0:  # the next pass adds to these gradients
                self._finish()

    def agree(self, request: str) -> str:
        """What all do at the end of an iteration, when each may be asked for something: the last of REQUESTS wins."""
        if os.environ.get(LAUNCHER, str(os.getppid())) != str(os.getppid()):
            raise CaffeError("the process that started this training has ended")
        value = torch.tensor([REQUESTS.index(request)])  # on the CPU also where NCCL has the gradients
        with _peers():
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


# -- the group ---------------------------------------------------------------------------------------------------------

def _store_of(uid: bytes | str) -> Any:
    text = uid.decode() if isinstance(uid, bytes) else uid
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise CaffeError(f"NCCL: '{text}' is no uid; give each process the one that caffe.NCCL.new_uid() returned once")
    with _peers():
        return dist.TCPStore(host, int(port), is_master=False, timeout=timeout())


def _form_group(store: Any, net: str) -> None:
    """Wait until all are there, with equal nets, then connect each with each."""
    rank, count = context.solver_rank(), context.solver_count()
    if not 0 <= rank < count:
        raise CaffeError(f"NCCL: solver rank {rank} of {count}; set_solver_count(n), set_solver_rank(0 … n − 1) first")
    store.add("here", 1)
    limit = time.monotonic() + timeout().total_seconds()
    while store.add("here", 0) < count:
        if store.check([FAILURE]):
            raise PeerLost("another process of this training failed while it was set up")
        if time.monotonic() > limit:
            raise PeerLost(f"only {store.add('here', 0)} of {count} processes of this training came; start all of them")
        time.sleep(0.02)
    expected = store.compare_set("net", "", net).decode()
    if expected != net:
        raise CaffeError("this process has a net of other parameters than the others; give all of them the same files")
    device = context.device().torch_device
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, store=dist.PrefixStore("group", store), rank=rank, world_size=count,
                                timeout=timeout())
        atexit.register(_leave)


def _leave() -> None:
    """End the group's threads: left to the end of the interpreter, they may end the process by abort."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def _peers() -> Iterator[None]:
    """What torch reports of lost connections and timeouts, in one line."""
    try:
        yield
    except CaffeError:
        raise
    except RuntimeError as error:
        reason = re.sub(r"^(\[\S+\] )?(.*?)(\. .*)?$", r"\2", str(error).strip().split("\n")[0])  # gloo's [file:line]
        raise PeerLost("another process of this training has ended, or did not answer within "
                       f"{timeout().total_seconds():g} s (CAFFE_PARALLEL_TIMEOUT): {reason}") from error


# -- for the command ---------------------------------------------------------------------------------------------------

def launched() -> bool:
    """Whether this process was started as one of several, by torchrun, `launch` or another that sets the same."""
    return all(name in os.environ for name in GIVEN_BY_LAUNCHERS)


@contextmanager
def member(gpus: list[int]) -> Iterator[list[int]]:
    """Inside, this process has its rank and count if it is `launched`; the list given is then its own of the GPUs.

    Whatever fails inside then ends this process: with a line of what is wrong if it is the first one to fail, else
    without a word.
    """
    if not launched():
        yield gpus
        return
    from torch.distributed.rendezvous import rendezvous

    try:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        context.set_solver_count(count)
        context.set_solver_rank(rank)
        context.set_multiprocess(True)
        place = int(os.environ.get("LOCAL_RANK", rank))
        if gpus and place >= len(gpus):
            raise CaffeError(f"there are more processes on this machine than GPUs for them, {len(gpus)}; start one for "
                             "each")
        with _peers():
            _joined.append(next(iter(rendezvous("env://", timeout=timeout())))[0])
        yield gpus[place:place + 1]
        _leave()
    except PeerLost as error:
        _end(2, LOST if LAUNCHER in os.environ else FAILURE, _line(error))  # `launch` sees which one it was
    except CaffeError as error:
        _end(2, FAILURE, _line(error))
    except KeyboardInterrupt:
        _end(130, FAILURE, "")
    except Exception:
        _end(1, FAILURE, traceback.format_exc())


def connect(solver: Solver) -> None:
    """Make the solver one of the training's, from rank 0's weights; nothing where this process is alone.

    What a signal does must be settled by now.
    """
    if not _joined:
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
    nccl = NCCL(solver)
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)


def _line(error: CaffeError) -> str:
    return f"caffe: error: rank {context.solver_rank()}: {error}\n"


def _end(status: int, key: str, text: str) -> None:
    """End the process at once, since an ordinary end waits for peers that are gone; the first to do so is heard."""
    try:
        first = not _joined or _joined[-1].compare_set(key, "", text).decode() == text
    except RuntimeError:  # the store is gone with the process that kept it
        first, key = True, FAILURE
    if first and key == FAILURE:
        sys.stderr.write(text)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
