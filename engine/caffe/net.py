"""Net: layers in order, the blobs between them, forward and backward, as pycaffe's `caffe.Net`.

The rules of assembly are those of Net::Init in src/caffe/net.cpp.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch

from caffe import batches, net_log, weights
from caffe.blob import Blob
from caffe.border import naming
from caffe.errors import CaffeError, CaffeTypeError, CaffeValueError
from caffe.glog import warning
from caffe.graph import filter_net, insert_splits, unknown_bottom
from caffe.layer_types import Layer, create_layer
from caffe.layer_types.memory_data import MemoryData
from caffe.proto import caffe_pb2
from caffe.prototxt import read_net
from caffe.upgrade import upgrade_net

AUTOMATIC = "(automatic)"


@dataclass
class Learnable:
    """A parameter blob that the solver updates: one entry for all layers that share it."""

    blob: Blob
    name: str  # the ParamSpec's name, or ''
    layer: str  # the layer that owns it
    index: int  # among the owner's blobs
    lr_mult: float
    decay_mult: float
    lr_mult_given: bool
    decay_mult_given: bool


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
        self._assemble(param)
        if weights_file is not None:
            self.copy_from(weights_file)

    @classmethod
    def from_proto(cls, param: caffe_pb2.NetParameter) -> Net:
        """A net from its message; phase, level and stages are those of `param.state`."""
        net = cls.__new__(cls)
        net._assemble(param)
        return net

    # -- assembly --------------------------------------------------------------------------------------------
    def _assemble(self, param: caffe_pb2.NetParameter) -> None:
        filtered = filter_net(param)
        net_log.starting(filtered)
        param = insert_splits(filtered)
        self.name = param.name
        self.phase = param.state.phase
        self.layers: list[Layer] = []
        self.learnable_params: list[Learnable] = []
        self._param_of: dict[tuple[int, int], int] = {}  # (layer, its blob) -> learnable
        self._blobs: list[Blob] = []
        self._blob_names: list[str] = []
        self._layer_names: list[str] = []
        self._memory = 0  # values in all tops, for the log
        self._blob_loss_weights: list[float] = []
        self._bottoms: list[list[int]] = []
        self._tops: list[list[int]] = []
        self._inputs: list[int] = []
        self._need_backward: list[bool] = []  # of each layer
        self._bottom_need_backward: list[list[bool]] = []
        self._callbacks: dict[str, list[Callable[[int], None]]] = {
            "before_forward": [], "after_forward": [], "before_backward": [], "after_backward": []}
        blob_needs: list[bool] = []
        available: dict[str, int] = {}  # blobs that no layer has used yet
        known: dict[str, int] = {}
        for layer_param in param.layer:
            if not layer_param.HasField("phase"):
                layer_param.phase = self.phase
            self._append_layer(layer_param, available, known, blob_needs)
        self._skip_useless_backward()
        net_log.backward_needs(self._layer_names, self._need_backward)
        if param.force_backward:
            self._force_backward()
        for layer, needs in zip(self.layers, self._bottom_need_backward):
            layer.bottom_need_backward = needs
        self._outputs = [available[name] for name in sorted(available)]
        self.debug_info = param.debug_info
        net_log.finished(self.outputs)

    def _append_layer(self, layer_param, available: dict[str, int], known: dict[str, int],
                      blob_needs: list[bool]) -> None:
        """Make one layer, connect it, set it up, take in its parameters."""
        count = len(layer_param.propagate_down)
        if count and count != len(layer_param.bottom):
            raise CaffeError(f"layer '{layer_param.name}': {count} propagate_down for {len(layer_param.bottom)} "
                             "bottom(s); give none or one for each")
        net_log.creating(layer_param)
        layer = create_layer(layer_param)
        bottoms, needs = [], []
        for j, name in enumerate(layer_param.bottom):
            if name not in available:
                raise unknown_bottom(layer_param, j, list(available))
            blob_id = available.pop(name)
            bottoms.append(blob_id)
            needs.append(layer_param.propagate_down[j] if count else blob_needs[blob_id])
        # a layer is asked for a gradient if any bottom has one, even one that propagate_down stops
        need_backward = any(blob_needs[blob_id] for blob_id in bottoms)
        tops = []
        for j, name in enumerate(layer_param.top):
            if j < len(layer_param.bottom) and name == layer_param.bottom[j]:
                blob_id = known[name]
            elif name in known:
                raise CaffeError(f"layer '{layer_param.name}': top blob '{name}' is produced by another layer "
                                 "already; rename one of them (in place needs the same place among bottoms)")
            else:
                blob_id = self._append_blob(name, blob_needs)
                known[name] = blob_id
            available[name] = blob_id
            tops.append(blob_id)
        if layer_param.type == "Input":
            self._inputs += tops
        if layer.auto_tops:
            least = layer.tops[0] if isinstance(layer.tops, tuple) else layer.tops or 0
            tops += [self._append_blob(AUTOMATIC, blob_needs) for _ in range(least - len(tops))]
        net_log.connecting(layer_param, len(tops))
        with naming(layer):
            layer.set_up([self._blobs[i] for i in bottoms], [self._blobs[i] for i in tops])
        self._memory = net_log.set_up(layer, [self._blobs[i] for i in tops], self._memory)
        for j, blob_id in enumerate(tops):
            self._blob_loss_weights[blob_id] = layer.top_loss_weight(j)
        index = len(self.layers)
        self.layers.append(layer)
        self._layer_names.append(layer_param.name)
        self._bottoms.append(bottoms)
        self._tops.append(tops)
        self._bottom_need_backward.append(needs)
        need_backward |= self._append_params(index)
        self._need_backward.append(need_backward)
        if need_backward:
            for blob_id in tops:
                blob_needs[blob_id] = True

    def _append_blob(self, name: str, blob_needs: list[bool]) -> int:
        self._blobs.append(Blob())
        self._blob_names.append(name)
        self._blob_loss_weights.append(0.0)
        blob_needs.append(False)
        return len(self._blobs) - 1

    def _append_params(self, index: int) -> bool:
        """Take in a layer's parameter blobs, shared ones once; True if any is to be learnt."""
        layer = self.layers[index]
        specs = list(layer.layer_param.param)
        if len(specs) > len(layer.blobs):
            raise layer.fault(f"has {len(specs)} param messages for {len(layer.blobs)} parameter blob(s)")
        specs += [caffe_pb2.ParamSpec()] * (len(layer.blobs) - len(specs))
        layer.param_propagate_down = [spec.lr_mult != 0 for spec in specs]
        named = {p.name: i for i, p in enumerate(self.learnable_params) if p.name}
        for j, (blob, spec) in enumerate(zip(layer.blobs, specs)):
            if spec.name in named:
                self._share_param(layer, blob, spec, self.learnable_params[named[spec.name]])
                self._param_of[index, j] = named[spec.name]
                continue
            self._param_of[index, j] = len(self.learnable_params)
            if spec.name:
                named[spec.name] = len(self.learnable_params)
            self.learnable_params.append(Learnable(
                blob, spec.name, layer.layer_param.name, j, spec.lr_mult, spec.decay_mult,
                spec.HasField("lr_mult"), spec.HasField("decay_mult")))
        return any(layer.param_propagate_down)

    @staticmethod
    def _share_param(layer: Layer, blob: Blob, spec: caffe_pb2.ParamSpec, owner: Learnable) -> None:
        """Make `blob` use the memory of the parameter of that name (Net::AppendParam)."""
        net_log.sharing(spec.name, owner.layer, owner.index)
        permissive = spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
        if blob.count != owner.blob.count if permissive else blob.shape != owner.blob.shape:
            raise layer.fault(f"cannot share parameter '{spec.name}' of layer '{owner.layer}': its shape is "
                              f"{owner.blob.shape_string()}, here {blob.shape_string()} is needed")
        for field in ("lr_mult", "decay_mult"):
            if not spec.HasField(field):
                continue
            value = getattr(spec, field)
            if getattr(owner, field + "_given") and getattr(owner, field) != value:
                raise layer.fault(f"shared parameter '{spec.name}' has {field} {value} here and "
                                  f"{getattr(owner, field)} in layer '{owner.layer}'; make them equal")
            setattr(owner, field, value)
            setattr(owner, field + "_given", True)
        blob.share_data(owner.blob)
        blob.share_diff(owner.blob)

    def _skip_useless_backward(self) -> None:
        """Going back from the last layer: no gradient where it reaches no loss or is stopped above."""
        under_loss: set[int] = set()
        skipped: set[int] = set()
        for i in reversed(range(len(self.layers))):
            tops, bottoms = self._tops[i], self._bottoms[i]
            needs = self._bottom_need_backward[i]
            contributes = any(self.layers[i].top_loss_weight(j) or b in under_loss for j, b in enumerate(tops))
            if self._need_backward[i] and all(b in skipped for b in tops):
                self._need_backward[i] = False
                needs[:] = [False] * len(needs)
            if contributes:
                under_loss.update(bottoms)
            else:
                self._need_backward[i] = False
                needs[:] = [False] * len(needs)
            skipped.update(b for b, need in zip(bottoms, needs) if not need)

    def _force_backward(self) -> None:
        for i, layer in enumerate(self.layers):
            self._need_backward[i] = True
            needs = self._bottom_need_backward[i]
            needs[:] = [need or layer.allow_force_backward(j) for j, need in enumerate(needs)]
            layer.param_propagate_down = [True] * len(layer.blobs)

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
            param.blob.mutable_diff_tensor().zero_()

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
