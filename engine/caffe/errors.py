"""The one exception of this package for what a user can put right."""


class CaffeError(RuntimeError):
    """A fault in a prototxt, a weights file, a data source or a call.

    The message is one line: what is wrong, in which file, layer or field, and what to do. Where real Caffe
    aborts the process with a failed CHECK, this is raised instead.
    """

    def __init__(self, message: str = ""):
        # names and keys in files by others may hold anything
        super().__init__(" ".join(message.splitlines()))
