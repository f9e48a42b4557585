"""What Ctrl-C (SIGINT) and a hang-up (SIGHUP) do to a training run: stop it in good order, snapshot, or nothing.

src/caffe/util/signal_handler.cpp: a signal is only noted, and the solver asks after each iteration and test batch.
"""

from __future__ import annotations

import signal

from caffe.errors import CaffeError

EFFECTS = {"stop": "stop", "snapshot": "snapshot", "none": ""}


class ActionOnSignal:
    """In a `with` block, signals are noted for `requested`; after it the handlers from before are back.

    Raises CaffeError for an effect that is not one of EFFECTS.
    """

    def __init__(self, sigint_effect: str = "stop", sighup_effect: str = "snapshot"):
        for flag, effect in (("sigint_effect", sigint_effect), ("sighup_effect", sighup_effect)):
            if effect not in EFFECTS:
                raise CaffeError(f"--{flag} is one of {', '.join(EFFECTS)}, not '{effect}'")
        # in the order in which they are heeded
        self._effects = {signal.SIGHUP: EFFECTS[sighup_effect], signal.SIGINT: EFFECTS[sigint_effect]}
        self._noted: set[int] = set()

    def __enter__(self) -> ActionOnSignal:
        self._before = {number: signal.signal(number, self._note) for number in self._effects}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame: object) -> None:
        self._noted.add(number)

    def requested(self) -> str:
        """The effect of a signal since the last question: "stop", "snapshot", or "" for none."""
        for number, effect in self._effects.items():
            if number in self._noted:
                self._noted.discard(number)
                return effect
        return ""
