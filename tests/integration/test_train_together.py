"""Several processes train one model: as one process does with the whole batch, whichever machines they are on."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from dask_hosts import ENVIRONMENT, Namespaces, until

import caffe
from data_prep.prepare import prepare
from tools import cli

TOGETHER = {**ENVIRONMENT, "CAFFE_PARALLEL_TIMEOUT": "60", "GLOO_SOCKET_IFNAME": "lo"}
ITERATIONS = 20
# Sums of float32 in another order: tests/integration/test_parallel.py
LIMIT = 4 * 2.0**-24 * ITERATIONS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """data; net, whose layers do not look across a batch; and alone, what one process trains."""
    folder = tmp_path_factory.mktemp("together")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    net = tiny.write_network(folder / "net")
    for file in ("train_val.prototxt", "deploy.prototxt"):
        text = re.sub(r'layer { name: "(motion_)?bn1".*\n|layer { name: "drop".*\n', "", (net / file).read_text())
        (net / file).write_text(text.replace("bn1", "conv1"))
    (net / "solver.prototxt").write_text(tiny.SOLVER.replace("base_lr: 0.01", "base_lr: 0.0002"))
    assert cli.main(training(folder, "alone")) == 0
    return folder


def training(place: Path, output: str, *more: object) -> list[str]:
    settings = [
        "--iterations",
        ITERATIONS,
        "--validate-every",
        5,
        "--workers",
        0,
        "--output",
        place / output,
        "--quiet",
    ]
    return list(map(str, ["train", place / "net", place / "data", "--hold-out", "v2", *settings, *more]))


def run(place: Path, output: str, *more: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tools.cli", *training(place, output, *more)]
    return subprocess.run(command, env=TOGETHER, capture_output=True, text=True, timeout=120)


def on_hosts(commands: list[list[str]], environments: list[dict[str, str]]) -> None:
    """Run a command on each host, all at once, to a good end."""
    started = [
        subprocess.Popen(command, env={**TOGETHER, **more}, stderr=subprocess.PIPE, text=True)
        for command, more in zip(commands, environments)
    ]
    try:
        ends = [process.communicate(timeout=120) for process in started]
        assert [process.returncode for process in started] == [0] * len(started), ends
    finally:
        for process in started:
            process.kill()


def torchrun(rank: int, address: str, port: int, arguments: list[str]) -> list[str]:
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(rank), "--master-addr", address]
    options += ["--master-port", str(port), "-m", "tools.cli"]
    return [sys.executable, "-m", "torch.distributed.run", *options, *arguments]


def weights(folder: Path) -> list[np.ndarray]:
    net = caffe.Net(str(folder / "deploy.prototxt"), str(folder / "weights.caffemodel"), caffe.TEST)
    return [blob.data.copy() for blobs in net.params.values() for blob in blobs]


def check_same_as_alone(place: Path, output: str) -> None:
    for ours, alone in zip(weights(place / output), weights(place / "alone")):
        assert np.abs(ours - alone).max() <= LIMIT * np.abs(alone).max()
    texts = [(place / name / "learning_curve.csv").read_text() for name in (output, "alone")]
    rows = [list(csv.DictReader(text.splitlines())) for text in texts]
    assert len(rows[0]) == len(rows[1]) == 4
    for ours, alone in zip(*rows):
        assert ours["train_accuracy"] == alone["train_accuracy"]
        assert float(ours["train_loss"]) == pytest.approx(float(alone["train_loss"]), rel=1e-4)
        assert float(ours["validation_loss"]) == pytest.approx(float(alone["validation_loss"]), rel=1e-4)
    infos = [json.loads((place / name / "model.json").read_text()) for name in (output, "alone")]
    assert infos[0]["settings"] == infos[1]["settings"]
    files = [sorted(file.name for file in (place / name).rglob("*")) for name in (output, "alone")]
    assert files[0] == files[1]


def test_two_processes_of_a_machine_train_as_one(place):
    done = run(place, "gpus", "--gpus", "0,1")  # without GPUs as many processes compute on the CPU
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    check_same_as_alone(place, "gpus")
    assert run(place, "gpus", "--gpus", "0,1").returncode == 0  # there is nothing left to do, and all see that


def test_two_machines_train_as_one(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = training(place, "machines")
    on_hosts([torchrun(rank, "127.0.0.1", port, arguments) for rank in range(2)], [{}, {}])
    check_same_as_alone(place, "machines")


def test_two_machines_of_a_network_train_as_one(place):
    if why := Namespaces.missing():
        pytest.skip(why)
    with Namespaces() as hosts:
        arguments = training(place, "network")
        commands = [hosts.inside(rank) + torchrun(rank, hosts.scheduler(1), 29500, arguments) for rank in range(2)]
        on_hosts(commands, [{"GLOO_SOCKET_IFNAME": device} for device in ("to1", "up0")])
    check_same_as_alone(place, "network")


def test_killed_they_go_on_with_another_number_of_processes(place):
    command = [sys.executable, "-m", "tools.cli", *training(place, "killed", "--gpus", "0,1,2,3")]
    process = subprocess.Popen(command, env=TOGETHER, start_new_session=True)
    state = place / "killed" / "snapshots" / "state.json"
    until(state.is_file, "a checkpoint")
    process.send_signal(signal.SIGKILL)
    process.wait()
    for child in Path("/proc").glob("[0-9]*"):  # each ends when it asks the others, since who started it has ended
        until(lambda child=child: str(place / "killed") not in command_line(child), "the end of its processes")
    assert json.loads(state.read_text())["iteration"] < ITERATIONS
    done = run(place, "killed", "--gpus", "0,1")
    assert done.returncode == 0, done.stderr
    check_same_as_alone(place, "killed")


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gpus", "0,1,2"], "a batch of 16 sequences: make batch_size a multiple"),
        (["--gpus", "0,1", "--weights", "missing.caffemodel"], "missing.caffemodel: no such file"),
        (["--gpus", "0,1", "--gpu", "0"], "give one of them"),
    ],
)
def test_what_is_wrong_is_said_once_and_nothing_is_left(place, options, words):
    done = run(place, "wrong", *options)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and words in done.stderr
    assert not (place / "wrong").exists()


def test_real_caffe_is_told_apart(monkeypatch, place, capsys):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setitem(os.environ, name, "1")
    monkeypatch.setitem(sys.modules, "caffe.training", None)
    assert cli.main(training(place, "real")) == 2
    assert "needs the engine of this project" in capsys.readouterr().err
