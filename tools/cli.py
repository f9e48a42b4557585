"""The ``ethocaffe`` command: a table of subcommands, and one place where errors become one line.

Each command's module has ``add_arguments(parser)`` and ``run(args) -> int`` (the exit status) and is imported
only when its command is called, so that ``ethocaffe --help`` needs none of the heavy packages.

Exit status: 0 done; 1 it failed; 2 the input or the command line is wrong; 3 a training's loss is no number any more;
75 another command is writing to the same folder, so the same again later may do; 130 interrupted.
``ETHOCAFFE_TRACEBACK=1`` in the environment shows where an error came from. In real Caffe, where nothing is
installed, the same command is ``python3 -m tools.cli`` with this folder on ``PYTHONPATH``.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import NoReturn

from data_prep.errors import InputError
from tools import __version__

COMMANDS = {
    "simulate": ("data_prep.simulate", "make a dataset of simulated home-cage videos, with labels"),
    "transfer": ("data_prep.transfer", "copy finished recordings from folders, SFTP or S3 into a dataset, checked"),
    "prepare": ("data_prep.prepare", "turn a dataset's videos into frames and motion images for training"),
    "convert": ("tools.convert", "turn annotations of other programs into labels of a dataset, and back"),
    "train": ("tools.train", "train a network on a dataset, holding videos out"),
    "cross-validate": ("tools.cross_validate", "train a network once per held-out video, and measure all of them"),
    "reproduce": ("tools.reproduce", "train what the thesis's tables and figures need, and write them"),
    "tune": ("tools.tune", "search learning rate, policy, clipping and decay of a solver"),
    "evaluate": ("tools.evaluate", "measure a trained model on annotated videos"),
    "predict": ("tools.predict", "label every frame of videos with a trained model"),
    "analyse": ("tools.analyse", "time budget, bouts, transitions and daily profile of predicted or annotated videos"),
    "features": ("tools.features", "write a network's features of every frame of videos, for other classifiers"),
    "annotate": ("annotation.command", "serve the page on which people annotate videos"),
    "agreement": ("tools.agreement", "measure how far people who annotated the same videos agree"),
    "boost": ("tools.boost", "boost trees on a network's features, for rare classes, and compare with the network"),
    "plot": ("tools.plot", "draw confusion matrices, learning curves and ethograms"),
}

ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and give the same command again",
    errno.EDQUOT: "your disk quota is used up: free some space and give the same command again",
    errno.EACCES: "permission denied: choose another place or change its permissions",
    errno.EROFS: "that disk is read-only: choose another place",
    errno.EMFILE: "too many open files: raise the limit with `ulimit -n`",
}


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line is an InputError like every other wrong input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see `{self.prog} --help`)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are one line on stderr."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        status = dispatch(arguments)
        sys.stdout.flush()  # here, so that a reader that has gone away is noticed while it can be handled
        return status
    except KeyboardInterrupt:
        return report("interrupted", 130)
    except BrokenPipeError as error:
        return silence_stdout() if stdout_is_broken() else report(f"error: {describe(error)}", 1)
    except Exception as error:
        return report(f"error: {describe(error)}", getattr(error, "status", 2) if is_wrong_input(error) else 1)


def dispatch(arguments: list[str]) -> int:
    """Find the command's module, parse its arguments, run it."""
    if not arguments:
        raise InputError("a command is needed: " + ", ".join(COMMANDS) + " (see `ethocaffe --help`)")
    if arguments[0].startswith("-"):
        overview_parser().parse_args(arguments[:1])
    name = arguments[0]
    if name not in COMMANDS:
        raise InputError(f"there is no command {name!r}{suggestion(name)} (see `ethocaffe --help`)")
    module_name, purpose = COMMANDS[name]
    module = importlib.import_module(module_name)
    description = purpose[0].upper() + purpose[1:] + "."
    parser = Parser(prog=f"ethocaffe {name}", description=description, allow_abbrev=False)
    module.add_arguments(parser)
    return module.run(parser.parse_args(arguments[1:]))


def overview_parser() -> Parser:
    """The parser of ``ethocaffe --help`` and ``--version``; its help lists the commands."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items())
    parser = Parser(
        prog="ethocaffe",
        usage="ethocaffe COMMAND ... | --help | --version",
        description="Behaviours of mice, frame by frame, from networks written as Caffe prototxt.",
        epilog=f"commands:\n{commands}\n\n`ethocaffe COMMAND --help` explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ethocaffe {__version__}")
    return parser


def suggestion(name: str) -> str:
    """``; did you mean 'train'?`` for the nearest command, or nothing when none is near."""
    import difflib  # only on the way to an error: it takes longer to import than the rest of this file

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def is_wrong_input(error: Exception) -> bool:
    """Whether the user can put it right: an InputError, or what our engine raises for one."""
    engine = sys.modules.get("caffe.errors")  # there only if the command has loaded our engine
    return isinstance(error, InputError) or (engine is not None and isinstance(error, engine.CaffeError))


def describe(error: Exception) -> str:
    """What went wrong in one line, with what to do about it where that is known."""
    if is_wrong_input(error):
        return one_line(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return place + ADVICE.get(error.errno or 0, error.strerror)
    if isinstance(error, ModuleNotFoundError):
        return f"the Python package {error.name!r} is missing: run `make setup`"
    if isinstance(error, MemoryError):
        return "out of memory: try a smaller --batch-size or fewer --workers"
    what = ": ".join(filter(None, [type(error).__name__, one_line(error)]))
    return f"{what} (ETHOCAFFE_TRACEBACK=1 shows where)"


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def report(line: str, status: int) -> int:
    """Print one line on stderr, after the traceback if it was asked for; return the exit status."""
    if os.environ.get("ETHOCAFFE_TRACEBACK") == "1":
        import traceback

        traceback.print_exc()
    print(f"ethocaffe: {line}", file=sys.stderr)
    return status


def stdout_is_broken() -> bool:
    """Whether stdout's reader has gone away, as in ``ethocaffe … | head``; a worker's pipe may break too."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file at all
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def silence_stdout() -> int:
    """End as a program killed by SIGPIPE does; what is still buffered must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13


if __name__ == "__main__":
    sys.exit(main())
