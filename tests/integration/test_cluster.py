"""Videos, folds and trials on a cluster's workers: what is killed or cut off halfway is done by another, and ends the
same, byte for byte, as on one machine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
import tiny
from dask_hosts import Hosts, Namespaces, until

from data_prep.prepare import prepare
from tools import cli, cluster
from tools.train import train

PREDICTED = ("predictions.csv", "bouts.csv", "ethogram.png")
FRAMES = 900


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """data, net, a model of them, a video that takes some seconds, and in `alone` what this process predicts of it."""
    folder = tmp_path_factory.mktemp("cluster")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    train(str(folder / "net"), folder / "data", "v2", folder / "model", iterations=20, workers=0, quiet=True)
    tiny.write_video(folder / "long.mp4", np.arange(FRAMES) // 25 % 3, seed=9)
    assert run("predict", *predicting(folder, "alone")) == 0
    return folder


def run(*arguments: object) -> int:
    return cli.main([*map(str, arguments), "--quiet"])


def predicting(place: Path, output: str) -> list[object]:
    return [place / "model", place / "long.mp4", "--batch-size", 2, "--output", place / output]


def predicted(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "long" / name).read_bytes() for name in PREDICTED}


def begun(folder: Path) -> bool:
    """Whether some frames of the video are predicted, and by far not all."""
    part = folder / "long" / "predictions.csv.part"
    return part.is_file() and part.read_bytes().count(b"\n") > 100


def commands_of(text: object) -> list[psutil.Process]:
    """Running commands that a worker started and that name `text`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "-c" in line and any(str(text) in part for part in line) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.fixture(autouse=True)
def nothing_left(place):
    """Commands that a failing test has suspended end too."""
    yield
    for process in commands_of(place):
        process.kill()


@pytest.fixture
def hosts(tmp_path):
    with Hosts(tmp_path / "hosts") as hosts:
        yield hosts


def test_a_killed_worker_s_video_is_gone_on_with_by_another(place, hosts):
    first = hosts.worker(1)
    command = hosts.command("predict", *predicting(place, "killed"), "--cluster", hosts.file)
    until(lambda: begun(place / "killed"), "the first frames")
    first.kill()
    until(lambda: not commands_of(place / "killed"), "its command's end")
    rows = (place / "killed" / "long" / "predictions.csv.part").read_bytes().count(b"\n") - 1
    assert 0 < rows < FRAMES
    hosts.worker(2)
    _, errors = command.communicate(timeout=120)
    assert (command.returncode, errors) == (0, ""), errors
    assert predicted(place / "killed") == predicted(place / "alone")
    assert sorted(file.name for file in (place / "killed").iterdir()) == ["long"]
    told, alone = (json.loads((place / name / "long" / "run.json").read_text()) for name in ("killed", "alone"))
    assert {key for key in alone if told[key] != alone[key]} <= {"frames_per_second", "seconds", "date"}


def test_a_killed_worker_s_fold_ends_as_on_one_machine(place, hosts):
    settings = ["--iterations", 60, "--validate-every", 10]
    first = hosts.worker(1)
    folds = ["cross-validate", place / "net", place / "data", "--folds", 2, *settings, "--output"]
    command = hosts.command(*folds, place / "folds", "--cluster", hosts.file)
    state = place / "folds" / "fold_1" / "snapshots" / "state.json"
    until(lambda: state.is_file() and json.loads(state.read_text())["iteration"] >= 10, "a checkpoint")
    first.kill()
    hosts.worker(2)
    alone = ["train", place / "net", place / "data", "--hold-out", "v0,v2", "--workers", 0, *settings]
    assert run(*alone, "--output", place / "fold_alone") == 0
    assert command.wait(120) == 0, command.stderr.read()
    weights = [
        (folder / "weights.caffemodel").read_bytes() for folder in (place / "folds" / "fold_1", place / "fold_alone")
    ]
    assert weights[0] == weights[1]
    assert json.loads((place / "folds" / "metrics.json").read_text())["pooled"]["frames"] == 3 * 90


def test_a_killed_worker_s_trial_does_not_change_the_search(place, hosts):
    trials = ["tune", place / "net", place / "data", "--hold-out", "v2", "--trials", 2, "--iterations", 50, "--output"]
    first = hosts.worker(1)
    command = hosts.command(*trials, place / "searched", "--cluster", hosts.file)
    state = place / "searched" / "trials" / "1" / "snapshots" / "state.json"
    until(state.is_file, "the second trial's checkpoint")
    first.kill()
    hosts.worker(2)
    assert run(*trials, place / "searched_alone", "--jobs", 1) == 0
    assert command.wait(120) == 0, command.stderr.read()
    for name in ("trials.csv", "solver.prototxt"):
        assert (place / "searched" / name).read_bytes() == (place / "searched_alone" / name).read_bytes()


def test_while_a_worker_that_is_given_up_goes_on_no_other_writes_to_its_folder(place, hosts):
    first = hosts.worker(1)
    command = hosts.command("predict", *predicting(place, "held"), "--cluster", hosts.file)
    until(lambda: begun(place / "held"), "the first frames")
    (computing,) = commands_of(place / "held")
    first.send_signal(signal.SIGSTOP)
    computing.suspend()
    hosts.give_up()
    hosts.worker(2)
    until(lambda: len(commands_of(place / "held")) == 2, "the second worker's try")
    assert begun(place / "held")
    until(lambda: len(commands_of(place / "held")) == 1, "its refusal")
    computing.resume()
    assert command.wait(120) == 0, command.stderr.read()
    assert predicted(place / "held") == predicted(place / "alone")


def test_a_host_that_is_cut_off_ends_its_command_and_another_goes_on(place, tmp_path):
    if why := Namespaces.missing():
        pytest.skip(why)
    with Namespaces() as namespaces, Hosts(tmp_path / "hosts", namespaces) as hosts:
        hosts.worker(1)
        address = f"tcp://{namespaces.scheduler(1)}:8786"
        command = hosts.command("predict", *predicting(place, "cut"), "--cluster", address)
        until(lambda: begun(place / "cut"), "the first frames")
        (computing,) = commands_of(place / "cut")
        computing.suspend()  # it would be done before anyone missed it
        namespaces.cut(1)
        hosts.worker(2)
        until(lambda: len(commands_of(place / "cut")) == 2, "the second host's try")
        computing.resume()
        assert command.wait(120) == 0, command.stderr.read()
    assert predicted(place / "cut") == predicted(place / "alone")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_that_ends_leaves_nothing_running_on_the_workers(place, hosts, how):
    hosts.worker(1)
    output = f"left_{how}"
    command = hosts.command("predict", *predicting(place, output), "--cluster", hosts.file)
    until(lambda: begun(place / output), "the first frames")
    command.send_signal(how)
    command.wait(30)
    until(lambda: not commands_of(place / output), "the end of its commands")
    assert not (place / output / "long" / "run.json").exists()


def test_what_is_wrong_with_a_video_is_one_line_and_the_others_are_done(place, hosts):
    hosts.worker(1)
    (place / "mixed").mkdir()
    (place / "mixed" / "bad.mp4").write_bytes((place / "data" / "videos" / "v0.mp4").read_bytes()[:4000])
    (place / "mixed" / "good.mp4").write_bytes((place / "data" / "videos" / "v0.mp4").read_bytes())
    videos = [place / "mixed", "--output", place / "mixed_out", "--cluster", hosts.file]
    command = hosts.command("predict", place / "model", *videos, "--quiet")
    _, errors = command.communicate(timeout=120)
    assert command.returncode == 1 and len(errors.splitlines()) == 2 and "bad.mp4" in errors
    assert (place / "mixed_out" / "good" / "run.json").is_file()


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_no_scheduler_no_package_and_contradictions_are_one_line(place, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_FOR", 0.5)
    for options, words in (
        (["--cluster", "tcp://127.0.0.1:9"], "no Dask scheduler answers there"),
        (["--cluster", "nowhere"], "no Dask scheduler answers there"),
        (["--cluster", "tcp://127.0.0.1:9", "--jobs", 2], "give one"),
        (["--slurm", 2, "--gpus", "0,1"], "on a cluster give one number"),
        (["--cluster", "tcp://127.0.0.1:9", "--gpu", 0], "give --gpus"),
    ):
        assert run("predict", *predicting(place, "never"), *options) == 2
        line = capsys.readouterr().err
        assert words in line and len(line.splitlines()) == 1
    import dask.config

    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert run("predict", *predicting(place, "never"), "--cluster", "tcp://127.0.0.1:9") == 2
    assert "give a tls:// address" in capsys.readouterr().err
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _: None)
    assert run("predict", *predicting(place, "never"), "--cluster", "tcp://127.0.0.1:9") == 2
    assert "run `pip install distributed`" in capsys.readouterr().err
    assert not (place / "never").exists()


def test_a_worker_with_other_files_or_another_version_or_without_locks_refuses(tmp_path):
    import fcntl

    token = tmp_path / "token"
    order = {"token": str(token), "text": "this", "version": cluster.__version__}

    def refusal(**changes: object) -> str:
        with pytest.raises(cluster.InputError) as caught:
            cluster.check({**order, **changes}, "tcp://127.0.0.2:1")
        return str(caught.value)

    assert "does not see" in refusal()
    token.write_text("that")
    assert "does not see" in refusal()
    token.write_text("this")
    assert "locks do not hold" in refusal()
    with open(token, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        cluster.check(order, "tcp://127.0.0.2:1")
        assert "has ethocaffe" in refusal(version="0")


# -- SLURM -------------------------------------------------------------------------------------------------------------

SBATCH = """#!/bin/sh
# SLURM's, as far as Dask uses it: runs the script at once and prints a job's number.
cp "$1" "$SLURM_LOG/script"
setsid sh "$SLURM_LOG/script" >>"$SLURM_LOG/out" 2>&1 &
echo $! >>"$SLURM_LOG/started"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do echo $job >>"$SLURM_LOG/cancelled"; kill -- -$job; done
true
"""


def test_slurm_s_jobs_are_submitted_as_configured_and_cancelled_at_the_end(place, tmp_path, monkeypatch, capsys):
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    command = [cluster.sys.executable, "-m", "tools.cli", "predict", *map(str, predicting(place, "slurm"))]
    settings = {
        "CORES": "1",
        "MEMORY": "2GB",
        "QUEUE": "long",
        "WALLTIME": "02:00:00",
        "INTERFACE": "lo",
        "LOCAL_DIRECTORY": str(tmp_path),
    }
    environment = {
        **os.environ,
        "PYTHONPATH": f"{Path(cluster.__file__).parents[1]}:{Path(cluster.__file__).parents[1] / 'engine'}",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_LOG": str(tmp_path),
        **{f"DASK_JOBQUEUE__SLURM__{name}": str(value) for name, value in settings.items()},
    }
    done = cluster.processes.subprocess.run(
        [*command, "--slurm", "1"], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert predicted(place / "slurm") == predicted(place / "alone")
    script = (tmp_path / "script").read_text()
    assert "#SBATCH -p long\n" in script and "#SBATCH -t 02:00:00\n" in script and "--mem=2G" in script
    started = (tmp_path / "started").read_text().split()
    assert len(started) == 1 and (tmp_path / "cancelled").read_text().split() == started
    del environment["DASK_JOBQUEUE__SLURM__MEMORY"]
    done = cluster.processes.subprocess.run(
        [*command, "--slurm", "1"], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "jobqueue.yaml" in done.stderr
