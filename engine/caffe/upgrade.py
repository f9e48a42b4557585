"""Older formats of nets and solvers, brought to today's: V1 layers, input fields, BatchNorm's params, solver_type.

The order and the rules are those of src/caffe/util/upgrade_proto.cpp. V0 (layers inside `layers`, from 2013) is
refused with the way out.
"""

from __future__ import annotations

from caffe.errors import CaffeError
from caffe.proto import caffe_pb2

# V1's types are today's in capitals with underscores, but for these
_OTHER_NAMES = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col", "LRN": "LRN", "MVN": "MVN", "NONE": "", "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_TRANSFORMED = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")
# fields of a V1 layer that are not in today's layer under the same name and type
_CHANGED = {"type", "param", "blob_share_mode", "blobs_lr", "weight_decay", "layer"}


def upgrade_net(net: caffe_pb2.NetParameter, source: str = "net") -> caffe_pb2.NetParameter:
    """The net in today's format; a net that is in it already comes back unchanged.

    Raises CaffeError for a net of two formats at once, and for V0. `source` is named in errors.
    """
    if not (net.layers or net.input or any(map(_has_old_batch_norm, net.layer))):
        return net
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(net)
    if upgraded.layers:
        _upgrade_layers(upgraded, source)
    if upgraded.input:
        _upgrade_input(upgraded, source)
    for layer in filter(_has_old_batch_norm, upgraded.layer):
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    return upgraded


def upgrade_solver(solver: caffe_pb2.SolverParameter, source: str = "solver") -> caffe_pb2.SolverParameter:
    """The solver with `type` in the place of the old `solver_type`. Raises CaffeError where both are given."""
    if not solver.HasField("solver_type"):
        return solver
    if solver.HasField("type"):
        raise CaffeError(f"{source}: has both solver_type and type; keep type")
    names = {rule.upper(): rule for rule in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")}
    upgraded = caffe_pb2.SolverParameter()
    upgraded.CopyFrom(solver)
    upgraded.type = names[caffe_pb2.SolverParameter.SolverType.Name(solver.solver_type)]
    upgraded.ClearField("solver_type")
    return upgraded


def _upgrade_layers(net: caffe_pb2.NetParameter, source: str) -> None:
    if net.layer:
        raise CaffeError(f"{source}: has both layer and layers; write all of them as layer, with a type in quotes")
    for old in net.layers:
        if old.HasField("layer"):
            raise CaffeError(f"{source}: is in Caffe's V0 format of 2013; bring it up to date with Caffe's own "
                             "upgrade_net_proto_text or upgrade_net_proto_binary")
        _move_transforms(old)
        net.layer.add().CopyFrom(_upgrade_layer(old))
    net.ClearField("layers")


def _move_transforms(old: caffe_pb2.V1LayerParameter) -> None:
    """Scale, mean, crop and mirror stood in the data layers' own messages."""
    name = _TRANSFORMED.get(caffe_pb2.V1LayerParameter.LayerType.Name(old.type))
    if name is None:
        return
    param = getattr(old, name)
    for field in _TRANSFORMS:
        if param.HasField(field):
            setattr(old.transform_param, field, getattr(param, field))
            param.ClearField(field)


def _upgrade_layer(old: caffe_pb2.V1LayerParameter) -> caffe_pb2.LayerParameter:
    layer = caffe_pb2.LayerParameter()
    if old.HasField("type"):
        layer.type = type_name(old.type)
    for field, value in old.ListFields():
        if field.name in _CHANGED:
            continue
        if field.label == field.LABEL_REPEATED:
            getattr(layer, field.name).extend(value)
        elif field.message_type is not None:
            getattr(layer, field.name).CopyFrom(value)
        else:
            setattr(layer, field.name, value)
    parts = {"name": old.param, "share_mode": old.blob_share_mode, "lr_mult": old.blobs_lr,
             "decay_mult": old.weight_decay}
    for part, values in parts.items():
        for i, value in enumerate(values):
            if i == len(layer.param):
                layer.param.add()
            setattr(layer.param[i], part, value)
    return layer


def type_name(v1_type: int) -> str:
    """Today's name of a V1 layer type: `InnerProduct` for INNER_PRODUCT."""
    name = caffe_pb2.V1LayerParameter.LayerType.Name(v1_type)
    return _OTHER_NAMES.get(name, "".join(word.capitalize() for word in name.split("_")))


def _upgrade_input(net: caffe_pb2.NetParameter, source: str) -> None:
    """`input` with `input_shape`, or with four `input_dim` each, becomes an Input layer in front."""
    count = len(net.input)
    shapes = list(net.input_shape)
    if net.input_dim and not shapes:
        if len(net.input_dim) != 4 * count:
            raise CaffeError(f"{source}: has {len(net.input_dim)} input_dim for {count} input(s); give four for each")
        shapes = [caffe_pb2.BlobShape(dim=net.input_dim[4 * i:4 * i + 4]) for i in range(count)]
    if shapes and len(shapes) != count:
        raise CaffeError(f"{source}: has {len(shapes)} input_shape for {count} input(s); give one for each")
    layers = list(net.layer)
    if shapes:
        first = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        first.input_param.shape.extend(shapes)
        layers.insert(0, first)
    copies = [caffe_pb2.LayerParameter.FromString(layer.SerializeToString()) for layer in layers]
    del net.layer[:]
    net.layer.extend(copies)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)


def _has_old_batch_norm(layer: caffe_pb2.LayerParameter) -> bool:
    """A BatchNorm with its three params, which were given to keep solvers away from its statistics."""
    return layer.type == "BatchNorm" and len(layer.param) == 3
