"""Where a result comes from: versions, commit, date; written into every model and result file."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, object]:
    """Versions of everything a result depends on, the commit of this checkout (None outside one), the date."""
    return {"versions": versions(), "commit": commit(), "date": now()}


def versions() -> dict[str, str]:
    """Versions of this project, of Caffe and which engine it is, of Python, NumPy and OpenCV."""
    import cv2
    import numpy as np

    import caffe
    from tools import __version__

    return {
        "ethocaffe": __version__,
        "caffe": f"{caffe.__version__} ({'on PyTorch' if 'torch' in sys.modules else 'BVLC'})",
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
