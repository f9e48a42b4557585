"""What several tests need: the real files beside the checkout, and real Caffe where it was built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import postgresql

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ETHOCAFFE_SHARED", REPOSITORY.parent / "shared" / "data"))
REAL_CAFFE = Path(os.environ.get("REAL_CAFFE", Path.home() / ".cache" / "real-caffe"))


@pytest.fixture(autouse=True)
def log_level():
    """Each test starts with Caffe's log as it is by default; a command silences it for its whole process."""
    before = os.environ.pop("GLOG_minloglevel", None)
    yield
    os.environ.pop("GLOG_minloglevel", None)
    if before is not None:
        os.environ["GLOG_minloglevel"] = before


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos, annotations and Caffe files; the test is skipped where it is absent."""
    if not (SHARED / "MANIFEST.md").is_file():
        pytest.skip(f"no real files: {SHARED} is absent (ETHOCAFFE_SHARED names another folder)")
    return SHARED


@pytest.fixture(scope="session")
def real_caffe():
    """``run(folder, *command)`` runs a command inside real Caffe 1.0, with ``folder`` as its working folder.

    Only where it was built already, as `make conformance` does: most tests need just the golden files that it made.
    """
    script = REPOSITORY / "tests" / "conformance" / "real_caffe.sh"
    if not (REAL_CAFFE / ".ready").is_file():
        pytest.skip(f"real Caffe is not built here: as root, `bash {script}` builds it")
    if os.geteuid() != 0:
        pytest.skip("real Caffe runs in a chroot, which needs root")

    def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        inside = {"GLOG_minloglevel": "2", "PYTHONPATH": "/mnt", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(
            ["bash", str(script), str(folder), *command],
            env={**os.environ, **inside},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
        )

    return run


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server; the test is skipped where Debian's package is not installed."""
    if postgresql.programs() is None:
        pytest.skip("no PostgreSQL: `apt-get install postgresql` installs it")
    folder = Path(tempfile.mkdtemp(prefix="postgresql"))  # short, and open to the server's own user
    try:
        with postgresql.server(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_database(postgresql_server):
    """The URL of an empty database."""
    return postgresql.new_database(postgresql_server, f"test_{uuid.uuid4().hex}")
