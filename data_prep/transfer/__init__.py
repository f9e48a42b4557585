"""Footage transfer: `ethocaffe transfer` copies finished recordings into a dataset. docs/transfer.md tells how.

sources → finished (may it be taken?) → copying → checking → normalise → commit, with a line in the register.
"""

from data_prep.transfer.command import add_arguments, run

__all__ = ["add_arguments", "run"]
