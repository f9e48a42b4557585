"""What the commands' arguments have in common."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from typing import Any


def positive(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def add_gpu(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpu", type=int, metavar="N", help="compute on the GPU of that number, not on the CPU")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print errors only")


def command_line(name: str, positional: Sequence[Any], options: Mapping[str, Any]) -> str:
    """The `ethocaffe` command that does what a call with these arguments does; options of None are left out."""
    given = [part for key, value in options.items() if value is not None for part in (f"--{key}", str(value))]
    return " ".join(shlex.quote(part) for part in ["ethocaffe", name, *map(str, positional), *given])
