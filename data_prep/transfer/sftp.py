"""SFTP through fsspec and paramiko: hosts whose key is known, an end to silence, and reading as fast as the line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

ANSWER = 32768  # bytes that a server sends at once, at most


def file_system(**options: Any) -> Any:
    """fsspec's SFTP, but a host whose key `ssh` does not know is refused, and a minute's silence is an error."""
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it would print what it also raises

    class KnownHosts(SFTPFileSystem):
        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            self.client.set_missing_host_key_policy(_Refuse())
            self.client.connect(
                self.host, **{"timeout": 30, "banner_timeout": 30, "auth_timeout": 30, **self.ssh_kwargs}
            )
            self.client.get_transport().set_keepalive(15)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(60)

    class _Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise paramiko.SSHException(
                f"the host's {key.get_name()} key is not in ~/.ssh/known_hosts; "
                "sign in once by hand with `ssh`, and compare the key's fingerprint"
            )

    return KnownHosts(**options)


def read(file: Any, start: int, most: int) -> Iterator[bytes]:
    """A paramiko file's bytes, asking for all of a piece of `most` at once: else every 32 KiB wait for an answer."""
    ask: Any = getattr(file, "_prefetch_thread", None)

    def quietly(*arguments: Any) -> None:
        with suppress(Exception):
            ask(*arguments)

    if ask is not None:  # a thread of paramiko's, which would print a traceback of what the reader is told anyway
        file._prefetch_thread = quietly
    end = file.stat().st_size
    for begin in range(start, end, most):
        stop = min(begin + most, end)
        yield b"".join(file.readv([(at, min(ANSWER, stop - at)) for at in range(begin, stop, ANSWER)]))
