"""Runs batches of cases, each in a forked process of its own, so that a crash ends only that one.

`child.py FOLDER SHARED SEED MEMORY` reads lines `KIND FIRST LAST` and writes, for each, a line before and after each
case, `start <process> <index> <file>` and `end <index> <outcome> <seconds> <MB grown> <note>`, and then
`exit <status>`, or `none` where this kind cannot be tried here.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import messages
from corpus import build, listing
from mutate import damage
from targets import MESSAGES, TARGETS

GROWTH = 700  # MB that one case may add to the process's peak
# that rightly takes more: nets that were damaged into larger ones, and images, of which OpenCV takes 2**30 pixels
LARGE = ("net", "solver", "image", "datum")


def main() -> None:
    folder, shared, seed, memory = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    os.environ["GLOG_minloglevel"] = "3"
    import cv2
    import torch

    import caffe

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if status := _in_a_fork(lambda: build(folder, shared)):
        sys.exit(status)
    files = listing(folder)
    for line in sys.stdin:
        kind, first, last = line.split()
        needed = TARGETS[kind][2]
        if not files.get(kind) or (needed and needed not in caffe.layer_type_list()):
            print("none", flush=True)
            continue
        run = partial(_batch, folder, kind, files[kind], seed, int(first), int(last), memory)
        status = _in_a_fork(run)
        print("exit", status, flush=True)


def _in_a_fork(run: Callable[[], object]) -> int:
    """The exit status of a forked process that runs the function; minus the signal where one ended it."""
    process = os.fork()
    if process == 0:
        try:
            run()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _batch(folder: Path, kind: str, files: list[Path], seed: str, first: int, last: int, memory: int) -> None:
    _limit(memory)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    contents = [file.read_bytes() for file in files]
    for index in range(first, last):
        _case(folder, work, kind, files, contents, f"{seed}/{kind}/{index}", index)


def _case(folder: Path, work: Path, kind: str, files: list[Path], contents: list[bytes], seed: str,
          index: int) -> None:
    draw = random.Random(seed)
    chosen = draw.randrange(len(files))
    load, text, _, allowed = TARGETS[kind]
    stem, _, ending = files[chosen].name.partition(".")
    file = work / (f"{files[chosen].name}~" if kind == "leveldb" else f"{stem}~{index}.{ending}")
    file.write_bytes(_damaged(contents[chosen], draw, text, contents, MESSAGES.get(kind, "")))
    before, begun = _peak(), time.perf_counter()
    print("start", os.getpid(), index, file, flush=True)
    outcome, note = _outcome(load, folder, file, allowed)
    grown = _peak() - before
    if grown > GROWTH and outcome != "escaped" and kind not in LARGE:
        outcome, note = "memory", f"{outcome}, {grown} MB: {note}"
    print("end", index, outcome, f"{time.perf_counter() - begun:.3f}", grown, note[:400], flush=True)
    if outcome in ("ok", "refused"):
        file.unlink(missing_ok=True)


def _damaged(data: bytes, draw: random.Random, text: bool, others: list[bytes], message_name: str) -> bytes:
    """Half of the files that are messages stay well-formed; the others are damaged byte by byte."""
    from google.protobuf import text_format

    from caffe.proto import caffe_pb2

    if message_name and draw.random() < 0.5:
        message = getattr(caffe_pb2, message_name)()
        try:
            text_format.Parse(data.decode(), message) if text else message.ParseFromString(data)
        except Exception:  # a file of a fork
            return damage(data, draw, text, others)
        messages.damage(message, draw)
        return text_format.MessageToString(message).encode() if text else message.SerializePartialToString()
    return damage(data, draw, text, others)


def _outcome(load, folder: Path, file: Path, allowed: tuple[type[Exception], ...]) -> tuple[str, str]:
    from caffe import CaffeError

    try:
        load(folder, file)
    except (CaffeError, *allowed) as error:
        return ("escaped", f"several lines: {error!r}") if "\n" in str(error) else ("refused", str(error))
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        inside = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}caffe{os.sep}" in f.filename]
        place = inside[-1] if inside else place
        text = " ".join(str(error).split())
        return "escaped", f"{os.path.basename(place.filename)}:{place.lineno} {type(error).__name__}: {text}"
    return "ok", ""


def _peak() -> int:
    """The most memory that the process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _limit(memory: int) -> None:
    """Let the process take `memory` MB of addresses beyond what it has; no core files."""
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (memory << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
