"""Opening the database: an SQLite file beside the dataset, or a server that a URL names; brought up to date first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from data_prep.errors import InputError

BUSY = 30.0  # seconds that a write waits for another one
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """An engine and its sessions. In SQLite they write one after the other: none fails because another writes."""

    def __init__(self, url: str):
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._turn = Lock()
        try:
            _upgrade(self.engine)
        except SQLAlchemyError as error:
            raise InputError(
                f"{url_without_password(url)}: cannot be used as a database ({_first_line(error)})"
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose changes are not kept."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are kept together when the block ends, or none of them where it fails."""
        if self.engine.dialect.name != "sqlite":
            with self._sessions.begin() as session:
                yield session
            return
        # In turn: SQLite's own way to wait is to sleep and try again, which is neither quick nor fair.
        with self._turn, self._sessions.begin() as session:
            # Now, since a transaction that began by reading could not wait for another process's end.
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session


def _engine(url: str) -> Engine:
    try:
        if url.startswith("postgresql://"):
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise InputError(f"{url_without_password(url)}: not a database ({_first_line(error)}); write "
                         "postgresql://user@host/name, or leave --database out") from None  # fmt: skip
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours
    connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
    connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY)}")


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def url_without_password(url: str) -> str:
    """The URL as it may be shown."""
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else url


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
