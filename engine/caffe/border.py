"""Where errors of the libraries underneath become errors that name a layer: a net's border to its layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caffe.errors import CaffeError

if TYPE_CHECKING:
    from caffe.layer_types import Layer

# what numpy and torch raise for sizes and values that make no sense to them, or that memory is short of
_FAULTS = (RuntimeError, MemoryError, ArithmeticError, ValueError, IndexError, TypeError)
_SHORT_OF_MEMORY = re.compile(r"not enough memory|allocate memory|out of memory|unable to allocate", re.IGNORECASE)


@contextmanager
def naming(layer: Layer) -> Iterator[None]:
    """Errors inside name the layer, once. Those of users' own layers pass as they are, as in pycaffe."""
    try:
        yield
    except CaffeError as error:
        if not _is_ours(layer) or f"layer '{layer.name}'" in str(error):
            raise
        raise layer.fault(str(error)) from error
    except _FAULTS as error:
        if not _is_ours(layer):
            raise
        raise layer.fault(_what(error)) from error


def _what(error: Exception) -> str:
    line = " ".join(str(error).split()).split(" Exception raised from ")[0]
    if isinstance(error, MemoryError) or _SHORT_OF_MEMORY.search(line):
        return f"there is not enough memory for it ({line or 'none is left'}); use a smaller batch or smaller sizes"
    return f"cannot be computed with these shapes, settings and values ({line[:300]})"


def _is_ours(layer: Layer) -> bool:
    return type(layer).__module__.partition(".")[0] == "caffe"
