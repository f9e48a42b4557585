"""How much memory this process may have, and large pieces of it."""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

# where Linux says what a container may take, in control groups of versions 2 and 1
_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache
def total_bytes() -> int:
    """The machine's memory, or what its container may take if that is less; 2**63 where neither is known."""
    known = [2**63]
    with suppress(AttributeError, ValueError, OSError):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):
            known.append(int(Path(file).read_text()))
    return min(size for size in known if size > 0)


_LARGE = 1 << 22  # bytes
_HUGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE") and hasattr(mmap, "MAP_PRIVATE")


def zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """`size` zeros; many of them in the system's huge pages, where it has any.

    A product that writes the gradient of 40 million weights takes two thirds longer in pages of 4 kB: their addresses
    fit no cache. Raises MemoryError or OSError where the memory cannot be had.
    """
    if not _HUGE_PAGES or size * dtype.itemsize < _LARGE:
        return np.zeros(size, dtype)
    pages = mmap.mmap(-1, size * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of the GNU C library


@cache
def keep_freed() -> None:
    """Let this process keep the memory that it frees for what it asks for next, however large the pieces are.

    The GNU C library gives each large piece back to the system at once, and for the next layer's result the system maps
    and clears another, which takes longer than ReLU needs to fill it. Where there is no such library nothing changes.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
