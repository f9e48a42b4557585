"""Where footage comes from: folders, SFTP, S3 and whatever else fsspec reads, all listed and read in one way.

A source that cannot be reached, or a file there that cannot be read, is a SourceFault: another try may go well.
"""

from __future__ import annotations

import datetime
import fnmatch
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_prep.dataset import VIDEO_SUFFIXES
from data_prep.errors import InputError
from data_prep.transfer import sftp

PIECE = 4 << 20  # bytes read at once
TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")  # fsspec's names, best first
ETAGS = ("ETag", "etag", "md5")
PACKAGES = {"sftp": "paramiko", "ssh": "paramiko", "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}
FLAT = {"s3", "s3a", "gs", "gcs", "abfs", "memory"}  # no folders of their own: an empty one is not there


class SourceFault(InputError):
    """A source, or a file of it, that cannot be read now."""


@dataclass(frozen=True)
class Source:
    """A source's name, its URL (with any password), which files of it are meant, and fsspec's options for it."""

    name: str
    url: str
    pattern: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The URL as it may be written anywhere: without a password."""
        return re.sub(r"(://[^/:@]*):[^/]*@", r"\1@", self.url).rstrip("/")


@dataclass(frozen=True)
class Look:
    """What a source said of a file at one moment: its path there, size in bytes, modification time and ETag.

    `mtime` is in seconds since 1970, None where the source knows none.
    """

    path: str
    size: int
    mtime: float | None
    etag: str

    @property
    def signature(self) -> list[Any]:
        """What changes when the file does."""
        return [self.size, self.mtime, self.etag]


class Connection:
    """An open source. Everything it raises is a SourceFault, but for an InputError when it can never work."""

    def __init__(self, source: Source) -> None:
        self.source = source
        scheme = source.url.partition("://")[0] if "://" in source.url else "file"
        try:
            with self._faults(""):
                self._fs, root = _open(scheme, source)
        except ImportError:
            package = PACKAGES.get(scheme, scheme)
            raise InputError(
                f"{source.shown}: {scheme}:// needs the Python package {package}: run `pip install {package}`"
            ) from None
        self._root = root.rstrip("/") or "/"
        self._flat = scheme in FLAT

    def files(self) -> tuple[list[Look], list[str]]:
        """Every file that the pattern means, in order of path, and what could not be listed, a line each.

        Hidden files and folders are left out, and folders that are links, which may lead in circles.
        """
        found: list[Look] = []
        faults: list[str] = []

        def unlisted(error: OSError) -> None:
            if not (self._flat and isinstance(error, FileNotFoundError)):
                faults.append(f"a folder cannot be listed ({_reason(error)})")

        with self._faults(""):
            self._fs.invalidate_cache()
            for folder, folders, files in self._fs.walk(self._root, detail=True, on_error=unlisted):
                for name in [name for name, info in folders.items() if name.startswith(".") or info.get("islink")]:
                    del folders[name]
                inside = str(folder)[len(self._root) :].strip("/")
                for name, info in files.items():
                    path = f"{inside}/{name}" if inside else name
                    if not name or name.startswith(".") or not matches(path, self.source.pattern):
                        continue
                    if path.isprintable():
                        found.append(_look(path, info))
                    else:
                        faults.append(f"{path!r} has characters in its name that cannot be shown; rename it")
            if not found and not self._is_there():
                raise SourceFault(f"{self.source.shown}: no such folder or bucket; is it mounted, and its name right?")
        return sorted(found, key=lambda look: look.path), faults

    def look(self, path: str) -> Look:
        """The file as it is now."""
        with self._faults(path):
            self._fs.invalidate_cache()
            return _look(path, self._fs.info(self._full(path)))

    def read(self, path: str, start: int = 0) -> Iterator[bytes]:
        """The file's bytes from `start`, in pieces."""
        with self._faults(path), self._fs.open(self._full(path), "rb") as file:
            if hasattr(file, "readv"):
                yield from sftp.read(file, start, PIECE)
                return
            file.seek(start)
            while piece := file.read(PIECE):
                yield piece

    def delete(self, path: str) -> None:
        """Remove the file at the source."""
        with self._faults(path):
            self._fs.rm_file(self._full(path))

    def local(self, path: str) -> Path | None:
        """The file's path where the source is a folder of this machine."""
        return Path(self._full(path)) if "file" in _protocols(self._fs) else None

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        with self._faults(path):
            return bool(self._fs.exists(self._full(path)))

    def shown(self, path: str) -> str:
        """The file's URL, without a password."""
        return f"{self.source.shown}/{path}"

    def _full(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"

    def _is_there(self) -> bool:
        """Whether the source is; of one without folders, its bucket."""
        if not self._flat:
            return bool(self._fs.isdir(self._root))
        bucket = self._root.partition("/")[0]
        return not bucket or bool(self._fs.exists(bucket))

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        try:
            yield
        except (InputError, ImportError):
            raise
        except Exception as error:  # each file system and its libraries have kinds of their own
            place = self.shown(path) if path else self.source.shown
            raise SourceFault(f"{place}: {_reason(error)}") from error


def matches(path: str, pattern: str | None) -> bool:
    """Whether a file's path in its source is meant: a pattern with a slash is for the whole path, else for the name.

    Without one, whatever has the ending of a video.
    """
    name = path.rpartition("/")[2]
    if pattern is None:
        return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES
    return fnmatch.fnmatchcase(path if "/" in pattern else name, pattern)


def _open(scheme: str, source: Source) -> tuple[Any, str]:
    """The file system of a source, and the source's path in it."""
    import fsspec
    from fsspec.core import url_to_fs

    fsspec.config.conf.setdefault("use_listings_cache", False)
    # Not one that another call made: its connection may have died.
    options = {**source.options, "skip_instance_cache": True}
    if scheme in ("sftp", "ssh"):
        from fsspec.utils import infer_storage_options

        parts = {key: value for key, value in infer_storage_options(source.url).items() if key != "protocol"}
        path = parts.pop("path")
        return sftp.file_system(**{**parts, **options}), path
    file_system, root = url_to_fs(source.url, **options)
    return file_system, str(root)


def _look(path: str, info: dict[str, Any]) -> Look:
    times = (info[name] for name in TIMES if info.get(name) is not None)
    etags = (str(info[name]).strip('"') for name in ETAGS if info.get(name))
    return Look(path, int(info["size"] or 0), _seconds(next(times, None)), next(etags, ""))


def _seconds(time: Any) -> float | None:
    if isinstance(time, datetime.datetime):
        return time.timestamp()
    return float(time) if isinstance(time, (int, float)) else None


def _protocols(file_system: Any) -> tuple[str, ...]:
    protocol = file_system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (isinstance(error, OSError) and error.strerror) or str(error).rstrip(" :") or type(error).__name__
