"""pycaffe's Timer: a stopwatch that waits for the device."""

from __future__ import annotations

import time

import torch

from caffe import context, glog


def _now() -> float:
    """Seconds, once all that was asked of the device so far is done."""
    device = context.device().torch_device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Timer:
    """`start()`, `stop()`, then `ms`. Both do nothing when it is so already. Source: src/caffe/util/benchmark.cpp."""

    def __init__(self) -> None:
        self._started: float | None = None  # None while it stands
        self._seconds: float | None = None

    def start(self) -> None:
        """Begin anew, unless it runs."""
        if self._started is None:
            self._started = _now()

    def stop(self) -> None:
        """Keep the time since `start`."""
        if self._started is not None:
            self._seconds = _now() - self._started
            self._started = None

    @property
    def ms(self) -> float:
        """Milliseconds between start and stop; stops a running timer. 0, with a warning, if it never ran."""
        self.stop()
        if self._seconds is None:
            glog.warning("Timer has never been run before reading time.")
            return 0.0
        return 1000 * self._seconds
