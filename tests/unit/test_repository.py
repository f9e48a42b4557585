"""What holds for the whole repository: it has nothing of one machine only, and its documents are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest
import tomllib

from tools.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    files = [REPOSITORY / name for name in listing.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_file_is_large(tracked):
    large = {str(file): file.stat().st_size for file in tracked if file.stat().st_size > 2_000_000}
    assert not large


def test_no_paths_of_one_machine(tracked):
    """A path that only its author has works nowhere else."""
    # the brackets keep the pattern from finding itself
    pattern = re.compile(r"(?<![\w.$}])/(?:[w]ork|[h]ome|[r]oot|[U]sers)/[\w.]|[f]ile:///")
    found = []
    for file in tracked:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{file}:{text.count(chr(10), 0, hit.start()) + 1}" for hit in pattern.finditer(text)]
    assert not found


def test_only_the_engine_needs_torch(tracked):
    rooms = {"benchmarks", "data_prep", "prototxt", "python_layers", "tools"}
    measured = REPOSITORY / "benchmarks" / "machine.py"  # PyTorch itself is what it times
    modules = [
        file for file in tracked if file.suffix == ".py" and file.relative_to(REPOSITORY).parts[0] in rooms
    ]
    assert modules
    assert [file for file in modules if "torch" in imported_packages(file)] == [measured]


def imported_packages(file: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return {name.split(".")[0] for name in names}


def test_every_dependency_is_pinned():
    """``make setup`` installs the two distributions without their dependencies: the lock must have all."""
    lock = (REPOSITORY / "requirements.lock").read_text()
    pinned = {line.split("==")[0].lower() for line in lock.splitlines()}
    for folder in (REPOSITORY, REPOSITORY / "engine"):
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        needed = {re.split(r"[<>=~! ;\[]", line)[0].lower() for line in project["dependencies"]}
        assert needed - {"caffe-on-torch"} <= pinned


def test_generated_messages_are_in_step_with_the_proto(tmp_path):
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    proto = "caffe/proto/caffe.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", proto]
    subprocess.run(command, cwd=REPOSITORY / "engine", check=True)
    generated = proto.replace(".proto", "_pb2.py")
    made, kept = (tmp_path / generated).read_text(), (REPOSITORY / "engine" / generated).read_text()
    assert made == kept, "caffe_pb2.py is not what caffe.proto gives: run `make proto`"


def documented_lines(document: Path) -> list[str]:
    """The lines of a document's code blocks, and its inline code."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [line.split("#")[0] for block in blocks for line in block.splitlines()] + inline


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documented_make_targets_exist(document):
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), flags=re.M))
    named = {hit for line in documented_lines(document) for hit in re.findall(r"^make ([a-z]+)", line)}
    assert named
    assert named <= targets


def test_documented_commands_exist():
    """Every ``ethocaffe …`` of the README parses: the command is in the table and has the options shown."""
    lines = documented_lines(REPOSITORY / "README.md")
    shown = [line.split()[1:] for line in lines if re.match(r"ethocaffe [a-z]", line)]
    assert shown
    for name, *words in shown:
        parser = ArgumentParser(prog=f"ethocaffe {name}", allow_abbrev=False)
        import_module(COMMANDS[name][0]).add_arguments(parser)
        parser.parse_args(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documented_links_lead_somewhere(document):
    links = re.findall(r"\[[^]]*\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (document.parent / link).exists()]
