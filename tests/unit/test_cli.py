"""The command line: what reaches the user when a command works, fails or is stopped."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from data_prep.errors import InputError
from tools import __version__, cli

REPOSITORY = Path(__file__).resolve().parents[2]


def command_that(action):
    """A stand-in for a command's module whose ``run`` does ``action(args)``."""
    module = types.ModuleType("a_command")
    module.add_arguments = lambda parser: parser.add_argument("--iterations", type=int)
    module.run = action
    return module


@pytest.fixture
def call(monkeypatch, capsys):
    """``call(action, *arguments)`` runs a stand-in command; gives its exit status, stdout and stderr."""

    def run(action, *arguments):
        monkeypatch.setitem(sys.modules, "a_command", command_that(action))
        monkeypatch.setitem(cli.COMMANDS, "act", ("a_command", "do it"))
        status = cli.main(["act", *arguments])
        return (status, *capsys.readouterr())

    return run


def raising(error):
    def action(args):
        raise error

    return action


def test_a_commands_status_is_the_exit_status(call):
    assert call(lambda args: args.iterations, "--iterations", "3")[0] == 3


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.mp4: not a video;\n choose another"), 2, "error: a.mp4: not a video; choose another"),
        (OSError(errno.ENOSPC, "No space left on device", "x.csv"), 1, "error: x.csv: the disk is full: "),
        (PermissionError(errno.EACCES, "Permission denied", "x.csv"), 1, "error: x.csv: permission denied: "),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.csv"), 1, "error: x.csv: No such file"),
        (ModuleNotFoundError("No module named 'av'", name="av"), 1, "error: the Python package 'av' is "),
        (KeyError("fc9"), 1, "error: KeyError: 'fc9' (ETHOCAFFE_TRACEBACK=1 shows where)"),
        (ValueError(), 1, "error: ValueError (ETHOCAFFE_TRACEBACK=1 shows where)"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "error: Broken pipe"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_error_is_one_line(call, error, status, line):
    got, out, err = call(raising(error))
    assert got == status
    assert out == ""
    assert err.startswith(f"ethocaffe: {line}")
    assert err.count("\n") == 1


def test_the_engines_own_errors_are_the_users_to_put_right(call):
    from caffe.errors import CaffeError

    status, _, err = call(raising(CaffeError("net.prototxt: no layer of type 'Convolutoin'")))
    assert status == 2
    assert err == "ethocaffe: error: net.prototxt: no layer of type 'Convolutoin'\n"


def test_the_traceback_is_shown_on_request(call, monkeypatch):
    monkeypatch.setenv("ETHOCAFFE_TRACEBACK", "1")
    status, _, err = call(raising(InputError("wrong")))
    assert status == 2
    assert "Traceback" in err
    assert err.endswith("ethocaffe: error: wrong\n")


@pytest.mark.parametrize("arguments", [["--iteration", "3"], ["--iterations", "many"], ["stray"]])
def test_a_wrong_option_is_one_line(call, arguments):
    status, out, err = call(lambda args: 0, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ethocaffe: error: ")
    assert "`ethocaffe act --help`" in err
    assert err.count("\n") == 1


def test_an_unknown_command_suggests_the_nearest(capsys):
    assert cli.main(["trian"]) == 2
    assert "there is no command 'trian'; did you mean 'train'?" in capsys.readouterr().err
    assert cli.main(["xyzzy"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_no_command_lists_them(capsys):
    assert cli.main([]) == 2
    err = capsys.readouterr().err
    assert all(name in err for name in cli.COMMANDS)
    assert err.count("\n") == 1


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out and purpose in out for name, (_, purpose) in cli.COMMANDS.items())
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"ethocaffe {__version__}\n"


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from tools import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'av', 'torch', 'caffe', 'matplotlib', 'sklearn', 'lmdb'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error():
    script = (
        "import sys, types\n"
        "from tools import cli\n"
        "talk = types.ModuleType('talk')\n"
        "talk.add_arguments = lambda parser: None\n"
        "def run(args):\n"
        "    sys.stdin.readline()\n"
        "    print('x' * 100000)\n"
        "    return 0\n"
        "talk.run = run\n"
        "sys.modules['talk'] = talk\n"
        "cli.COMMANDS['talk'] = ('talk', 'talks a lot')\n"
        "sys.exit(cli.main(['talk']))\n"
    )
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE, text=True,
    )
    os.close(write)
    os.close(read)
    _, err = process.communicate("go\n", timeout=60)
    assert err == ""
    assert process.returncode == 141


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"ethocaffe {name}" in capsys.readouterr().out
