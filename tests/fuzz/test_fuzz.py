"""The fuzzer's short form, and that it notices what it is there to notice."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

HERE = Path(__file__).resolve().parent


def test_damaged_files_are_read_or_refused(tmp_path):
    done = subprocess.run([sys.executable, HERE / "fuzz.py", "--count", "1500", "--batch", "150", "--jobs", "1",
                           "--save", tmp_path / "found", "--json", tmp_path / "summary.json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["findings"] == []
    assert found["mutations"] + sum(kind.get("left out", 0) for kind in found["outcomes"].values()) >= 1500
    # the damage is not such that nothing gets past the parsers
    for kind in ("net", "solver", "weights", "lmdb"):
        assert found["outcomes"][kind]["ok"] > 0 < found["outcomes"][kind]["refused"]


CHILD = """
import os, sys, time
open("bad", "w").write("damaged")
for line in sys.stdin:
    first = int(line.split()[1])
    for index in range(first, 4):
        print("start", os.getpid() if index != 2 else HANGS, index, os.path.abspath("bad"), flush=True)
        if index == 1:
            print("exit -11", flush=True)
            break
        if index == 2:
            time.sleep(1)
            print("exit -9", flush=True)
            break
        print("end", index, "escaped" if index else "ok", 0.1, 5, "x.py:1 KeyError: 1" * (index > 0), flush=True)
    else:
        print("exit 0", flush=True)
"""


def test_crashes_hangs_and_other_exceptions_are_findings(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "LIMIT", 0.2)
    hanging = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    run = fuzz.Run(argparse.Namespace(seed=1, seconds=0, save=str(tmp_path / "found")))
    command = [sys.executable, "-c", CHILD.replace("HANGS", str(hanging.pid))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        place = 0
        while place < 4:
            place = run._batch(child, "net", place, 4)
    assert hanging.wait() == -9
    assert dict(run.outcomes["net"]) == {"ok": 1, "crash": 1, "hang": 1, "escaped": 1}
    assert [finding["outcome"] for finding in run.findings] == ["crash", "hang", "escaped"]
    assert all(Path(finding["file"]).read_text() == "damaged" for finding in run.findings)


def test_unknown_kinds_are_named(capsys):
    with pytest.raises(SystemExit):
        fuzz.main(["--kind", "nets"])
    assert "unknown kind nets; known: net, solver" in capsys.readouterr().err
