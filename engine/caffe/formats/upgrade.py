"""Older formats of nets and solvers, brought to today's: V0, V1, input fields, BatchNorm's params, solver_type.

The order and the rules are those of src/caffe/util/upgrade_proto.cpp: V0, data transforms, V1, inputs, BatchNorm.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from caffe import glog
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.formats.upgrade_v0 import is_v0, upgrade_v0
from caffe.proto import caffe_pb2
from caffe.proto.fields import is_repeated

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


def needs_upgrade(net: caffe_pb2.NetParameter) -> bool:
    """Whether the net is in an older format (NetNeedsUpgrade)."""
    return bool(net.layers or net.input or any(map(_has_old_batch_norm, net.layer)))


def upgrade_net(net: caffe_pb2.NetParameter, source: str = "net",
                report: Callable[[str], None] = glog.error) -> caffe_pb2.NetParameter:
    """The net in today's format; a net that is in it already comes back unchanged.

    `report` is called with a line for each field that had to be left out (only nets of 2013 have such). Raises
    CaffeError for a net of two formats at once, and for one that no Caffe could read. `source` is named in errors.
    """
    if not needs_upgrade(net):
        return net
    if net.layers and net.layer:
        raise CaffeError(f"{source}: has both layer and layers; write all of them as layer, with a type in quotes")
    upgraded = caffe_pb2.NetParameter()
    if is_v0(net):
        upgraded = _upgrade_v0(net, source, report)
    else:
        upgraded.CopyFrom(net)
    if _move_transforms(upgraded):
        _tell("transformation parameters", source, "data transformation parameters.")
        glog.warning("Note that future Caffe releases will only support transform_param messages for transformation "
                     "fields.")
    if upgraded.layers:
        for old in upgraded.layers:
            upgraded.layer.add().CopyFrom(_upgrade_layer(old))
        upgraded.ClearField("layers")
        _tell("V1LayerParameter", source, "V1LayerParameter")
    if upgraded.input:
        _upgrade_input(upgraded, source)
        _tell("input fields", source, "input fields.")
        glog.warning("Note that future Caffe releases will only support input layers and not input fields.")
    batch_norms = [layer for layer in upgraded.layer if _has_old_batch_norm(layer)]
    for layer in batch_norms:
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    if batch_norms:
        glog.info(f"Attempting to upgrade batch norm layers using deprecated params: {source}")
        glog.info("Successfully upgraded batch norm layers using deprecated params.")
    return upgraded


def _upgrade_v0(net: caffe_pb2.NetParameter, source: str, report: Callable[[str], None]) -> caffe_pb2.NetParameter:
    """As upgrade_v0, with Caffe's lines in the log."""
    problems: list[str] = []

    def note(problem: str) -> None:
        problems.append(problem)
        report(problem)

    glog.info(f"Attempting to upgrade input file specified using deprecated V0LayerParameter: {source}")
    upgraded = upgrade_v0(net, source, note)
    if problems:
        glog.error("Warning: had one or more problems upgrading V0NetParameter to NetParameter (see above); continuing "
                   "anyway.")
    else:
        glog.info("Successfully upgraded file specified using deprecated V0LayerParameter")
    glog.warning("Note that future Caffe releases will not support V0NetParameter; use "
                 "./build/tools/upgrade_net_proto_text for prototxt and ./build/tools/upgrade_net_proto_binary for "
                 "model weights upgrade this and any other net protos to the new format.")
    return upgraded


def _tell(old: str, source: str, done: str) -> None:
    glog.info(f"Attempting to upgrade input file specified using deprecated {old}: {source}")
    glog.info(f"Successfully upgraded file specified using deprecated {done}")


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
    _tell("'solver_type' field (enum)'", source, "'solver_type' field (enum) to 'type' field (string).")
    glog.warning("Note that future Caffe releases will only support 'type' field (string) for a solver's type.")
    return upgraded


def read_solver_file(file: str | os.PathLike) -> caffe_pb2.SolverParameter:
    """The solver in the prototxt `file`, upgraded and with a snapshot_prefix (ReadSolverParamsFromTextFileOrDie)."""
    solver = upgrade_solver(prototxt.read_solver(file), os.fspath(file))
    complete_snapshot_prefix(solver, os.fspath(file))
    return solver


def complete_snapshot_prefix(solver: caffe_pb2.SolverParameter, file: str) -> None:
    """Give a solver read from `file` its snapshot_prefix: the file without its ending, or, where the prefix is a
    folder, the file's name in it (UpgradeSnapshotPrefixProperty)."""
    stem = os.path.splitext(file)[0]
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = stem
        glog.info(f"snapshot_prefix was not specified and is set to {stem}")
    elif os.path.isdir(solver.snapshot_prefix):
        solver.snapshot_prefix = os.path.join(solver.snapshot_prefix, os.path.basename(stem))
        glog.info(f"snapshot_prefix was a directory and is replaced to {solver.snapshot_prefix}")


def _move_transforms(net: caffe_pb2.NetParameter) -> bool:
    """Scale, mean, crop and mirror stood in the data layers' own messages (UpgradeNetDataTransformation).

    True if any did.
    """
    types = caffe_pb2.V1LayerParameter.LayerType
    layers = [(old, getattr(old, _TRANSFORMED[types.Name(old.type)])) for old in net.layers
              if types.Name(old.type) in _TRANSFORMED]
    if not any(param.HasField(field) for _, param in layers for field in _TRANSFORMS):
        return False
    for old, param in layers:
        # Caffe makes both messages of every data layer, be they empty
        param.SetInParent()
        old.transform_param.SetInParent()
        for field in filter(param.HasField, _TRANSFORMS):
            setattr(old.transform_param, field, getattr(param, field))
            param.ClearField(field)
    return True


def _upgrade_layer(old: caffe_pb2.V1LayerParameter) -> caffe_pb2.LayerParameter:
    layer = caffe_pb2.LayerParameter()
    if old.HasField("type"):
        layer.type = type_name(old.type)
    for field, value in old.ListFields():
        # a fork's V1 may have fields that its own later layers lack
        if field.name in _CHANGED or field.name not in layer.DESCRIPTOR.fields_by_name:
            continue
        if is_repeated(field):
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
        if len(net.input_dim) < 4 * count:
            raise CaffeError(f"{source}: has {len(net.input_dim)} input_dim for {count} input(s); give four for each")
        shapes = [caffe_pb2.BlobShape(dim=net.input_dim[4 * i:4 * i + 4]) for i in range(count)]
    if shapes and len(shapes) < count:
        raise CaffeError(f"{source}: has {len(shapes)} input_shape for {count} input(s); give one for each")
    layers = list(net.layer)
    if shapes:
        first = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        first.input_param.shape.extend(shapes[:count])
        layers.insert(0, first)
    copies = [caffe_pb2.LayerParameter.FromString(layer.SerializeToString()) for layer in layers]
    del net.layer[:]
    net.layer.extend(copies)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)


def _has_old_batch_norm(layer: caffe_pb2.LayerParameter) -> bool:
    """A BatchNorm with its three params, which were given to keep solvers away from its statistics."""
    return layer.type == "BatchNorm" and len(layer.param) == 3
