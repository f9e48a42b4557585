"""One module for each ``ethocaffe`` command; ``cli`` is the table of them."""

__version__ = "0.1.0"
