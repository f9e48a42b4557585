"""A PostgreSQL server of the tests' own, from Debian's package, in a temporary folder and on a socket in it."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder with initdb and pg_ctl; None where PostgreSQL is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(found[-1]).parent if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Runs a server in a folder; gives the URL of its database, without the database's name."""
    where = programs()
    assert where is not None
    data = folder / "data"
    data.mkdir(parents=True)
    # A server refuses to run as root.
    owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if owner:
        for place in (folder, data):
            shutil.chown(place, "postgres")
        os.chmod(folder, 0o755)

    def run(*command: str) -> None:
        subprocess.run([*owner, *command], check=True, capture_output=True, cwd=folder)

    run(str(where / "initdb"), "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", str(data))
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    run(str(where / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://postgres@/{{}}?host={folder}"
    finally:
        run(str(where / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


def new_database(url: str, name: str) -> str:
    """Make an empty database; returns its URL."""
    import psycopg

    with psycopg.connect(url.format("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return url.format(name)
