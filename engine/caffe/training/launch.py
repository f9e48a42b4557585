"""`caffe train --gpu 0,1`: a process for each GPU, started, watched and ended together.

Caffe has a thread for each (NCCL<Dtype>::Run in src/caffe/parallel.cpp). Here each runs the same command, and finds
its place in the variables that torchrun would set: `peers.member`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import torch
import torch.distributed as dist

from caffe.errors import CaffeError
from caffe.training import parallel, peers

PATIENCE = 5.0  # seconds that processes get to end by themselves once one of them has failed
_COMMAND = "import sys; from {} import main; sys.exit(main())"


def train_on(gpus: Sequence[int], arguments: Sequence[str], program: str = "caffe.cli",
             others: Sequence[str] = ("--logtostderr",)) -> int:
    """Run `caffe` with these arguments in a process for each GPU, all of one training; the exit status.

    `program` is another module with a `main()` that trains within `peers.member`; `others` are more arguments for all
    but rank 0: the file in --log_dir is its alone.

    SIGINT and SIGHUP go to rank 0, which tells the others at the end of the iteration; SIGTERM to all. If one fails
    the others are ended, and one line says why. Without CUDA devices as many processes compute on the CPU. Raises
    CaffeError for GPUs that are not there.
    """
    count = torch.cuda.device_count()
    for gpu in gpus:
        if gpu < 0 or (count and gpu >= count):
            raise CaffeError(f"--gpu: there is no GPU {gpu}; this machine has {count}, counted from 0")
    if len(set(gpus)) != len(gpus):
        raise CaffeError("--gpu: names a GPU twice; each takes one part of the training")
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=peers.timeout())
    processes = [_start(rank, len(gpus), store.port, program, [*arguments, *(others if rank else ())])
                 for rank in range(len(gpus))]
    with _forwarded(processes):
        try:
            status = _wait(processes)
            if status and not store.check([peers.FAILURE]):
                _explain(processes, store)
            return status
        finally:
            _end(processes)


def _start(rank: int, count: int, port: int, program: str, arguments: Sequence[str]) -> subprocess.Popen:
    """The process of a rank, in a session of its own: a terminal's Ctrl-C is for the one that passes it on."""
    environment = {
        **os.environ,
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # rank 0 need not serve the store: this process does
        peers.LAUNCHER: str(os.getpid()),
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # a lost connection is said in one line
        # modules are found where this process finds them, and nowhere else
        "PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path), "PYTHONSAFEPATH": "1",
    }
    command = [sys.executable, "-c", _COMMAND.format(program), *arguments]
    # a signal to rank 0 waits for its handler: `parallel.connect` lets it through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, parallel.HELD_SIGNALS)
    try:
        return subprocess.Popen(command, env=environment, start_new_session=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(processes: Sequence[subprocess.Popen]) -> int:
    """Wait for all, or for the first that fails and then PATIENCE for the rest; the status of that one, or 0."""
    failed, limit = 0, float("inf")
    while any(process.poll() is None for process in processes) and time.monotonic() < limit:
        time.sleep(0.05)
        if not failed and (failed := next((p.returncode for p in processes if p.returncode), 0)):
            limit = time.monotonic() + PATIENCE
    failed = failed or next((p.returncode for p in processes if p.returncode), 0)
    return failed if failed >= 0 else 128 - failed


def _explain(processes: Sequence[subprocess.Popen], store: dist.TCPStore) -> None:
    """Say what became of the training where none of its processes did."""
    killed = [(rank, -p.returncode) for rank, p in enumerate(processes) if (p.returncode or 0) < 0]
    if killed:
        rank, number = killed[0]
        text = f"rank {rank} was ended by signal {number} ({signal.strsignal(number)}), so the training has ended"
        sys.stderr.write(f"caffe: error: {text}\n")
    elif store.check([peers.LOST]):
        sys.stderr.write(store.get(peers.LOST).decode())


def _end(processes: Sequence[subprocess.Popen]) -> None:
    for send in (subprocess.Popen.terminate, subprocess.Popen.kill):
        limit = time.monotonic() + PATIENCE
        for process in processes:
            if process.poll() is None:
                send(process)
        for process in processes:
            try:
                process.wait(max(0.0, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


@contextmanager
def _forwarded(processes: Sequence[subprocess.Popen]) -> Iterator[None]:
    """Pass signals on to the processes while they run."""
    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in processes if number == signal.SIGTERM else processes[:1]:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
