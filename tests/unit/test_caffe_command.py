"""The `caffe` command: gflags' habits, help without torch, exit statuses, signals, log files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from caffe import flags as gflags
from caffe.cli import COMMANDS, main
from caffe.errors import CaffeError
from caffe.flags import Flag

FLAGS = {"name": Flag("", "a text"), "count": Flag(5, "a number"), "gray": Flag(False, "a switch"),
         "log_dir": Flag("", "with an underscore"), "on": Flag(True, "a switch that is on")}


@pytest.mark.parametrize(("words", "values", "arguments"), [
    (["-name", "x", "a"], {"name": "x"}, ["a"]),
    (["a", "--name=x=y", "b"], {"name": "x=y"}, ["a", "b"]),
    (["-name=", "--count=0x10"], {"name": "", "count": 16}, []),
    (["--count", "-3"], {"count": -3}, []),
    (["-gray", "true"], {"gray": True}, ["true"]),  # a switch takes no word behind it
    (["--gray=f", "--noon"], {"gray": False, "on": False}, []),
    (["--nogray", "--gray"], {"gray": True}, []),
    (["--log-dir=d"], {"log_dir": "d"}, []),
    (["-", "--", "--name=x"], {}, ["-", "--name=x"]),
])
def test_flags_are_read_as_gflags_does(words, values, arguments):
    parsed = gflags.parse(words, FLAGS)
    assert parsed.values == {**{name: flag.default for name, flag in FLAGS.items()}, **values}
    assert parsed.arguments == arguments


@pytest.mark.parametrize(("words", "message"), [
    (["--nmae=x"], "unknown flag --nmae: did you mean --name"),
    (["--noname"], "unknown flag --noname"),
    (["--name"], "needs a value"),
    (["--count=many"], "whole number, not 'many'"),
    (["--gray=maybe"], "true or false"),
    (["--flagfile=nowhere"], "no file 'nowhere'"),
])
def test_faults_of_flags_say_what_to_do(words, message):
    with pytest.raises(CaffeError, match=message):
        gflags.parse(words, FLAGS)


def test_a_flagfile_gives_flags_that_later_ones_override(tmp_path):
    file = tmp_path / "flags"
    file.write_text("# a comment\n--name=x\n  --count=7\n")
    assert gflags.parse([f"--flagfile={file}", "--count=8"], FLAGS).values["name"] == "x"
    assert gflags.parse([f"--flagfile={file}", "--count=8"], FLAGS).values["count"] == 8


def test_help_of_all_commands_needs_no_heavy_package():
    script = ("import sys; from caffe.cli import main, COMMANDS\n"
              "for words in [[], *([name] for name in COMMANDS)]: assert main([*words, '--help']) == 0\n"
              "assert not {'torch', 'numpy', 'cv2', 'lmdb'} & set(sys.modules)")
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(shown.count(name) >= 2 for name in COMMANDS)


@pytest.mark.parametrize(("words", "message"), [
    ([], "usage: caffe COMMAND"),
    (["trian"], "unknown command 'trian': did you mean train?"),
    (["train"], "give --solver=FILE"),
    (["train", "--solvr=x"], "unknown flag --solvr: did you mean --solver?"),
    (["train", "--gray", "--solver=x"], "unknown flag --gray"),
    (["-solver", "x", "train", "-weights=a", "-snapshot=b"], "not both"),
    (["train", "--solver=nowhere.prototxt", "--iterations=3"], "nowhere.prototxt: not found"),
    (["train", "--solver=x", "--sigint_effect=halt"], "--sigint_effect is one of stop, snapshot, none, not 'halt'"),
    (["train", "--solver=x", "extra"], "was given 1 argument(s)"),
    (["test", "--model=x"], "give --weights=FILE"),
    (["test", "--model=x", "--weights=y", "--iterations=0"], "--iterations must be at least 1"),
    (["time", "--model=x", "--phase=train"], "--phase is TRAIN or TEST, not 'train'"),
    (["time", "--model=x", "--gpu=first"], "--gpu is a GPU's index"),
    (["convert_imageset", "root/", "list"], "convert_imageset takes [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME"),
    (["compute_image_mean", "nowhere"], "nowhere"),
    (["extract_features", "w", "n", "a,b", "d", "1", "lmdb"], "2 blob(s) for 1 dataset(s)"),
    (["upgrade_net_proto_text", "nowhere", "out"], "nowhere: not found"),
])
def test_what_a_user_can_put_right_is_one_line_and_status_2(words, message, capfd):
    assert main(words) == 2
    said = capfd.readouterr().err.splitlines()
    assert message in (said[-1] if words else "\n".join(said))
    assert not words or said[-1].startswith("caffe: error: ")


NET = """
layer { name: "in" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 dim: 2 } data_filler { value: 1 } } }
layer { name: "signals" type: "Python" bottom: "x" top: "y" python_param { module: "signalling" layer: "Signals" } }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "p" inner_product_param { num_output: 1 } }
layer { name: "loss" type: "Reduction" bottom: "p" top: "loss" loss_weight: 1 }
"""
PLAIN_NET = re.sub(r"python_param {[^}]*}", "", NET.replace("Python", "ReLU"))
SIGNALLING = """
import os, signal, caffe
class Signals(caffe.Layer):
    count = 0
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data
        Signals.count += 1
        if Signals.count == 3: os.kill(os.getpid(), signal.{number})
    def backward(self, top, propagate_down, bottom): pass
"""


@pytest.mark.parametrize(("number", "flags", "files", "stopped"), [
    ("SIGINT", [], {3}, True),
    ("SIGHUP", [], {3, 5}, False),
    ("SIGINT", ["--sigint_effect=snapshot"], {3, 5}, False),
    ("SIGHUP", ["--sighup_effect=stop"], {3}, True),
    ("SIGINT", ["--sigint_effect=none"], {5}, False),
])
def test_signals_stop_or_snapshot_after_the_iteration(number, flags, files, stopped, tmp_path, monkeypatch, capfd):
    import signal

    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "s.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 5')
    (tmp_path / "signalling.py").write_text(SIGNALLING.format(number=number))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "signalling", raising=False)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGHUP)]
    assert main(["train", "--solver=s.prototxt", *flags]) == 0
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGHUP)] == before
    assert {int(re.findall(r"\d+", f.name)[0]) for f in tmp_path.glob("s_iter_*.caffemodel")} == files
    said = capfd.readouterr().err
    assert ("Optimization stopped early." in said) == stopped
    assert said.splitlines()[-1].endswith("] Optimization Done.")
    monkeypatch.delitem(sys.modules, "signalling", raising=False)


def test_tools_have_their_own_names_too(monkeypatch, capfd):
    from caffe.cli import CAFFES_OWN, tool

    engine = Path(__file__).resolve().parents[2] / "engine"
    section = (engine / "pyproject.toml").read_text().split("[project.scripts]\n")[1].split("\n[")[0]
    scripts = re.findall(r'^(\w+) = "caffe\.cli:(?:main|tool)"$', section, re.M)
    assert set(scripts) == {"caffe", *COMMANDS} - set(CAFFES_OWN)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/convert_imageset", "--help"])
    assert tool() == 0 and capfd.readouterr().out.startswith("usage: convert_imageset [FLAGS] ROOTFOLDER/")
    monkeypatch.setattr(sys, "argv", ["convert_imageset", "--gary", "a"])
    assert tool() == 2 and capfd.readouterr().err.startswith("convert_imageset: error: unknown flag --gary: did you")


def test_a_log_folder_gets_the_log_and_minloglevel_silences(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(PLAIN_NET)
    Path("logs").mkdir()
    assert main(["time", "-model", "net.prototxt", "-iterations=1", "--log_dir=logs"]) == 0
    shown = capfd.readouterr().err
    written = (tmp_path / "logs" / "caffe.INFO").read_text()
    assert "*** Benchmark ends ***" in shown and written.startswith("Log file created at: ")
    assert written.split("\n", 3)[3] == shown
    assert len(os.listdir("logs")) == 2
    assert main(["time", "--model=net.prototxt", "--iterations=1", "--minloglevel=1"]) == 0
    assert capfd.readouterr().err == ""
    assert main(["time", "--model=net.prototxt", "--log_dir=nowhere"]) == 2


def test_time_shows_every_layer_as_caffe_does(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(PLAIN_NET)
    assert main(["time", "--model=net.prototxt", "--iterations=2"]) == 0
    text = "\n".join(line.split("] ", 1)[-1] for line in capfd.readouterr().err.splitlines())
    number = r"\d+(\.\d+)?(e-\d+)? ms\."
    for line in ("Initial loss: 0", "Testing for 2 iterations.", f"Iteration: 2 forward-backward time: {number}",
                 "Average time per layer: ", f"   signals\tforward: {number}", f"   signals\tbackward: {number}",
                 f"Average Forward pass: {number}", f"Average Backward pass: {number}",
                 f"Average Forward-Backward: {number}", f"Total Time: {number}"):
        assert re.search(f"^{line}$", text, re.M), line


def test_device_query_without_a_gpu_is_one_line(monkeypatch, capfd):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert main(["device_query", "--gpu=all"]) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("caffe: error: there is no CUDA device here")


def test_device_query_shows_what_caffe_shows(monkeypatch, capfd):
    """The lines of Caffe::DeviceQuery; the driver's answer to attribute k is k here."""
    from types import SimpleNamespace

    import torch

    from caffe.commands import device_query

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU number {index}")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=1 << 34))
    monkeypatch.setattr(device_query, "_attribute", lambda number, index: number)
    assert main(["device_query", "-gpu", "1"]) == 0
    said = [line.split("] ", 1)[1] for line in capfd.readouterr().err.splitlines()]
    assert said[:3] == ["Querying GPUs 1", "Device id:                     1", "Major revision number:         75"]
    for line in ("Name:                          GPU number 1", "Total global memory:           17179869184",
                 "Maximum dimension of grid:     5, 6, 7", "Kernel execution timeout:      Yes"):
        assert line in said
    assert main(["device_query", "--gpu=2"]) == 2


def test_a_log_on_a_full_disk_does_not_end_a_training(tmp_path, monkeypatch, capfd):
    """glog loses the lines; /dev/full is a disk without room."""
    (tmp_path / "net.prototxt").write_text(PLAIN_NET)
    (tmp_path / "s.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 2')
    monkeypatch.chdir(tmp_path)
    opened = open

    def on_full_disk(name, *how, **settings):
        return opened("/dev/full" if ".log.INFO." in str(name) else name, *how, **settings)

    monkeypatch.setattr("builtins.open", on_full_disk)
    assert main(["train", "--solver=s.prototxt", f"--log_dir={tmp_path}"]) == 0
    assert capfd.readouterr().err.splitlines()[-1].endswith("] Optimization Done.")
    assert (tmp_path / "s_iter_2.caffemodel").is_file()


@pytest.mark.parametrize("error", [OSError(28, "No space left"), OSError(b"No space left"), OSError("No space left")])
def test_a_database_that_cannot_be_written_says_why_and_leaves_nothing(error, tmp_path):
    from caffe.commands.datum_writer import new_database

    with pytest.raises(CaffeError, match="cannot be written: No space left; make room"), \
            new_database(str(tmp_path / "x"), "lmdb"):
        raise error
    assert list(tmp_path.iterdir()) == []
