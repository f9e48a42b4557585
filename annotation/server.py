"""Serving: the database opened, the datasets brought in, the address told, and requests answered until Ctrl-C."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from annotation import footage, models, people, projects, uploads
from annotation.database import Database
from annotation.intake import Intake
from data_prep import dataset as datasets
from data_prep.errors import InputError, warn

PATIENCE = 5.0  # seconds that the first look at the videos is waited for
GRACE = 3  # seconds that answers have to end: a video that a browser plays would keep the server for hours


def open_database(given: Sequence[str | Path], projects_in: str | Path | None, url: str | None) -> Database:
    """The database of a URL, or the one in the first dataset, or where projects are made."""
    return Database(url or _own_database(given, _parent(projects_in)))


def invite(database: Database) -> int:
    """Print what makes a link for another administrator."""
    with database.writing() as session:
        secret = projects.admin_invitation(session)
    print(f"join as an administrator, once, within {projects.HOURS} hours: add to the address /#invitation={secret}")
    return 0


def reset_password(database: Database, name: str) -> int:
    """Give somebody a new password, and print it. Raises InputError where there is nobody of that name."""
    with database.writing() as session:
        password = people.reset_password(session, name)
    if password is None:
        raise InputError(f"--reset-password {name}: there is nobody of that name")
    print(f"{name}'s password is now {password}  (to be changed on the page behind the name)")
    return 0


def serve(
    database: Database,
    given: Sequence[str | Path],
    host: str,
    port: int,
    quiet: bool,
    predictions: str | Path | None,
    projects_in: str | Path | None,
    most_gb: float,
) -> int:
    """Serve until interrupted; the exit status."""
    import uvicorn

    from annotation.app import make_app

    parent = _parent(projects_in)
    with database.writing() as session:
        secret = None if projects.has_people(session) else projects.admin_invitation(session)
    uploads.remove_partial(projects.folders(database))
    known = projects.make(database, given)
    intake = Intake(database, lambda: dict.fromkeys([*known, *projects.made_in(database, parent)]), quiet)
    intake.start()
    # A small dataset is ready when its address is told; a large one is checked while people look at the rest.
    intake.first.wait(None if predictions else PATIENCE)
    if predictions:
        taken = models.bring_in(database, Path(predictions))
        if not quiet:
            print(f"{predictions}: predictions of {', '.join(taken) or 'no video'}")
    listener = _listen(host, port)
    address = f"http://{host if ':' not in host else f'[{host}]'}:{listener.getsockname()[1]}"
    if not _is_local(host):
        warn(f"{address} can be reached from other computers and is not encrypted: put it behind a server with TLS")
    if secret:
        print(f"{address}/#invitation={secret}   (the first person; once, within {projects.HOURS} hours)", flush=True)
    elif not quiet:
        print(f"{address}   (stop with Ctrl-C)", flush=True)
    app = make_app(database, parent, int(most_gb * 2**30), intake)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _parent(folder: str | Path | None) -> Path | None:
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise InputError(f"--projects {folder}: no such folder; make it first")
    return Path(folder).resolve()


def _own_database(given: Sequence[str | Path], parent: Path | None) -> str:
    if not given and parent is None:
        raise InputError("name a dataset, or with --projects a folder in which projects can be made")
    dataset = datasets.open_dataset(given[0]).path.resolve() if given else parent
    folder = Path(dataset or ".") / footage.FOLDER
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'annotation.sqlite'}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # from now on whoever follows the printed address is answered, if a moment later
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: cannot be listened on ({error}); choose another port") from None
    return listener


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
