"""The one exception of this package for what a user can put right, and the kinds of it that pycaffe has names for."""


class CaffeError(RuntimeError):
    """A fault in a prototxt, a weights file, a data source or a call.

    The message is one line: what is wrong, in which file, layer or field, and what to do. Where real Caffe
    aborts the process with a failed CHECK, this is raised instead. Where real pycaffe raises an exception that
    scripts catch by its type, one of the subclasses below is raised: it is both.
    """

    __str__ = RuntimeError.__str__  # a KeyError would show the message in quotes

    def __init__(self, message: str = ""):
        # names and keys in files by others may hold anything
        super().__init__(" ".join(message.splitlines()))


class CaffeValueError(CaffeError, ValueError):
    """A value that is not among the possible ones, such as the name of a layer that is not there."""


class CaffeTypeError(CaffeError, TypeError):
    """An argument that is missing or of the wrong kind; Boost.Python's ArgumentError in real pycaffe."""


class CaffeImportError(CaffeError, ImportError):
    """An optional package that is not installed."""


class CaffeFileNotFoundError(CaffeError, FileNotFoundError):
    """A file that is not there, where pycaffe leaves the opening to a library."""


class CaffeAssertionError(CaffeError, AssertionError):
    """A condition that pycaffe asserts."""


class CaffeNameError(CaffeError, KeyError, AttributeError):
    """A name that nothing was assigned to."""
