"""Running a net over arrays longer than its batch, as pycaffe's `forward_all` and `forward_backward_all`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe.errors import CaffeError

if TYPE_CHECKING:
    from caffe.net import Net

Arrays = dict[str, Any]  # blob name → array


def forward_all(net: Net, blobs: Sequence[str] | None, inputs: Arrays) -> Arrays:
    """{blob name: outputs over all samples}; the last batch is padded with zeros and its padding dropped."""
    if not inputs:
        raise CaffeError("forward_all needs the input arrays by blob name")
    collected: dict[str, list] = {name: [] for name in {*net.outputs, *(blobs or ())}}
    for batch in split(net, inputs):
        for name, array in net.forward(blobs, **batch).items():
            collected[name].extend(array.copy())
    return _without_padding(collected, len(next(iter(inputs.values()))))


def forward_backward_all(net: Net, blobs: Sequence[str] | None, diffs: Sequence[str] | None,
                         arrays: Arrays) -> tuple[Arrays, Arrays]:
    """({blob name: data}, {blob name: diff}) over all samples; `arrays` holds inputs and outputs' diffs by name."""
    if not arrays:
        raise CaffeError("forward_backward_all needs arrays by blob name")
    data: dict[str, list] = {name: [] for name in {*net.outputs, *(blobs or ())}}
    gradients: dict[str, list] = {name: [] for name in {*net.inputs, *(diffs or ())}}
    nothing: Arrays = {}
    forwards = split(net, {name: arrays[name] for name in net.inputs if name in arrays})
    backwards = split(net, {name: arrays[name] for name in net.outputs if name in arrays})
    for batch, top_diffs in zip_longest(forwards, backwards, fillvalue=nothing):
        for name, array in net.forward(blobs, **batch).items():
            data[name].extend(array.copy())
        for name, array in net.backward(diffs, **top_diffs).items():
            gradients[name].extend(array.copy())
    samples = len(next(iter(arrays.values())))
    return _without_padding(data, samples), _without_padding(gradients, samples)


def split(net: Net, arrays: Arrays) -> Iterator[Arrays]:
    """Batches of the size of the net's first blob; the last one padded with zeros."""
    if not arrays:
        return
    samples = len(next(iter(arrays.values())))
    size = next(iter(net.blobs.values())).shape[0]
    for start in range(0, samples, size):
        batch = {name: np.asarray(array[start:start + size]) for name, array in arrays.items()}
        short = size - min(size, samples - start)
        if short:
            batch = {name: np.concatenate([array, np.zeros((short, *array.shape[1:]), array.dtype)])
                     for name, array in batch.items()}
        yield batch


def _without_padding(collected: dict[str, list], samples: int) -> Arrays:
    return {name: np.asarray(rows)[:samples] for name, rows in collected.items()}
