"""What this machine can do: its rate of matrix products and its memory's bandwidth, both measured.

    python -m benchmarks.machine [GPU]      prints both as JSON

The one file outside engine/ that imports torch, which it measures: the best of torch and NumPy is the machine's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable

from benchmarks import sides

TITLE = "The machine"
# Rows, inner size and columns of AlexNet's products for eight images (conv2 of one group, conv3, fc6), and a square.
PRODUCTS = ((128, 1200, 5832), (384, 2304, 1352), (32, 9216, 4096), (2048, 2048, 2048))
NUMBERS = 1 << 26  # of 4 bytes in each array of the copy: 256 MB, beyond any cache
TRIES = 8


def measure(way: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """{"products": floating-point operations a second, "bytes": bytes a second read and written, and where from}."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(sides.THREADS), "OPENBLAS_NUM_THREADS": str(sides.THREADS)}
    command = [sys.executable, "-m", "benchmarks.machine", *([] if way.gpu is None else [str(way.gpu)])]
    done = subprocess.run(command, cwd=sides.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def lines(results: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    by = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in results["by"].items())
    return [
        f"Matrix products in single precision: {results['products'] / 1e9:.0f} GFLOP/s with {sides.THREADS} threads "
        f"(best of: {by}). Memory: {results['bytes'] / 1e9:.1f} GB/s, reading and writing of a copy counted.",
        "A *floor* is what a net's multiply-adds take at the first rate: once in a forward pass, and twice more in a",
        "backward pass (once in a first layer, whose input needs no gradient); the update of a training step adds each",
        "weight, gradient and history read and written once at the second.",
    ]


def rates(gpu: int | None) -> dict[str, Any]:
    import numpy as np
    import torch

    torch.set_num_threads(sides.THREADS)
    device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
    random = np.random.RandomState(1)
    by = {"PyTorch": 0.0, **({"NumPy": 0.0} if gpu is None else {})}

    def wait() -> None:
        if gpu is not None:
            torch.cuda.synchronize(device)

    for rows, inner, columns in PRODUCTS:
        first = random.standard_normal((rows, inner)).astype(np.float32)
        second = random.standard_normal((inner, columns)).astype(np.float32)
        made = torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)
        operations = 2 * rows * inner * columns
        by["PyTorch"] = max(by["PyTorch"], operations / _seconds(partial(torch.mm, *made), wait))
        if gpu is None:
            by["NumPy"] = max(by["NumPy"], operations / _seconds(partial(np.dot, first, second), wait))
    source, target = (torch.zeros(NUMBERS, device=device) for _ in range(2))
    seconds = _seconds(lambda: target.copy_(source), wait)
    return {"products": max(by.values()), "bytes": 2 * 4 * NUMBERS / seconds, "by": by}


def _seconds(what: Callable[[], Any], wait: Callable[[], None]) -> float:
    """The shortest of several tries: whatever disturbs makes them longer."""
    found = []
    for _ in range(TRIES + 2):
        started = time.perf_counter()
        what()
        wait()
        found.append(time.perf_counter() - started)
    return min(found[2:])


if __name__ == "__main__":
    print(json.dumps(rates(int(sys.argv[1]) if len(sys.argv) > 1 else None)))
