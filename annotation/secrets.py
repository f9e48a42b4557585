"""Passwords, cookies and tokens: what is stored of them is a hash."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH = 10, 200  # characters of a password
FAILURES, WINDOW = 5, 60.0  # wrong passwords in so many seconds, from which a name and an address have to wait

_hasher = PasswordHasher()
# Verified where there is no such person, so that the answer takes as long.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Argon2id's hash."""
    return _hasher.hash(password)


def is_password(stored: str | None, given: str) -> bool:
    """Whether a password is the one; None where there is no such person."""
    try:
        _hasher.verify(stored or _NOBODY, given)
        return stored is not None
    except (VerificationError, InvalidHashError):
        return False


def new_secret() -> str:
    """256 random bits, as they go into a cookie or a link."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret that is too long to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Brake:
    """Slows down who guesses passwords. In memory: a restart forgives."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}
        self._lock = Lock()

    def wait(self, who: str) -> float:
        """Seconds that `who` has to wait before another try."""
        with self._lock:
            found = self._recent(who)
            return found[0] + WINDOW - time.monotonic() if len(found) >= FAILURES else 0.0

    def failed(self, who: str) -> None:
        """`who` gave a wrong password."""
        with self._lock:
            self._recent(who).append(time.monotonic())

    def _recent(self, who: str) -> deque[float]:
        now = time.monotonic()
        for name in [name for name, found in self._failures.items() if not found or found[-1] < now - WINDOW]:
            del self._failures[name]
        found = self._failures.setdefault(who, deque())
        while found and found[0] < now - WINDOW:
            found.popleft()
        return found
