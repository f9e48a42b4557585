"""Work on large files in a process of its own, so that the server goes on answering: `python -m annotation.apart NAME`.

What the work is given comes as JSON on standard input, what came of it goes as JSON to standard output.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from data_prep.errors import InputError

WORK = {  # module and function, from a dict to what JSON can hold
    "training set": ("annotation.training_set", "write"),
    "predictions": ("annotation.predicted", "read"),
}
Apart = Callable[[str, dict[str, Any]], Any]  # does work of that name


def here(name: str, given: dict[str, Any]) -> Any:
    """Do the work in this process."""
    module, function = WORK[name]
    return getattr(importlib.import_module(module), function)(given)


if __name__ == "__main__":
    try:
        json.dump(here(sys.argv[1], json.load(sys.stdin)), sys.stdout)
    except InputError as error:
        sys.exit(f"ethocaffe: error: {error}")
