"""The processes of a training: their places, how they find each other, and how they end when one of them fails.

torch.distributed connects them. What it reports of lost connections is told in one line, by one process.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from caffe import context
from caffe.errors import CaffeError

GIVEN_BY_LAUNCHERS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LAUNCHER = "CAFFE_LAUNCHER"  # the environment variable with the process id of `launch`, where it is the parent
FAILURE, LOST = "failure", "lost"  # the store's keys: what the first process that failed said, what the others saw


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


_served: list[Any] = []  # stores that this process keeps for those it gave a uid to
_joined: list[Any] = []  # the store of the processes that it is one of
_told: list[str] = []  # the store's keys under which rank 0 has told something


# -- one process of several, for the command ---------------------------------------------------------------------------

def launched() -> bool:
    """Whether this process was started as one of several, by torchrun, `launch` or another that sets the same."""
    return all(name in os.environ for name in GIVEN_BY_LAUNCHERS)


@contextmanager
def member() -> Iterator[None]:
    """Inside, this process has its rank and count if it is `launched`.

    Whatever fails inside then ends this process: with a line of what is wrong if it is the first one to fail, else
    without a word.
    """
    if not launched():
        yield
        return
    from torch.distributed.rendezvous import rendezvous

    try:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        context.set_solver_count(count)
        context.set_solver_rank(rank)
        context.set_multiprocess(True)
        with told_in_one_line():
            _joined.append(next(iter(rendezvous("env://", timeout=timeout())))[0])
        yield
        _leave()
    except PeerLost as error:
        _end(2, LOST if LAUNCHER in os.environ else FAILURE, _line(error))  # `launch` sees which one it was
    except CaffeError as error:
        _end(2, FAILURE, _line(error))
    except KeyboardInterrupt:
        _end(130, FAILURE, "")
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())} (CAFFE_TRACEBACK=1 shows where)"
        _end(1, FAILURE, traceback.format_exc() if os.environ.get("CAFFE_TRACEBACK") else _line(text, "failure"))


def own_gpus(gpus: list[int]) -> list[int]:
    """Of the GPUs that processes on this machine are to use, the one for this process; all where it is alone."""
    if not launched():
        return gpus
    place = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    if gpus and place >= len(gpus):
        raise CaffeError(f"{len(gpus)} GPU(s) for more processes on this machine; start one process for each")
    return gpus[place:place + 1]


def joined() -> Any:
    """The store of the processes that this one was launched with; None where it is alone."""
    return _joined[-1] if _joined else None


def from_root(text: str) -> str:
    """Rank 0's text in every process; its own where it is alone. Raises CaffeError where rank 0 does not come to it."""
    if joined() is None:
        return text
    _told.append(f"told/{len(_told)}")
    if context.root_solver():
        joined().set(_told[-1], text)
    limit = time.monotonic() + timeout().total_seconds()
    with told_in_one_line():
        while not joined().check([_told[-1]]):
            if joined().check([FAILURE]):
                raise PeerLost("another process of this training failed while it was set up")
            if time.monotonic() > limit:
                raise PeerLost("rank 0 of this training did not come")
            time.sleep(0.02)
        return joined().get(_told[-1]).decode()


def sums(values: Sequence[float]) -> list[float]:
    """Each number summed over the processes of a training that are connected (`parallel`), in every one of them."""
    if joined() is None:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64)  # on the CPU also where NCCL has the gradients
    with told_in_one_line():
        dist.all_reduce(total)
    return total.tolist()


def _line(problem: object, kind: str = "error") -> str:
    return f"caffe: {kind}: rank {context.solver_rank()}: {problem}\n"


def _end(status: int, key: str, text: str) -> None:
    """End the process at once, since an ordinary end waits for peers that are gone; the first to do so is heard."""
    try:
        first = joined() is None or joined().compare_set(key, "", text).decode() == text
    except RuntimeError:  # the store is gone with the process that kept it
        first, key = True, FAILURE
    if first and key == FAILURE:
        sys.stderr.write(text)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


# -- the group ---------------------------------------------------------------------------------------------------------

def serve() -> bytes:
    """A store for processes that are given its address, `host:port`; it ends with this process.

    The host is MASTER_ADDR, or this machine alone.
    """
    host = os.environ.get("MASTER_ADDR", "127.0.0.1")
    _served.append(dist.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout()))
    return f"{host}:{_served[-1].port}".encode()


def store_of(uid: bytes | str) -> Any:
    """The store at the address that `serve` gave."""
    text = uid.decode() if isinstance(uid, bytes) else uid
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise CaffeError(f"NCCL: '{text}' is no uid; give each process the one that caffe.NCCL.new_uid() returned once")
    with told_in_one_line():
        return dist.TCPStore(host, int(port), is_master=False, timeout=timeout())


def form_group(store: Any, net: str) -> None:
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
def told_in_one_line() -> Iterator[None]:
    """What torch reports of lost connections and timeouts, in one line."""
    try:
        yield
    except CaffeError:
        raise
    except RuntimeError as error:
        reason = re.sub(r"^(\[\S+\] )?(.*?)(\. .*)?$", r"\2", str(error).strip().split("\n")[0])  # gloo's [file:line]
        raise PeerLost("another process of this training has ended, or did not answer within "
                       f"{timeout().total_seconds():g} s (CAFFE_PARALLEL_TIMEOUT): {reason}") from error
