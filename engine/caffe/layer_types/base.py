"""What a layer is, and the registry of layer types.

A layer type is a class with a `type` name, the number of bottoms and tops it takes, and five methods: `setup`
(once: check parameters, make parameter blobs), `reshape` (before every forward: give the tops their shapes),
`forward`, `backward`. Users' Python layers subclass the same class, as `caffe.Layer`.

Most types are a formula on tensors: they subclass `TensorLayer` and write `compute`; forward stores its results
in the tops and backward is autograd run inside the layer, so that every `.diff`, in-place layer and
`net.backward(start, end)` works as in Caffe (include/caffe/layer.hpp).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module

import numpy as np
import torch

from caffe.blob import Blob, BlobVec
from caffe.errors import CaffeError
from caffe.formats import forks
from caffe.proto import caffe_pb2

Count = int | tuple[int, int | None] | None
Dtype = type  # `type` is the name of an attribute of layers


class Layer:
    """Base of every layer: parameters in `blobs`, its message in `layer_param`, `phase` (0 TRAIN, 1 TEST).

    Class attributes: `type`, `bottoms` and `tops` (exact number, (least, most) with most None for any, or None
    where unchecked), `same_count` (as many tops as bottoms), `auto_tops` (missing tops are made without a name),
    `dtype` of the parameter blobs (float64 for gradient checks).
    """

    type = "Python"
    bottoms: Count = None
    tops: Count = None
    same_count = False
    auto_tops = False
    dtype: Dtype = np.float32
    param_str = param_str_ = ""  # what a prototxt tells a user's layer; old code reads the latter

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        self.layer_param = layer_param
        self.name = layer_param.name
        self.phase = layer_param.phase
        self.blobs = BlobVec(dtype=self.dtype)
        self._top_loss_weights: list[float] = []
        # which bottoms and which parameters get a gradient: the net decides
        self.bottom_need_backward: list[bool] = []
        self.param_propagate_down: list[bool] = []
        for proto in layer_param.blobs:
            blob = Blob(dtype=self.dtype)
            blob.from_proto(proto)
            self.blobs.append(blob)

    # -- for subclasses ------------------------------------------------------------------------------------
    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check parameters and make parameter blobs; called once."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes; called before every forward."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute the tops' data."""

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Write the bottoms' diffs where `propagate_down`, add to the parameters' diffs."""

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Whether `force_backward` asks for this bottom's gradient."""
        return True

    def gives_unasked(self, bottom_index: int) -> bool:
        """Whether Caffe's backward, where the layer has one, writes this bottom's gradient whoever asks for it."""
        return False

    def refuse_gradient(self, asked: bool, what: str) -> None:
        """Raise if the gradient of `what`, which has none, is `asked` for: real Caffe aborts there."""
        if asked:
            raise self.fault(f"has no gradient for {what}: take it from a layer that learns nothing, or set "
                             "propagate_down: false for it, without force_backward")

    def fault(self, message: str) -> CaffeError:
        """An error that names this layer, to be raised."""
        return CaffeError(f"layer '{self.layer_param.name}' ({self.type}): {message}")

    # -- for the net -----------------------------------------------------------------------------------------
    def set_up(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Layer::SetUp: check the counts, set up, reshape, put the loss weights into the tops' diffs."""
        if self.layer_param.type != "Python":  # a user's class may mean other things by these names
            self._check_count("bottom", len(bottom), self.bottoms)
            self._check_count("top", len(top), self.tops)
            if self.same_count and len(bottom) != len(top):
                raise self.fault(f"has {len(bottom)} bottom(s) and {len(top)} top(s); it needs as many tops as bottoms")
        self.bottom_need_backward = [True] * len(bottom)
        self.setup(bottom, top)
        self.param_propagate_down = [True] * len(self.blobs)
        shapes = [blob.shape for blob in bottom]
        self.reshape(bottom, top)
        for blob, shape in zip(bottom, shapes):
            if blob.shape != shape:
                raise self.fault("cannot work in place, its top has another shape than its bottom; give the top a name "
                                 "of its own")
        self._set_loss_weights(top)

    def top_loss_weight(self, top_index: int) -> float:
        """The weight of a top in the net's loss; 0 for a top that is no loss."""
        return self._top_loss_weights[top_index] if top_index < len(self._top_loss_weights) else 0.0

    def _check_count(self, kind: str, count: int, allowed: Count) -> None:
        if allowed is None:
            return
        least, most = allowed if isinstance(allowed, tuple) else (allowed, allowed)
        if count < least or (most is not None and count > most):
            wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            raise self.fault(f"has {count} {kind}(s); it takes {wanted}")

    def _set_loss_weights(self, top: Sequence[Blob]) -> None:
        weights = list(self.layer_param.loss_weight)
        if not weights:
            return
        if len(weights) != len(top):
            raise self.fault(f"has {len(weights)} loss_weight(s) for {len(top)} top(s); give none or one for each")
        self._top_loss_weights = weights
        for blob, weight in zip(top, weights):
            if weight:
                blob.mutable_diff_tensor().fill_(weight)


class TensorLayer(Layer):
    """A layer that is a differentiable formula on tensors: subclasses write `compute`."""

    keeps_graph = True  # False where the net never asks for a gradient: what leads to the tops is then let go at once
    _graph: tuple | None = None  # what the last forward leaves for backward

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        """The tops' values (any memory layout; shapes as `reshape` gave) from the bottoms' and parameters' values.

        Runs under autograd where a gradient is needed. It must not change its arguments in place.
        """
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, output in zip(top, self._evaluate(bottom, top, self.keeps_graph)):
            value = output.detach().reshape(blob.shape)
            if not blob.stays and (not _is_dense(value) or _lies_in(value, (*bottom, *self.blobs))):
                value = value.clone(memory_format=torch.contiguous_format)
            blob.put(value)

    def _evaluate(self, bottom: Sequence[Blob], top: Sequence[Blob], keep: bool) -> list[torch.Tensor]:
        """The tops' values; where a gradient is needed and it is to `keep`, `_graph` then holds what leads to them."""
        self._graph = None  # let go of the last graph before the next one grows
        # a top written over its bottom must leave the bottom's values for backward
        inputs = [blob.tensor().clone() if blob in top and blob.stays else blob.tensor() for blob in bottom]
        params = [blob.tensor() for blob in self.blobs]
        wanted = list(zip(inputs, self.bottom_need_backward)) + list(zip(params, self.param_propagate_down))
        record = keep and any(need for _, need in wanted)
        for tensor, need in wanted:
            tensor.requires_grad_(record and need)
        with torch.set_grad_enabled(record):
            outputs = list(self.compute(inputs, params))
        if record:
            self._graph = (inputs, params, outputs)
        return outputs

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if self._graph is None:  # no forward yet: Caffe's backward reads what the bottoms hold, so does this
            self._evaluate(bottom, top, keep=True)
        if self._graph is None:
            return
        inputs, params, outputs = self._graph
        for blob, tensor in zip(bottom, inputs):
            if blob not in top:
                _see(blob.tensor(), tensor)
        wanted = [t for t in inputs + params if t.requires_grad]
        diffs = [blob.diff_tensor().clone() if blob in bottom else blob.diff_tensor() for blob in top]
        by_tensor: dict[int, torch.Tensor | None] = {}
        pairs = [(y, diff.view_as(y)) for y, diff in zip(outputs, diffs) if y.requires_grad]
        if pairs and wanted:
            values, gradients = zip(*pairs)
            found = torch.autograd.grad(values, wanted, gradients, retain_graph=True, allow_unused=True)
            by_tensor = {id(t): g for t, g in zip(wanted, found)}
        for blob, tensor, need in zip(bottom, inputs, propagate_down):
            if need:
                gradient = by_tensor.get(id(tensor))
                if gradient is None:
                    blob.mutable_diff_tensor().zero_()
                else:
                    blob.put_diff(gradient.detach())
        for blob, tensor in zip(self.blobs, params):
            gradient = by_tensor.get(id(tensor))
            if gradient is not None:
                diff, cleared = blob.diff_to_fill()
                diff.copy_(gradient) if cleared else diff.add_(gradient)


def _is_dense(value: torch.Tensor) -> bool:
    """Whether the numbers lie side by side, in the order of the axes or with the channels last."""
    return value.is_contiguous() or (value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last))


def _lies_in(value: torch.Tensor, blobs: Sequence[Blob]) -> bool:
    """Whether it is a view of what one of the blobs holds."""
    return any(value.untyped_storage().data_ptr() == blob.tensor().untyped_storage().data_ptr() for blob in blobs)


def _see(current: torch.Tensor, recorded: torch.Tensor) -> None:
    """Let backward see a bottom as it is by now, which is not as forward saw it where its memory is another."""
    if current.data_ptr() != recorded.data_ptr():
        recorded.data.copy_(current)


Creator = Callable[[caffe_pb2.LayerParameter], Layer]
LayerClass = type[Layer]
_types: dict[str, Creator] = {}


def register_creator(type_name: str) -> Callable[[Creator], Creator]:
    """Function decorator: make a layer type known by its name and what makes its layers. A name can be taken once."""
    def add(create: Creator) -> Creator:
        if type_name in _types:
            raise CaffeError(f"layer type '{type_name}' is registered already, by {_types[type_name].__module__}")
        _types[type_name] = create
        return create
    return add


def register(cls: LayerClass) -> LayerClass:
    """Class decorator: make a layer type known by its `type` name. A name can be taken once.

    Also for layers of a fork of Caffe; `caffe.proto.extend` gives them their fields:

        caffe.proto.extend("fork/caffe.proto")

        @caffe.layer_types.register
        class Xyz(caffe.layer_types.TensorLayer):
            type, bottoms, tops = "Xyz", 1, 1

            def reshape(self, bottom, top):
                top[0].reshape(*bottom[0].shape)

            def compute(self, bottoms, params):
                return [bottoms[0] * self.layer_param.xyz_param.alpha]

    For commands such as `caffe train`, the environment variable CAFFE_LAYERS names the modules (`my_layers`, or several
    between commas; found as Python finds modules, so by PYTHONPATH) that are imported when the first layer is made. It
    runs their code: like PYTHONPATH, it is the user's own, and no file can set it.
    """
    register_creator(cls.type)(cls)
    return cls


def layer_type_list() -> list[str]:
    """The names of the known layer types, sorted."""
    _import_users_layers()
    return sorted(_types)


def create_layer(layer_param: caffe_pb2.LayerParameter) -> Layer:
    """The layer that a LayerParameter describes, not yet set up. Raises CaffeError for an unknown type."""
    _import_users_layers()
    try:
        create = _types[layer_param.type]
    except KeyError:
        raise CaffeError(f"layer '{layer_param.name}': unknown layer type '{layer_param.type}'; "
                         f"{_advice(layer_param.type)}known types: {', '.join(layer_type_list())}") from None
    return create(layer_param)


def _advice(unknown: str) -> str:
    if unknown in forks.SAME_AS:
        return f"it is a fork's; write {forks.SAME_AS[unknown]}; "
    near = get_close_matches(unknown, _types, 1)
    return (f"did you mean {near[0]}? " if near else "") + (
        "if it is a fork's, register a class of yours (caffe.layer_types.register; for commands, CAFFE_LAYERS names "
        "its module); ")


@cache
def _import_users_layers() -> None:
    """Import the modules that CAFFE_LAYERS names: late, so that they find a whole `caffe` to import."""
    for name in filter(None, map(str.strip, os.environ.get("CAFFE_LAYERS", "").split(","))):
        try:
            import_module(name)
        except Exception as error:
            what = str(error) if isinstance(error, (ImportError, CaffeError)) else f"{type(error).__name__}: {error}"
            raise CaffeError(f"CAFFE_LAYERS: module '{name}' cannot be imported ({what}); it names modules, separated "
                             "by commas, in folders of PYTHONPATH") from error
