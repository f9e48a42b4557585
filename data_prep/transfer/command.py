"""`ethocaffe transfer`: the command line, the rounds one after another, and how it ends."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from data_prep.transfer.log import Log
from data_prep.transfer.page import Page
from data_prep.transfer.rounds import Board, Rounds
from data_prep.transfer.settings import DEFAULTS, NORMALISE, Settings, read_settings
from data_prep.transfer.sources import Connection, SourceFault

STEP = 1.0  # seconds of sleep between two writings of the page's time, at least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder of the dataset; its transfer.json may hold all below"
    )
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="URL",
        help="a folder, sftp://USER@HOST/PATH, s3://BUCKET/PREFIX, or another that fsspec reads; may be repeated",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="take what is finished now, and end (default)")
    mode.add_argument("--watch", action="store_true", help="go on, and look again and again")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="between two looks of --watch (default 60)")
    parser.add_argument("--pattern", metavar="'*.mp4'", help="which files; with a slash, which paths (default: videos)")
    parser.add_argument(
        "--settle", type=float, metavar="SECONDS", help="how long a file must not change to be finished (default 30)"
    )
    parser.add_argument(
        "--normalise",
        choices=NORMALISE,
        help="make it H.264 in MP4: what browsers cannot play (auto, the default), nothing or everything",
    )
    parser.add_argument("--discard-original", action="store_true", default=None, help="keep no original of those")
    parser.add_argument(
        "--rename",
        metavar="TEMPLATE",
        help="the videos' names, of {stem}, {source}, {folder} and {date} (default {stem})",
    )
    parser.add_argument(
        "--delete-source", action="store_true", default=None, help="remove each file at its source once it is safe here"
    )
    parser.add_argument("--status-page", metavar="FILE.html", help="write a page there that shows how it stands")
    parser.add_argument("--log", metavar="FILE", help="add a line of JSON there for all that happens to a file")
    parser.add_argument("--quiet", action="store_true", help="print faults only")


def run(args: argparse.Namespace) -> int:
    """Run the command. Status 0, or 1 if a file could not be taken or a source not be read; 0 when SIGTERM ends a
    --watch, which is how services are stopped."""
    settings = read_settings(args.dataset, {name: getattr(args, name) for name in DEFAULTS}, args.source)
    for source in settings.sources:
        try:
            Connection(source)
        except SourceFault:  # perhaps only now: it is told in the round
            continue
    log = Log(settings.log, args.quiet)
    line = _Line(args.quiet)
    with _stopped_by_signals() as terminated:
        try:
            return transfer(settings, log, watch=args.watch, line=line)
        except KeyboardInterrupt:
            line.clear()
            if args.watch and terminated:
                return 0
            raise


def transfer(settings: Settings, log: Log, watch: bool = False, line: _Line | None = None) -> int:
    """Take what is finished, once or on and on; the exit status. Raises InputError for a damaged register."""
    rounds = Rounds(settings, log, lambda board: told(board))
    page = Page(settings.status_page, settings, rounds.register)
    line = line or _Line(quiet=True)
    board = rounds.board

    def told(board: Board) -> None:
        page(board)
        line.draw(board)

    page(board, now=True)
    try:
        if watch:
            _watch(settings, rounds, page, line)
        faults, settling = rounds.round()
        if settling:
            board.idle = "waiting whether files still change"
            page(board, now=True)
            time.sleep(settings.settle)
            faults, _ = rounds.round()
        for url, file in board.waiting.items():
            log("waiting", url, f"{url}: not taken: {file.reason}")
        board.idle = "ended"
        return 1 if faults or board.failures else 0
    except BaseException:
        board.idle = "stopped"
        raise
    finally:
        line.clear()
        page(board, now=True)


def _watch(settings: Settings, rounds: Rounds, page: Page, line: _Line) -> NoReturn:
    while True:
        rounds.board.idle = "looking and copying"
        _, settling = rounds.round()
        line.clear()
        pause = min(settings.every, settings.settle) if settling else settings.every
        until = time.monotonic() + max(pause, 0.2)
        while (left := until - time.monotonic()) > 0:
            rounds.board.idle = "waiting for the next look"
            page(rounds.board, now=True)
            time.sleep(min(left, max(STEP, 10.0)))


class _Line:
    """The file at work, on a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._drawn = 0.0

    def draw(self, board: Board) -> None:
        if not self._shown or board.current is None or time.monotonic() - self._drawn < 0.2:
            return
        self._drawn = time.monotonic()
        url, what, done, of, _ = board.current
        share = f"{100 * done // of} %" if of else f"{done}"
        sys.stderr.write(f"\r{what} {url.rpartition('/')[2]}: {share}\x1b[K")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._shown and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """Let SIGTERM end the block as Ctrl-C does; the list yielded is not empty then."""
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)
