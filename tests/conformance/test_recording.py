"""Whole training runs by the `caffe` command, line by line and number by number against real Caffe 1.0's logs.

golden/recording/ was written by make_recording.py; runs and data are in recording_cases.py. The last tests run real
Caffe itself, where it is built: states go from each to the other.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from recording_cases import RUNS, solver_text, write
from structure_cases import CASES, command

from caffe.cli import main
from caffe.proto import caffe_pb2

GOLDEN = Path(__file__).resolve().parent / "golden" / "recording"
PREFIX = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ (\w+\.[ch]pp):\d+\] ")
SPEED = re.compile(r"\(\S+ iter/s, \S+s/(\d+) iters\)")
# how far the prefetching thread is, and what HDF5 says once a process
NOISE = ("Waiting for data", "Restarting data", "Datatype class")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with data, net and solvers, as working folder."""
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def messages(log: str) -> list[str]:
    """The lines without glog's prefix, speeds and noise."""
    lines = [SPEED.sub(r"(\1)", PREFIX.sub("", line)) for line in log.splitlines()]
    return [line for line in lines if not line.startswith(NOISE)]


def worst_place(ours: list[str], theirs: list[str]) -> float:
    """How far apart equal lines' numbers are, in units of the last of six printed digits; others must be equal.

    What is no further apart than single precision's resolution at 1 counts as equal: outputs are sums of such terms.
    """
    assert [NUMBER.sub("#", line) for line in ours] == [NUMBER.sub("#", line) for line in theirs]
    worst = 0.0
    for our_line, their_line in zip(ours, theirs):
        for a, b in zip(NUMBER.findall(our_line), NUMBER.findall(their_line)):
            if abs(float(a) - float(b)) > np.finfo(np.float32).eps:
                assert float(b) != 0, (our_line, their_line)
                unit = 10.0 ** (np.floor(np.log10(abs(float(b)))) - 5)
                worst = max(worst, abs(float(a) - float(b)) / unit)
    return worst


@pytest.mark.parametrize("run", RUNS)
def test_the_log_is_real_caffes(run, place, capfd):
    """Every line, in its order; every number to one unit of its last printed digit, where rounding may part them."""
    assert main(["train", f"--solver={run}.prototxt"]) == 0
    theirs = messages((GOLDEN / f"{run}.log").read_text())
    assert worst_place(messages(capfd.readouterr().err)[-len(theirs):], theirs) < 1.5


@pytest.mark.parametrize("case", CASES)
def test_the_log_of_an_odd_net_is_real_caffes(case, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(command(case, tmp_path)) == 0
    theirs = messages((GOLDEN / f"{case}.log").read_text())
    assert worst_place(messages(capfd.readouterr().err), theirs) < 1.5


def table(log: str) -> list[tuple]:
    """(kind, iteration, rate, output, value) of each output line, found by what parse_log looks for."""
    rows, iteration, rate = [], -1, np.nan
    begin = next(time_of(line) for line in log.splitlines() if "Solving" in line)
    for line in log.splitlines():
        if found := re.search(r"Iteration (\d+)", line):
            iteration = int(found[1])
        if iteration < 0:
            continue
        assert time_of(line) >= begin
        if found := re.search(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)", line):
            rate = float(found[1])
        for kind in ("Train", "Test"):
            if found := re.search(kind + r" net output #(\d+): (\S+) = ([\.\deE+-]+)", line):
                rows.append((kind, iteration, rate, found[2], float(found[3])))
    return rows


def time_of(line: str) -> datetime:
    """As BVLC's extract_seconds reads it: month and day behind the severity, then the time, with microseconds."""
    day, clock = line.split()[:2]
    return datetime.strptime(f"2020{day[1:]} {clock}", "%Y%m%d %H:%M:%S.%f")


def test_scripts_that_read_logs_find_the_same_table(place, capfd):
    assert main(["train", "--solver=sgd.prototxt"]) == 0
    ours, theirs = table(capfd.readouterr().err), table((GOLDEN / "sgd.log").read_text())
    assert len(theirs) == 2 * 2 * 3 + 12
    assert [row[:4] for row in ours[1:]] == [row[:4] for row in theirs[1:]]  # before the first rate there is none
    np.testing.assert_allclose([row[4] for row in ours], [row[4] for row in theirs], rtol=1e-5)


@pytest.mark.parametrize(("run", "form"), [
    *((run, "BINARYPROTO") for run in RUNS if run != "debug"), ("sgd", "HDF5"), ("adadelta", "HDF5")])
def test_states_go_on_alike_here_and_there(run, form, place, real_caffe, capfd):
    """Each writes a state at iteration 30; both go on from both, and say the same from then on."""
    ending = ".solverstate.h5" if form == "HDF5" else ".solverstate"
    for side in ("here", "there"):
        more = f'snapshot_format: {form} snapshot_prefix: "{side}" snapshot: 30 max_iter:'
        (place / f"{side}.prototxt").write_text(solver_text(run, f"{more} 30"))
        (place / f"on_{side}.prototxt").write_text(solver_text(run, f"{more} 55"))
    real_caffe(place, "caffe", "train", "--solver=there.prototxt")
    assert main(["train", "--solver=here.prototxt"]) == 0
    written = {p.name.replace("here", "there") for p in place.glob("here_iter*")}
    assert written == {p.name for p in place.glob("there_iter*")} and len(written) == 2
    if form == "BINARYPROTO":
        assert_same_files(place)
    for side in ("here", "there"):
        words = ["train", f"--solver=on_{side}.prototxt", f"--snapshot={side}_iter_30{ending}"]
        real = real_caffe(place, "env", "GLOG_minloglevel=0", "caffe", *words).stderr
        capfd.readouterr()
        assert main(words) == 0
        assert worst_place(messages(capfd.readouterr().err), messages(real)) < 1.5


def assert_same_files(place: Path) -> None:
    """The two snapshots differ in rounding and in the name of the weights only."""
    for kind, message in ((".caffemodel", caffe_pb2.NetParameter), (".solverstate", caffe_pb2.SolverState)):
        ours, theirs = (message.FromString((place / f"{side}_iter_30{kind}").read_bytes())
                        for side in ("here", "there"))
        for our_blob, their_blob in zip(blobs_of(ours), blobs_of(theirs)):
            scale = max(map(abs, their_blob.data), default=0)
            np.testing.assert_allclose(our_blob.data, their_blob.data, atol=1e-5 * scale)
            del our_blob.data[:], their_blob.data[:]
        if kind == ".solverstate":
            ours.learned_net = theirs.learned_net
        assert ours == theirs


def blobs_of(message) -> list[caffe_pb2.BlobProto]:
    if isinstance(message, caffe_pb2.SolverState):
        return list(message.history)
    return [blob for layer in message.layer for blob in layer.blobs]


def test_scores_are_real_caffes(place, real_caffe, capfd):
    assert main(["train", "--solver=nesterov.prototxt", "--minloglevel=2"]) == 0
    words = ["test", "-model", "net.prototxt", "--weights=run_iter_60.caffemodel", "-iterations=4",
             "--stage", "plain,other", "--level=2"]
    log = real_caffe(place, "env", "GLOG_minloglevel=0", "caffe", *words).stderr
    capfd.readouterr()
    assert main(words) == 0
    ours = messages(capfd.readouterr().err)
    assert worst_place(ours, messages(log)) < 1.5
    assert re.fullmatch(r"accuracy = 0\.\d+", ours[-2])
    assert re.fullmatch(r"loss = (\S+) \(\* 1 = \1 loss\)", ours[-1])
