"""Passwords, cookies and tokens: what is stored of them is a hash."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Sequence
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


class Wait(Exception):
    """Too many wrong passwords came. seconds: until another one is looked at."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.seconds = seconds


class Brake:
    """Slows down who guesses passwords. In memory: a restart forgives."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}
        self._turn = Lock()

    def is_password(self, who: Sequence[str], stored: str | None, given: str) -> bool:
        """Whether a password is the one, for a name and an address. One after the other, since of many at the same
        moment none would be counted yet, and each takes 64 MB. Raises Wait."""
        with self._turn:
            wait = max(self._wait(one) for one in who)
            if wait > 0:
                raise Wait(wait)
            right = is_password(stored, given)
            for one in () if right else who:
                self._recent(one).append(time.monotonic())
            return right

    def _wait(self, who: str) -> float:
        found = self._recent(who)
        return found[0] + WINDOW - time.monotonic() if len(found) >= FAILURES else 0.0

    def _recent(self, who: str) -> deque[float]:
        now = time.monotonic()
        for name in [name for name, found in self._failures.items() if not found or found[-1] < now - WINDOW]:
            del self._failures[name]
        found = self._failures.setdefault(who, deque())
        while found and found[0] < now - WINDOW:
            found.popleft()
        return found
