"""How a net comes from its message: layers made in order, connected by blobs, their parameters taken in.

The rules are those of Net::Init in src/caffe/net.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from caffe import net_log
from caffe.blob import Blob
from caffe.border import naming
from caffe.errors import CaffeError
from caffe.graph import filter_net, insert_splits, left_out, unknown_bottom
from caffe.layer_types import Layer, TensorLayer, create_layer
from caffe.proto import caffe_pb2

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


class Assembly:
    """The parts of a net, from a message in today's format whose state says phase, level and stages.

    Blobs, layers and learnable parameters are numbered as they are made; connections are lists of these numbers.
    Raises CaffeError where a layer, a connection or a shared parameter is not as it must be.
    """

    def __init__(self, param: caffe_pb2.NetParameter):
        filtered = filter_net(param)
        net_log.starting(filtered)
        param = insert_splits(filtered, left_out(param, filtered))
        self.name = param.name
        self.phase = param.state.phase
        self.layers: list[Layer] = []
        self.learnable_params: list[Learnable] = []
        self.param_of: dict[tuple[int, int], int] = {}  # (layer, its blob) -> learnable
        self.blobs: list[Blob] = []
        self.blob_names: list[str] = []
        self.layer_names: list[str] = []
        self._memory = 0  # values in all tops, for the log
        self.blob_loss_weights: list[float] = []
        self.bottoms: list[list[int]] = []
        self.tops: list[list[int]] = []
        self.inputs: list[int] = []
        self.need_backward: list[bool] = []  # of each layer
        self.bottom_need_backward: list[list[bool]] = []
        blob_needs: list[bool] = []
        available: dict[str, int] = {}  # blobs that no layer has used yet
        known: dict[str, int] = {}
        for layer_param in param.layer:
            if not layer_param.HasField("phase"):
                layer_param.phase = self.phase
            self._append_layer(layer_param, available, known, blob_needs)
        self._skip_useless_backward()
        net_log.backward_needs(self.layer_names, self.need_backward)
        if param.force_backward:
            self._force_backward()
        for layer, needs, runs in zip(self.layers, self.bottom_need_backward, self.need_backward):
            needs[:] = [need or (runs and layer.gives_unasked(j)) for j, need in enumerate(needs)]
            layer.bottom_need_backward = needs
            if isinstance(layer, TensorLayer):
                layer.keeps_graph = runs
        self.outputs = [available[name] for name in sorted(available)]
        self.debug_info = param.debug_info
        net_log.finished([self.blob_names[i] for i in self.outputs])

    def _append_layer(self, layer_param, available: dict[str, int], known: dict[str, int],
                      blob_needs: list[bool]) -> None:
        """Make one layer, connect it, set it up, take in its parameters."""
        count = len(layer_param.propagate_down)
        if count and count != len(layer_param.bottom):
            raise CaffeError(f"layer '{layer_param.name}': {count} propagate_down for {len(layer_param.bottom)} "
                             "bottom(s); give none or one for each")
        net_log.creating(layer_param)
        declared = [*layer_param.param]  # the layer may add to its message
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
            self.inputs += tops
        if layer.auto_tops:
            least = layer.tops[0] if isinstance(layer.tops, tuple) else layer.tops or 0
            tops += [self._append_blob(AUTOMATIC, blob_needs) for _ in range(least - len(tops))]
        net_log.connecting(layer_param, len(tops))
        with naming(layer):
            layer.set_up([self.blobs[i] for i in bottoms], [self.blobs[i] for i in tops])
        self._memory = net_log.set_up(layer, [self.blobs[i] for i in tops], self._memory)
        for j, blob_id in enumerate(tops):
            self.blob_loss_weights[blob_id] = layer.top_loss_weight(j)
        index = len(self.layers)
        self.layers.append(layer)
        self.layer_names.append(layer_param.name)
        self.bottoms.append(bottoms)
        self.tops.append(tops)
        self.bottom_need_backward.append(needs)
        need_backward |= self._append_params(index, declared)
        self.need_backward.append(need_backward)
        if need_backward:
            for blob_id in tops:
                blob_needs[blob_id] = True

    def _append_blob(self, name: str, blob_needs: list[bool]) -> int:
        self.blobs.append(Blob())
        self.blob_names.append(name)
        self.blob_loss_weights.append(0.0)
        blob_needs.append(False)
        return len(self.blobs) - 1

    def _append_params(self, index: int, declared: list[caffe_pb2.ParamSpec]) -> bool:
        """Take in a layer's parameter blobs, shared ones once; True if the net as written lets any be learnt.

        BatchNorm's, whose lr_mult: 0 is the layer's own addition, count as learnt for that: Caffe runs its backward.
        """
        layer = self.layers[index]
        specs = list(layer.layer_param.param)
        if len(specs) > len(layer.blobs):
            raise layer.fault(f"has {len(specs)} param messages for {len(layer.blobs)} parameter blob(s)")
        specs += [caffe_pb2.ParamSpec()] * (len(layer.blobs) - len(specs))
        defaults = [caffe_pb2.ParamSpec()] * (len(layer.blobs) - len(declared))
        layer.param_propagate_down = [spec.lr_mult != 0 for spec in [*declared, *defaults]]
        named = {p.name: i for i, p in enumerate(self.learnable_params) if p.name}
        for j, (blob, spec) in enumerate(zip(layer.blobs, specs)):
            if spec.name in named:
                self._share_param(layer, blob, spec, self.learnable_params[named[spec.name]])
                self.param_of[index, j] = named[spec.name]
                continue
            self.param_of[index, j] = len(self.learnable_params)
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
            tops, bottoms = self.tops[i], self.bottoms[i]
            needs = self.bottom_need_backward[i]
            contributes = any(self.layers[i].top_loss_weight(j) or b in under_loss for j, b in enumerate(tops))
            if self.need_backward[i] and all(b in skipped for b in tops):
                self.need_backward[i] = False
                needs[:] = [False] * len(needs)
            if contributes:
                under_loss.update(bottoms)
            else:
                self.need_backward[i] = False
                needs[:] = [False] * len(needs)
            skipped.update(b for b, need in zip(bottoms, needs) if not need)

    def _force_backward(self) -> None:
        for i, layer in enumerate(self.layers):
            self.need_backward[i] = True
            needs = self.bottom_need_backward[i]
            needs[:] = [need or layer.allow_force_backward(j) for j, need in enumerate(needs)]
            layer.param_propagate_down = [True] * len(layer.blobs)
