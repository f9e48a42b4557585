"""Where a result comes from: versions, commit, machine, date; written into every model and result file."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, object]:
    """Versions of everything a result depends on, the commit of this checkout (None outside one), machine and date."""
    return {"versions": versions(), "commit": commit(), "machine": machine(), "date": now()}


def machine() -> str:
    """The processor and the cores that this process may use, such as "2 cores of AMD EPYC"."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux has no better place for it
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{count} core{'s' if count > 1 else ''} of {processor}"


def versions() -> dict[str, str]:
    """Versions of this project, of Caffe and which engine it is, of Python, NumPy and OpenCV."""
    import cv2
    import numpy as np

    import caffe
    from tools import __version__

    return {
        "ethocaffe": __version__,
        # Torch itself may not have been needed yet.
        "caffe": f"{caffe.__version__} ({'on PyTorch' if find_spec('caffe.layer_types') else 'BVLC'})",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def commit() -> str | None:
    """The checkout's commit, with `+` where files in it were changed since; None outside a checkout."""
    if not (ROOT / ".git").exists():
        return None
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()
