"""Solvers: nets, states, tests, displays, snapshots and faults. The arithmetic is held in tests/conformance."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import caffe
from caffe import CaffeError
from caffe.proto import caffe_pb2
from caffe.training import updates

NET = """
name: "net"
layer { name: "in" type: "DummyData" top: "x" top: "y"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } data_filler { value: 0.5 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "p"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "only" type: "ReLU" bottom: "p" top: "extra" include { stage: "extra" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "p" bottom: "y" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "p" bottom: "y" top: "acc" include { phase: TEST } }
"""
PREFIX = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ (sgd_)?solver\.cpp:\d+\] ")
BASE = 'base_lr: 0.1 lr_policy: "fixed" random_seed: 3 '


@pytest.fixture
def solver(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)

    def make(text=""):
        file = tmp_path / "solver.prototxt"
        file.write_text(f'net: "{tmp_path}/net.prototxt" snapshot_prefix: "{tmp_path}/s" {BASE} {text}')
        return caffe.get_solver(str(file))

    return make


def test_display_lines_are_caffes(solver, capfd):
    solver("display: 2 test_iter: 1 test_interval: 3 max_iter: 4").solve()
    lines = [line.split("] ", 1)[1] for line in capfd.readouterr().err.splitlines() if PREFIX.match(line)]
    text = "\n".join(lines)
    assert re.search(r"^Iteration 0 \(\S+ iter/s, \S+s/2 iters\), loss = 0\.\d+$", text, re.M)
    assert re.search(r"^    Train net output #0: loss = \S+ \(\* 1 = \S+ loss\)$", text, re.M)
    assert re.search(r"^Iteration 0, lr = 0\.1$", text, re.M)
    assert re.search(r"^Iteration 3, Testing net \(#0\)$", text, re.M)
    assert re.search(r"^    Test net output #0: acc = 1$", text, re.M)
    assert re.search(r"^    Test net output #1: loss = \S+ \(\* 1 = \S+ loss\)$", text, re.M)
    assert re.search(r"^Iteration 4, loss = \S+$", text, re.M)
    assert lines[-1] == "Optimization Done."
    assert text.index("Iteration 0, Testing") < text.index("Iteration 0 (")


def test_every_line_of_the_training_has_glogs_prefix_and_caffes_file(solver, capfd):
    made = solver("display: 1 max_iter: 1 test_iter: 1 test_interval: 1")
    capfd.readouterr()
    made.solve()
    for line in capfd.readouterr().err.splitlines():
        assert PREFIX.match(line), line


@pytest.mark.parametrize(("text", "tests"), [
    ("test_interval: 2 test_iter: 1", [0, 2, 4]),
    ("test_interval: 2 test_iter: 1 test_initialization: false", [2, 4]),
])
def test_testing_is_due_at_the_interval(solver, capfd, text, tests):
    solver(text).step(5)
    assert [int(n) for n in re.findall(r"Iteration (\d+), Testing", capfd.readouterr().err)] == tests


def test_the_test_net_uses_the_trained_weights(solver):
    made = solver("test_iter: 1 test_interval: 100")
    made.step(3)
    made.test_all()
    assert made.test_nets[0].params["ip"][0].data is not made.net.params["ip"][0].data
    made.net.params["ip"][0].data[...] = 9
    assert (made.test_nets[0].params["ip"][0].data == 9).all()


def test_states_choose_the_nets_layers(solver):
    made = solver('train_state { stage: "extra" } test_iter: 1 test_iter: 1 test_interval: 5 '
                  'test_state { stage: "extra" } test_state { }')
    assert "only" in made.net.layer_dict
    assert ["only" in net.layer_dict for net in made.test_nets] == [True, False]
    assert made.net.phase == caffe.TRAIN and made.test_nets[0].phase == caffe.TEST


def test_weights_in_the_solver_are_loaded_into_all_nets(solver, tmp_path):
    first = solver()
    first.step(2)
    first.net.save(tmp_path / "w.caffemodel")
    made = solver(f'weights: "{tmp_path}/w.caffemodel" test_iter: 1 test_interval: 1')
    for net in (made.net, made.test_nets[0]):
        assert (net.params["ip"][0].data == first.net.params["ip"][0].data).all()


def test_snapshots_are_written_when_due_and_at_the_end(solver, tmp_path):
    solver("snapshot: 2 max_iter: 5").solve()
    assert sorted(f.name for f in tmp_path.glob("s_iter*")) == [
        f"s_iter_{n}.{e}" for n in (2, 4, 5) for e in ("caffemodel", "solverstate")]
    for file in tmp_path.glob("s_iter*"):
        file.unlink()
    solver("snapshot: 2 max_iter: 5 snapshot_after_train: false").solve()
    assert not (tmp_path / "s_iter_5.caffemodel").exists()


def test_one_seed_gives_one_run(solver):
    one, other = solver(), solver()
    one.step(3)
    other.step(3)
    np.testing.assert_array_equal(one.net.params["ip"][0].data, other.net.params["ip"][0].data)


def test_average_loss_smooths_over_its_window(solver, capfd):
    made = solver("display: 1 average_loss: 3")
    losses = []
    made.net.after_forward(lambda i: losses.append(float(made.net.blobs["loss"].data))
                           if i == len(made.net.layers) - 1 else None)
    made.step(5)
    shown = [float(x) for x in re.findall(r"iters\), loss = (\S+)", capfd.readouterr().err)]
    expected = [np.mean(losses[max(0, i - 2):i + 1]) for i in range(5)]
    np.testing.assert_allclose(shown, expected, rtol=1e-4)


def test_callbacks_and_a_step_by_hand(solver):
    made, seen = solver(), []
    made.add_callback(lambda: seen.append("start"), lambda: seen.append("gradients"))
    made.step(2)
    assert seen == ["start", "gradients"] * 2 and made.iter == 2
    before = made.net.params["ip"][0].data.copy()
    made.net.clear_param_diffs()
    made.net.forward_backward()
    diff = made.net.params["ip"][0].diff.copy()
    made.apply_update()
    np.testing.assert_allclose(made.net.params["ip"][0].data, before - 0.1 * diff, rtol=1e-6)
    assert made.iter == 3 and made.lr == pytest.approx(0.1)


FAULTS = [
    ('type: "SDG"', "unknown solver type 'SDG'; known: SGD"),
    ('type: "RMSProp" momentum: 0.9', "RMSProp takes no momentum"),
    ('type: "RMSProp" rms_decay: 1', "rms_decay must lie in"),
    ("snapshot: 1 iter_size: 0", "iter_size"),
    ("test_iter: 1", "no test_interval"),
    ("test_state { }", "1 test_state for 0"),
    ('train_net: "other.prototxt"', "exactly one of net"),
    ('weights: "nowhere.caffemodel"', r"nowhere\.caffemodel"),
    ("base_lrr: 1", "did you mean base_lr"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_faults_are_one_line_that_says_what_to_do(solver, text, message):
    with pytest.raises(CaffeError, match=message) as caught:
        solver(text)
    assert "\n" not in str(caught.value)


def test_an_unwritable_prefix_is_found_before_training(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "s.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" snapshot: 1 snapshot_prefix: "{tmp_path}/no/s" {BASE}')
    with pytest.raises(CaffeError, match="snapshot_prefix"):
        caffe.get_solver(tmp_path / "s.prototxt")


@pytest.mark.parametrize(("text", "message"), [('lr_policy: "setp"', "unknown lr_policy 'setp'"),
                                               ('lr_policy: "step"', "needs stepsize")])
def test_policy_faults(solver, tmp_path, text, message):
    file = tmp_path / "p.prototxt"
    (tmp_path / "net.prototxt").write_text(NET)
    file.write_text(f'net: "{tmp_path}/net.prototxt" base_lr: 1 {text}')
    with pytest.raises(CaffeError, match=message):
        caffe.get_solver(file).step(1)


def test_a_state_of_another_net_is_refused(solver, tmp_path):
    made = solver()
    made.step(1)
    made.snapshot()
    state = caffe.proto.caffe_pb2.SolverState.FromString((tmp_path / "s_iter_1.solverstate").read_bytes())
    del state.history[1]
    (tmp_path / "s_iter_1.solverstate").write_bytes(state.SerializeToString())
    with pytest.raises(CaffeError, match=r"s_iter_1\.solverstate: holds 1 history blobs, this SGD solver needs 2"):
        made.restore(tmp_path / "s_iter_1.solverstate")


def test_the_caffe_command_trains_and_resumes(solver, tmp_path, capfd):
    from caffe.cli import main

    solver("snapshot: 2 max_iter: 4").solve()
    whole = (tmp_path / "s_iter_4.caffemodel").read_bytes()
    (tmp_path / "s_iter_4.caffemodel").unlink()
    file = str(tmp_path / "solver.prototxt")
    assert main(["train", f"--solver={file}", f"-snapshot={tmp_path}/s_iter_2.solverstate"]) == 0
    assert (tmp_path / "s_iter_4.caffemodel").read_bytes() == whole
    assert main(["train", f"-solver={tmp_path}/none.prototxt"]) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("caffe: error: ")


def test_requests_while_testing_are_heeded_at_once(solver, tmp_path, capfd):
    made = solver("test_iter: 5 test_interval: 2 max_iter: 4")
    answers = ["", "snapshot", "", "", "", "", "", "stop"]  # five batches, one of them twice, and two iterations
    made.requested_action = lambda: answers.pop(0) if answers else ""
    made.solve()
    said = [line.split("] ", 1)[-1] for line in capfd.readouterr().err.splitlines()]
    assert [f.name for f in sorted(tmp_path.glob("*.caffemodel"))] == ["s_iter_0.caffemodel", "s_iter_2.caffemodel"]
    assert said[-1] == "Optimization stopped early." and made.iter == 2
    capfd.readouterr()
    answers[:] = ["", "stop"]  # the first batches of the test that is due now
    made.solve()
    said = [line.split("] ", 1)[-1] for line in capfd.readouterr().err.splitlines()]
    assert said[-1] == "Optimization stopped early." and "Test interrupted." in said and made.iter == 2


@pytest.mark.parametrize("name", list(updates.RULES))
def test_a_large_parameter_is_updated_as_a_small_one(name, monkeypatch):
    """In pieces that fit the caches, the last of them shorter."""
    size = 2 * updates.PIECE + 5
    rule = updates.RULES[name]
    param = caffe_pb2.SolverParameter(weight_decay=0.1, momentum=0.9, regularization_type="L2", rms_decay=0.9)

    def updated():
        data, diff, *history = torch.rand(4, size, generator=torch.Generator().manual_seed(1))
        updates.Step(rule, param, 3, [0.5, 0.25]).apply(data, diff, history[:rule.histories], 0.1, 1.0)
        return data, diff, *history

    in_pieces = updated()
    monkeypatch.setattr(updates, "PIECE", size)
    assert all(torch.equal(piece, whole) for piece, whole in zip(in_pieces, updated()))
