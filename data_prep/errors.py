"""The one exception for what a user can put right, and the one way to warn."""
from __future__ import annotations

import sys


class InputError(Exception):
    """Bad input. Its text is one line: what is wrong, in which file and place, and what to do.

    The command line prints it after `ethocaffe: error:` without a traceback and exits with its `status`.
    """

    status = 2

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


class Busy(InputError):
    """Another command writes to the same folder now: the same again later may do (EX_TEMPFAIL of sysexits.h)."""

    status = 75


def warn(message: str) -> None:
    """Tell the user, in one line on standard error, what was let pass."""
    print("ethocaffe: warning: " + " ".join(message.split()), file=sys.stderr)
