"""The simulated home cage: `ethocaffe simulate`. What was put in by hand is told in README.md beside this."""

from data_prep.simulate.command import add_arguments, run, simulate

__all__ = ["add_arguments", "run", "simulate"]
