"""Several processes train as one: on CPUs, with gloo; what CUDA adds is the other backend."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import parallel_cases
import pytest

import caffe
from caffe import CaffeError
from caffe.training import launch, parallel

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CAFFE_PARALLEL_TIMEOUT": "60"}
COUNT = 2


def in_ranks(results, what):
    """For each rank {name: array} of what begins so."""
    return [{name: rank[name] for name in rank if name.startswith(what + "/")} for rank in results]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parallel")
    parallel_cases.write_lmdb(folder)
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """What each rank wrote."""
    uids = [caffe.NCCL.new_uid().decode() for _ in parallel_cases.CASES]
    processes = [subprocess.Popen([sys.executable, parallel_cases.__file__, str(folder), str(rank), str(COUNT), *uids],
                                  env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) for rank in range(COUNT)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * COUNT, errors
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(COUNT)]


@pytest.mark.parametrize("case", parallel_cases.CASES)
def test_all_start_from_the_weights_of_rank_0(results, case):
    before, start = in_ranks(results, f"{case}/before"), in_ranks(results, f"{case}/start")
    weights = before[0][f"{case}/before/0"]
    assert (weights != before[1][f"{case}/before/0"]).any()  # each rank has a seed of its own
    for k in range(len(start[0])):
        for rank in start:
            np.testing.assert_array_equal(rank[f"{case}/start/{k}"], before[0][f"{case}/before/{k}"])


@pytest.mark.parametrize("case", [case for case in parallel_cases.CASES if case != "batch_norm"])
def test_n_processes_take_the_steps_of_one_with_n_times_the_batch(folder, results, case):
    solver = parallel_cases.make_solver(folder, case, COUNT * parallel_cases.BATCH, "alone")
    solver.step(parallel_cases.ITERATIONS)
    for k, expected in enumerate(parallel_cases.weights(solver)):
        first, *others = [rank[f"{case}/end/{k}"] for rank in results]
        assert (first != results[0][f"{case}/start/{k}"]).any()
        for other in others:
            np.testing.assert_array_equal(other, first)
        # sums of float32 in another order, which is the processor's too: four units of 6e-8 in each of the steps
        limit = 4 * 2.0**-24 * parallel_cases.ITERATIONS
        assert np.abs(first - expected).max() <= limit * np.abs(expected).max()


def test_summing_layer_by_layer_or_at_the_end_is_the_same(results):
    for k in range(4):
        np.testing.assert_array_equal(results[0][f"momentum/end/{k}"], results[0][f"at_the_end/end/{k}"])


def test_statistics_of_batch_norm_stay_each_processs_own(results):
    first, second = in_ranks(results, "batch_norm/end")
    differ = [(first[name] != second[name]).any() for name in sorted(first)]
    assert differ == [False, False, True, True, False, False, False]  # conv; mean, variance, factor; ip


def test_asked_to_stop_in_one_process_all_stop_after_the_same_iteration(results):
    assert [rank["stopped_at"] for rank in results] == [parallel_cases.ITERATIONS + 3] * COUNT


# -- the command -------------------------------------------------------------------------------------------------------

TROUBLE = """
import os, signal, caffe

class Trouble(caffe.Layer):
    '''Passes on its bottom; in rank 1 does what param_str says, in the third forward.'''
    def setup(self, bottom, top):
        self.forwards = 0
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data
        self.forwards += 1
        if self.forwards == 3 and caffe.solver_rank() == 1:
            exec_(self.param_str)
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff

def exec_(what):
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "interrupt":  # the process that started them, as Ctrl-C does
        os.kill(os.getppid(), signal.SIGINT)
    if what == "complain":
        raise caffe.CaffeError("the data of rank 1 are bad")
"""
TROUBLE_LAYER = """layer { name: "trouble" type: "Python" bottom: "data" top: "same"
  python_param { module: "trouble" layer: "Trouble" param_str: "%s" } }"""


@pytest.fixture
def train(folder, tmp_path):
    """train(trouble, option…): the result of `caffe train` on two "GPUs", which are CPUs here."""
    def train(trouble, *options, launcher=(), max_iter=4):
        net = parallel_cases.DATA.replace("FOLDER", str(folder)).replace("BATCH", "4")
        net += TROUBLE_LAYER % trouble + parallel_cases.CONV.replace('"data"', '"same"') + parallel_cases.LOSS
        (tmp_path / "trouble.py").write_text(TROUBLE)
        (tmp_path / "net").write_text(net)
        (tmp_path / "solver").write_text(f'net: "net" base_lr: 0.1 lr_policy: "fixed" random_seed: 1 max_iter: '
                                         f'{max_iter} display: 2 test_interval: 2 test_iter: 1 snapshot: 2 '
                                         f'snapshot_prefix: "s"')
        command = [sys.executable, *launcher, "-m", "caffe.cli", "train", "--solver", "solver", *options]
        path = os.pathsep.join([str(Path(caffe.__file__).parents[1]), str(tmp_path)])
        return subprocess.run(command, cwd=tmp_path, env={**ENVIRONMENT, "PYTHONPATH": path}, capture_output=True,
                              text=True, timeout=120)
    return train


@pytest.mark.parametrize("options", [{"launcher": ("-m", "torch.distributed.run", "--nproc-per-node", "2")}, {}])
def test_one_process_logs_tests_and_writes_for_all(train, tmp_path, options):
    done = train("nothing", *(() if options else ("--gpu", "0,1")), **options)
    assert done.returncode == 0, done.stderr
    lines = [line.split("] ", 1)[1] for line in done.stderr.splitlines() if re.match(r"I\d{4} ", line)]
    text = "\n".join(lines)
    assert len(re.findall(r"Iteration 2, Testing", text)) == len(re.findall(r"Iteration 2 \(", text)) == 1
    assert len(re.findall(r"Snapshotting to binary", text)) == 2
    assert text.count("Iteration 4, loss") == 1
    assert sorted(file.name for file in tmp_path.glob("s_*")) == [
        f"s_iter_{n}.{ending}" for n in (2, 4) for ending in ("caffemodel", "solverstate")]


def test_an_interruption_ends_all_in_good_order(train, tmp_path):
    done = train("interrupt", "--gpu", "0,1", "--sigint_effect", "stop", max_iter=1_000_000)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Optimization stopped early.") == 1
    assert "error" not in done.stderr
    assert len(list(tmp_path.glob("s_iter_*.caffemodel"))) == len(list(tmp_path.glob("s_iter_*.solverstate"))) > 0


@pytest.mark.parametrize(("trouble", "line"), [
    ("die", "rank 1 was ended by signal 9 (Killed), so the training has ended"),
    ("complain", "rank 1: the data of rank 1 are bad"),
])
def test_a_process_that_fails_ends_all_with_one_line(train, trouble, line):
    done = train(trouble, "--gpu", "0,1", "--minloglevel", "3")
    assert done.returncode not in (0, None)
    assert done.stderr == f"caffe: error: {line}\n"


def test_what_is_wrong_for_all_is_said_once(train):
    done = train("nothing", "--gpu", "0,1", "--weights", "missing.caffemodel", "--minloglevel", "3")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "missing.caffemodel" in done.stderr


# -- faults ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("gpus", "words"), [([0, 0], "twice"), ([0, -1], "no GPU -1")])
def test_gpus_that_cannot_be(gpus, words):
    with pytest.raises(CaffeError, match=words):
        launch.train_on(gpus, [])


def test_small_gradients_travel_together(monkeypatch):
    monkeypatch.setattr(parallel, "BUCKET", 10)
    blobs = [caffe.Blob(n) for n in (4, 6, 1, 20, 3, 3)]
    assert [[blob.count for blob in run] for run in parallel.buckets(blobs)] == [[4, 6], [1], [20], [3, 3]]


def test_a_process_that_does_not_come_is_missed(folder, monkeypatch):
    monkeypatch.setenv("CAFFE_PARALLEL_TIMEOUT", "0.2")
    uid = caffe.NCCL.new_uid()
    solver = parallel_cases.make_solver(folder, "momentum", 4, "waiting")
    caffe.set_solver_count(2)
    try:
        with pytest.raises(CaffeError, match="only 1 of 2 processes"):
            caffe.NCCL(solver, uid)
        with pytest.raises(CaffeError, match="is no uid"):
            caffe.NCCL(solver, b"something")
    finally:
        caffe.set_solver_count(1)
