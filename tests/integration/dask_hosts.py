"""A Dask scheduler and workers on hosts: addresses of the loopback device, or network namespaces with links to cut."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'engine'}",
    "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s",  # after which a host that is cut off is missed; the least possible
}
WAIT = 60.0  # seconds, after which what has not come will not


def until(condition, what="it"):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come")


class Hosts:
    """A scheduler, and workers that are started one by one. `file` is the scheduler file. In a `with` block."""

    def __init__(self, folder: Path, namespaces: Namespaces | None = None):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self._namespaces = namespaces
        self._ended = ExitStack()

    def __enter__(self) -> Hosts:
        self.folder.mkdir(exist_ok=True)
        port = "8786" if self._namespaces else "0"
        host = [] if self._namespaces else ["--host", "127.0.0.1"]
        options = [*host, "--port", port, "--no-dashboard", "--scheduler-file", str(self.file)]
        self._start("dask_scheduler", options, "scheduler", 0)
        until(self.file.is_file, "the scheduler")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()

    def worker(self, host: int, *options: str) -> subprocess.Popen:
        """A worker that takes one job at a time, on host 1 or 2."""
        where = (
            [f"tcp://{self._namespaces.scheduler(host)}:8786"]
            if self._namespaces
            else ["--scheduler-file", str(self.file), "--host", f"127.0.0.{host}"]
        )
        fixed = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder / str(host))]
        return self._start("dask_worker", [*where, *fixed, *options], f"worker_{host}", host)

    def command(self, *arguments: object) -> subprocess.Popen:
        """`ethocaffe` with these arguments, on the scheduler's host."""
        command = [sys.executable, "-m", "tools.cli", *map(str, arguments)]
        return self._popen(command, 0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def give_up(self) -> None:
        """Let the scheduler believe that its workers are gone, as it does when it has not heard of them for minutes."""
        from distributed import Client

        async def forget(dask_scheduler) -> None:
            for address in list(dask_scheduler.workers):
                await dask_scheduler.remove_worker(address, stimulus_id="test", close=False)

        with Client(scheduler_file=str(self.file), set_as_default=False) as client:
            client.run_on_scheduler(forget)

    def _start(self, module: str, options: list[str], name: str, host: int) -> subprocess.Popen:
        with open(self.folder / f"{name}.log", "ab") as log:
            return self._popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *options], host, stdout=log, stderr=log
            )

    def _popen(self, command: list[str], host: int, **options) -> subprocess.Popen:
        inside = self._namespaces.inside(host) if self._namespaces else []
        process = subprocess.Popen([*inside, *command], cwd=self.folder, env=ENVIRONMENT, **options)
        self._ended.callback(process.wait)
        self._ended.callback(process.kill)
        self._ended.callback(process.send_signal, signal.SIGCONT)
        return process


class Namespaces:
    """Three hosts as network namespaces: 0 has a link to 1 and one to 2. Needs root and `ip`."""

    def __init__(self) -> None:
        self._names = [f"ethocaffe{os.getpid()}_{host}" for host in range(3)]

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty where there can."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            return "network namespaces need root and iproute2"
        tried = subprocess.run(["ip", "netns", "add", "ethocaffe_try"], capture_output=True, text=True)
        subprocess.run(["ip", "netns", "delete", "ethocaffe_try"], capture_output=True)
        return tried.stderr.strip() if tried.returncode else ""

    def __enter__(self) -> Namespaces:
        for name in self._names:
            self._ip("netns", "add", name)
            self._ip("-n", name, "link", "set", "lo", "up")
        for host in (1, 2):
            there = self._names[host]
            link = ["link", "add", f"to{host}", "type", "veth", "peer", "name", "up0", "netns", there]
            self._ip("-n", self._names[0], *link)
            for name, device, address in ((self._names[0], f"to{host}", 1), (there, "up0", 2)):
                self._ip("-n", name, "address", "add", f"10.77.{host}.{address}/24", "dev", device)
                self._ip("-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def scheduler(self, host: int) -> str:
        """The address of host 0 as another host sees it."""
        return f"10.77.{host}.1"

    def inside(self, host: int) -> list[str]:
        return ["ip", "netns", "exec", self._names[host]]

    def cut(self, host: int) -> None:
        """Take a host's link down."""
        self._ip("-n", self._names[host], "link", "set", "up0", "down")

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)
