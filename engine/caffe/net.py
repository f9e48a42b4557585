"""Net: layers in order, the blobs between them, forward and backward, as pycaffe's `caffe.Net`.

The rules of assembly are those of Net::Init in src/caffe/net.cpp.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch

from caffe import batches, memory, net_log
from caffe.assembly import Assembly
from caffe.blob import Blob
from caffe.border import naming
from caffe.errors import CaffeError, CaffeTypeError, CaffeValueError
from caffe.formats import weights
from caffe.formats.prototxt import read_net
from caffe.formats.upgrade import upgrade_net
from caffe.glog import warning
from caffe.layer_types import Layer
from caffe.layer_types.memory_data import MemoryData
from caffe.proto import caffe_pb2


class Net:
    """A network from a prototxt file: `Net(file, phase)`, `Net(file, phase, level=…, stages=…, weights=…)`.

    The old order `Net(file, weights, phase)` works too. Raises CaffeError for whatever is wrong with the files.
    """

    def __init__(self, network_file: str | PathLike, *args, **kwargs):
        phase, level, stages, weights_file = _arguments(*args, **kwargs)
        param = upgrade_net(read_net(fspath(network_file)), fspath(network_file))
        param.state.phase = phase
        param.state.level = level
        param.state.stage.extend(stages)
        self._take(param)
        if weights_file is not None:
            self.copy_from(weights_file)

    @classmethod
    def from_proto(cls, param: caffe_pb2.NetParameter) -> Net:
        """A net from its message; phase, level and stages are those of `param.state`."""
        net = cls.__new__(cls)
        net._take(param)
        return net

    def _take(self, param: caffe_pb2.NetParameter) -> None:
        """Put the net together. Blobs and layers go by numbers inside, in the order in which they were made."""
        memory.keep_freed()
        parts = Assembly(param)
        self.name, self.phase, self.debug_info = parts.name, parts.phase, parts.debug_info
        self.layers, self._layer_names = parts.layers, parts.layer_names
        self._blobs, self._blob_names = parts.blobs, parts.blob_names
        self._blob_loss_weights = parts.blob_loss_weights
        self._bottoms, self._tops = parts.bottoms, parts.tops  # of each layer, its blobs
        self._inputs, self._outputs = parts.inputs, parts.outputs
        self._need_backward, self._bottom_need_backward = parts.need_backward, parts.bottom_need_backward
        self.learnable_params, self._param_of = parts.learnable_params, parts.param_of
        self._callbacks: dict[str, list[Callable[[int], None]]] = {
            "before_forward": [], "after_forward": [], "before_backward": [], "after_backward": []}

    # -- running ----------------------------------------------------------------------------------------------
    def _forward(self, start: int, end: int) -> float:
        """Run layers start … end (inclusive); the sum of their losses."""
        loss = 0.0
        for i in range(start, end + 1):
            self._run("before_forward", i)
            layer = self.layers[i]
            bottom, top = self._bottom_blobs(i), self._top_blobs(i)
            with naming(layer):
                layer.reshape(bottom, top)
                layer.forward(bottom, top)
            for j, blob in enumerate(top):
                if layer.top_loss_weight(j):
                    loss += float(torch.dot(blob.tensor().reshape(-1), blob.diff_tensor().reshape(-1)))
            if self.debug_info:
                net_log.forward(self, i)
            self._run("after_forward", i)
        return loss

    def _backward(self, start: int, end: int) -> None:
        """Run layers start … end (inclusive, start ≥ end) backwards."""
        for i in range(start, end - 1, -1):
            self._run("before_backward", i)
            if self._need_backward[i]:
                with naming(self.layers[i]):
                    self.layers[i].backward(self._top_blobs(i), self._bottom_need_backward[i], self._bottom_blobs(i))
                if self.debug_info:
                    net_log.backward(self, i)
            self._run("after_backward", i)

    def forward(self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None,
                **inputs: Any) -> dict[str, np.ndarray]:
        """Fill the inputs given by name, run from layer `start` to layer `end` (inclusive).

        Returns {blob name: array} of the outputs (the tops of `end` if given) and of `blobs`.
        """
        first = self._layer_index(start) if start is not None else 0
        last = self._layer_index(end) if end is not None else len(self.layers) - 1
        names = set(self.top_names[end] if end is not None else self.outputs) | set(blobs or ())
        if inputs:
            self._fill(inputs, self.inputs, "data")
        self._forward(first, last)
        return {name: self.blobs[name].data for name in names}

    def backward(self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None,
                 **top_diffs: Any) -> dict[str, np.ndarray]:
        """Fill the outputs' diffs given by name, run backwards from layer `start` to layer `end` (inclusive).

        Returns {blob name: array} of the diffs of the inputs (the bottoms of `end` if given) and of `diffs`.
        """
        first = self._layer_index(start) if start is not None else len(self.layers) - 1
        last = self._layer_index(end) if end is not None else 0
        names = set(self.bottom_names[end] if end is not None else self.inputs) | set(diffs or ())
        if top_diffs:
            self._fill(top_diffs, self.outputs, "diff")
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in names}

    def forward_backward(self) -> float:
        """One forward and one backward pass through everything; the loss."""
        last = len(self.layers) - 1
        loss = self._forward(0, last)
        self._backward(last, 0)
        if self.debug_info:
            net_log.all_params(self)
        return loss

    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: Any) -> dict[str, np.ndarray]:
        """Forward over arrays of any length, batch by batch: {blob name: array over all}."""
        return batches.forward_all(self, blobs, inputs)

    def forward_backward_all(self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None,
                             **arrays: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Forward and backward over arrays of any length, batch by batch: (blobs, diffs) over all."""
        return batches.forward_backward_all(self, blobs, diffs, arrays)

    def _batch(self, blobs: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """The arrays in parts of the size of the net's batch; the last part padded with zeros."""
        return batches.split(self, blobs)

    def reshape(self) -> None:
        """Let every layer reshape its tops, as after a change of an input's shape."""
        for i, layer in enumerate(self.layers):
            with naming(layer):
                layer.reshape(self._bottom_blobs(i), self._top_blobs(i))

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give the MemoryData layer, which must be the first, its data (N × C × H × W) and labels (N, or N×1×1×1).

        Both float32 and C-contiguous, N a multiple of the batch size. Raises CaffeError if not.
        """
        if getattr(labels, "ndim", 0) == 1:
            labels = np.ascontiguousarray(labels[:, np.newaxis, np.newaxis, np.newaxis])
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        first = self.layers[0] if self.layers else None
        if not isinstance(first, MemoryData):
            raise CaffeError("set_input_arrays is for nets whose first layer is a MemoryData layer")
        first.set_arrays(data, labels)

    def clear_param_diffs(self) -> None:
        for param in self.learnable_params:
            param.blob.clear_diff()

    def _fill(self, arrays: dict[str, np.ndarray], expected: Iterable[str], part: str) -> None:
        if set(arrays) != set(expected):
            raise CaffeError(f"arrays were given for {sorted(arrays)}, the net's blobs for them are {sorted(expected)}")
        for name, array in arrays.items():
            blob = self.blobs[name]
            if array.shape[0] != blob.shape[0]:
                raise CaffeError(f"array for '{name}' has {array.shape[0]} samples, the net's batch is "
                                 f"{blob.shape[0]}; reshape the blob or use forward_all")
            getattr(blob, part)[...] = array

    def _bottom_blobs(self, i: int) -> list[Blob]:
        return [self._blobs[k] for k in self._bottoms[i]]

    def _top_blobs(self, i: int) -> list[Blob]:
        return [self._blobs[k] for k in self._tops[i]]

    def _layer_index(self, name: str) -> int:
        if name not in self._layer_names:
            raise CaffeValueError(f"the net has no layer '{name}'; its layers: {', '.join(self._layer_names)}")
        return self._layer_names.index(name)

    # -- callbacks ----------------------------------------------------------------------------------------------
    def before_forward(self, run: Callable[[int], None]) -> None:
        """Call run(layer index) before each layer's forward."""
        self._callbacks["before_forward"].append(run)

    def after_forward(self, run: Callable[[int], None]) -> None:
        self._callbacks["after_forward"].append(run)

    def before_backward(self, run: Callable[[int], None]) -> None:
        self._callbacks["before_backward"].append(run)

    def after_backward(self, run: Callable[[int], None]) -> None:
        self._callbacks["after_backward"].append(run)

    def _run(self, when: str, layer_index: int) -> None:
        for callback in self._callbacks[when]:
            callback(layer_index)

    # -- weights ------------------------------------------------------------------------------------------------
    def copy_from(self, file: str | PathLike) -> None:
        """Copy parameters by layer name from a .caffemodel or HDF5 file; layers not in both are left alone."""
        weights.load(self, fspath(file))

    def share_with(self, other: Net) -> None:
        """Use the parameter memory of the layers of the same name in `other` (Net::ShareTrainedLayersWith)."""
        if not isinstance(other, Net):
            raise CaffeTypeError(f"share_with takes another Net, not {type(other)}")
        weights.share(self, other)

    def save(self, file: str | PathLike) -> None:
        """Write the net with its parameters as a binary NetParameter (.caffemodel)."""
        weights.save(self, fspath(file))

    def save_hdf5(self, file: str | PathLike) -> None:
        weights.save_hdf5(self, fspath(file))

    def load_hdf5(self, file: str | PathLike) -> None:
        weights.load_hdf5(self, fspath(file))

    def param_owner(self, layer_index: int, blob_index: int) -> bool:
        """True if the layer's parameter is its own, False if it uses another layer's."""
        owner = self.learnable_params[self._param_of[layer_index, blob_index]]
        return owner.blob is self.layers[layer_index].blobs[blob_index]

    # -- pycaffe's views ------------------------------------------------------------------------------------------
    # made once: scripts hold on to these dictionaries and ask for them in their innermost loops
    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        """The blobs by name, from input to output."""
        return OrderedDict(zip(self._blob_names, self._blobs))

    @cached_property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights))

    @cached_property
    def params(self) -> OrderedDict[str, list[Blob]]:
        """The parameter blobs by layer name, for layers that have any."""
        return OrderedDict((name, layer.blobs) for name, layer in self.layer_dict.items() if len(layer.blobs))

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        return OrderedDict(zip(self._layer_names, self.layers))

    @cached_property
    def inputs(self) -> list[str]:
        return [self._blob_names[i] for i in self._inputs]

    @cached_property
    def outputs(self) -> list[str]:
        return [self._blob_names[i] for i in self._outputs]

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict((name, [self._blob_names[k] for k in ids])
                           for name, ids in zip(self._layer_names, self._tops))

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict((name, [self._blob_names[k] for k in ids])
                           for name, ids in zip(self._layer_names, self._bottoms))

    def _top_ids(self, layer_index: int) -> list[int]:
        return self._tops[layer_index]

    def _bottom_ids(self, layer_index: int) -> list[int]:
        return self._bottoms[layer_index]


def _arguments(*args, phase: int | None = None, level: int = 0, stages: Sequence[str] | None = None,
               weights: str | PathLike | None = None) -> tuple[int, int, list[str], str | PathLike | None]:
    """phase, level, stages, weights from pycaffe's two orders of arguments."""
    if len(args) == 2 and isinstance(args[0], (str, PathLike)):
        weights, phase = args
        warning("DEPRECATION WARNING - deprecated use of Python interface")
        warning('Use this instead (with the named "weights" parameter):')
        warning(f"Net(FILE, {phase}, weights='{fspath(weights)}')")
    elif args:
        phase, level, stages, weights = (*args, phase, level, stages, weights)[: len(args)] + (
            (phase, level, stages, weights)[len(args):])
    if phase is None or phase not in (caffe_pb2.TRAIN, caffe_pb2.TEST):
        raise CaffeTypeError("Net needs a phase: caffe.Net(file, caffe.TEST) or caffe.Net(file, caffe.TRAIN)")
    return int(phase), level, list(stages or ()), weights
