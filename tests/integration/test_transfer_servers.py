"""`ethocaffe transfer` from servers: a real OpenSSH, a pretended S3, and fsspec's memory."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.video_files import moving_square, write_video
from tools import cli

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "dataset").mkdir()
    return tmp_path / "dataset"


@pytest.fixture
def recording(tmp_path):
    return write_video(tmp_path / "here" / "cage.mp4", moving_square(200, 320, 240))


def transfer(dataset: Path, url: str, delete: bool = False, **options: object) -> int:
    """Take what is finished at a URL; `options` are fsspec's."""
    content = {"sources": [{"url": url, "options": options}], "settle": 0.3, "delete_source": delete}
    (dataset / "transfer.json").write_text(json.dumps(content))
    return cli.main(["transfer", str(dataset)])


def only_entry(dataset: Path) -> dict:
    (line,) = (dataset / "transfer.jsonl").read_text().splitlines()
    return json.loads(line)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        assert process.poll() is None, "the server did not start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


def test_memory(dataset, recording):
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/day/cage.mp4", recording.read_bytes())
    memory.pipe("/bucket/day/other.txt", b"no video")
    try:
        assert transfer(dataset, "memory://bucket") == 0
        assert (dataset / "videos" / "cage.mp4").read_bytes() == recording.read_bytes()
        assert only_entry(dataset)["url"] == "memory://bucket/day/cage.mp4"
        assert transfer(dataset, "memory://bucket") == 0
        only_entry(dataset)
    finally:
        memory.rm("/bucket", recursive=True)


def test_a_missing_package_is_one_line_that_names_it(dataset, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "paramiko", None)
    assert transfer(dataset, "sftp://me@127.0.0.1/footage") == 2
    assert capsys.readouterr().err == (
        "ethocaffe: error: sftp://me@127.0.0.1/footage: sftp:// needs the Python package paramiko: "
        "run `pip install paramiko`\n"
    )


@pytest.fixture
def ssh_server(tmp_path, monkeypatch):
    """(port, private key) of an OpenSSH that knows this key and whose key this user's `ssh` knows."""
    pytest.importorskip("paramiko", reason="paramiko is not installed")
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
    if program is None:
        pytest.skip("no OpenSSH server: `apt-get install openssh-server` brings it")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "mine.pub", folder / "authorized_keys")
    port = free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    server = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield port, folder / "mine"
    finally:
        server.terminate()
        server.wait()


def know(port: int, folder: Path, home: Path) -> None:
    """Have the server's key among the known hosts."""
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")


def test_sftp(dataset, recording, ssh_server, tmp_path, capsys):
    port, key = ssh_server
    url = f"sftp://{getpass.getuser()}@127.0.0.1:{port}{recording.parent}"
    assert transfer(dataset, url, key_filename=str(key)) == 1
    assert "is not in ~/.ssh/known_hosts" in capsys.readouterr().err
    know(port, key.parent, tmp_path)
    assert transfer(dataset, url, key_filename=str(key)) == 0
    assert (dataset / "videos" / "cage.mp4").read_bytes() == recording.read_bytes()
    assert only_entry(dataset)["verified"] == "a second read of the source"
    assert transfer(dataset, url, delete=True, key_filename=str(key)) == 0
    assert not recording.exists()
    assert transfer(dataset, f"{url}/absent", key_filename=str(key)) == 1
    assert "no such folder or bucket" in capsys.readouterr().err


@pytest.fixture
def bucket(monkeypatch):
    """fsspec's options for a pretended S3 with a bucket "lab"."""
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port := free_port())]
    server = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        options = {"endpoint_url": f"http://127.0.0.1:{port}", "key": "test", "secret": "test"}
        s3fs.S3FileSystem(**options).mkdir("lab")
        yield options
    finally:
        server.terminate()
        server.wait()


def test_s3(dataset, recording, bucket, capsys):
    import s3fs

    content = recording.read_bytes()
    file_system = s3fs.S3FileSystem(**bucket)
    assert transfer(dataset, "s3://lab/footage", **bucket) == 0  # nothing there yet is no fault
    assert transfer(dataset, "s3://lib/footage", **bucket) == 1
    assert "s3://lib/footage: " in capsys.readouterr().err
    file_system.pipe("lab/footage/cage.mp4", content)
    assert transfer(dataset, "s3://lab/footage", **bucket) == 0
    assert (dataset / "videos" / "cage.mp4").read_bytes() == content
    entry = only_entry(dataset)
    assert (entry["verified"], entry["etag"]) == ("the server's MD5", hashlib.md5(content).hexdigest())
    assert transfer(dataset, "s3://lab/footage", delete=True, **bucket) == 0
    assert not file_system.exists("lab/footage/cage.mp4")
    assert "secret" not in (dataset / "transfer.jsonl").read_text()
