"""`ethocaffe reproduce`: the thesis's tables and figures, with the published numbers beside the measured ones."""

from tools.reproduce.command import add_arguments, run

__all__ = ["add_arguments", "run"]
