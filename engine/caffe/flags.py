"""Command lines in gflags' manner, which Caffe's tools have: `-solver x`, `--solver=x`, `--gray`, `--nogray`.

Flags stand anywhere among the other arguments; `--` ends them; the last one of a name counts; `--flagfile=FILE` reads
more, one a line. Source of the rules: gflags 2.2.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from caffe.errors import CaffeError

Value = str | int | bool


class Flag(NamedTuple):
    """A flag: its default, whose type is the flag's, what it does, and what its value is called in the help."""

    default: Value
    help: str
    metavar: str = "VALUE"


class Parsed(NamedTuple):
    """All values by name (the defaults included), the names that were given, and the other arguments in order."""

    values: dict[str, Value]
    given: list[str]
    arguments: list[str]


_TRUE = ("1", "t", "true", "y", "yes")
_FALSE = ("0", "f", "false", "n", "no")


def parse(words: Iterable[str], flags: Mapping[str, Flag]) -> Parsed:
    """Take the flags out of a command line. Raises CaffeError for an unknown flag (with the nearest), or a value
    that is missing or of the wrong type.
    """
    values: dict[str, Value] = {name: flag.default for name, flag in flags.items()}
    given: list[str] = []
    arguments: list[str] = []
    rest = list(words)
    value: Value
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        name = name.replace("-", "_")
        if name == "flagfile":
            rest = _read_flagfile(text if equals else _next(rest, word)) + rest
            continue
        negated = name[2:] if name.startswith("no") and name not in flags else ""
        if negated and not equals and isinstance(values.get(negated), bool):
            name, value = negated, False
        elif name not in flags:
            raise unknown(word, flags)
        elif isinstance(flags[name].default, bool):
            value = _boolean(name, text) if equals else True
        else:
            text = text if equals else _next(rest, word)
            value = _integer(name, text) if isinstance(flags[name].default, int) else text
        values[name] = value
        given.append(name)
    return Parsed(values, given, arguments)


def unknown(word: str, known: Iterable[str]) -> CaffeError:
    """The error for a flag that there is not."""
    name = word.lstrip("-").partition("=")[0]
    near = nearest(name.replace("-", "_"), known)
    return CaffeError(f"unknown flag --{name}" + (f": did you mean --{near}?" if near else "; see --help"))


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, '' if none is."""
    return next(iter(get_close_matches(name, list(known), 1)), "")


def describe(flags: Mapping[str, Flag]) -> str:
    """The flags' part of a help text."""
    lines = []
    for name, flag in flags.items():
        form = f"--{name}" if isinstance(flag.default, bool) else f"--{name}={flag.metavar}"
        shown = f" (default {flag.default})" if flag.default not in ("", False, -1) else ""
        lines.append(f"  {form:28} {flag.help}{shown}")
    return "\n".join(lines)


def _next(rest: list[str], word: str) -> str:
    if not rest:
        raise CaffeError(f"flag {word} needs a value: {word}=VALUE")
    return rest.pop(0)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise CaffeError(f"--{name} is true or false, not '{text}'")
    return text.lower() in _TRUE


def _integer(name: str, text: str) -> int:
    try:
        return int(text, 16 if text.lower().lstrip("+-").startswith("0x") else 10)
    except ValueError:
        raise CaffeError(f"--{name} is a whole number, not '{text}'") from None


def _read_flagfile(path: str) -> list[str]:
    """The lines of a flagfile that are flags; others (comments, names of programs) are left out."""
    if not os.path.isfile(path):
        raise CaffeError(f"--flagfile: there is no file '{path}'")
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.strip() for line in file if line.strip().startswith("-")]
