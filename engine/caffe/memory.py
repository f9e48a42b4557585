"""How much memory this process may have."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

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
