"""Nets of 2013 (V0: a `layer` inside each of `layers`), brought to V1.

A layer's fields all stood in one message for every type, padding was a layer of its own, and types were words.
The rules are those of UpgradeV0Net in src/caffe/util/upgrade_proto.cpp.
"""

from __future__ import annotations

from collections.abc import Callable

from caffe.errors import CaffeError
from caffe.proto import caffe_pb2
from caffe.proto.fields import is_repeated

# type: (V1's type, V1's message for its fields)
_TYPES = {
    "accuracy": ("ACCURACY", ""), "bnll": ("BNLL", ""), "concat": ("CONCAT", "concat_param"),
    "conv": ("CONVOLUTION", "convolution_param"), "data": ("DATA", "data_param"),
    "dropout": ("DROPOUT", "dropout_param"), "euclidean_loss": ("EUCLIDEAN_LOSS", ""), "flatten": ("FLATTEN", ""),
    "hdf5_data": ("HDF5_DATA", "hdf5_data_param"), "hdf5_output": ("HDF5_OUTPUT", ""), "im2col": ("IM2COL", ""),
    "images": ("IMAGE_DATA", "image_data_param"), "infogain_loss": ("INFOGAIN_LOSS", "infogain_loss_param"),
    "innerproduct": ("INNER_PRODUCT", "inner_product_param"), "lrn": ("LRN", "lrn_param"),
    "multinomial_logistic_loss": ("MULTINOMIAL_LOGISTIC_LOSS", ""), "pool": ("POOLING", "pooling_param"),
    "relu": ("RELU", ""), "sigmoid": ("SIGMOID", ""), "softmax": ("SOFTMAX", ""),
    "softmax_loss": ("SOFTMAX_LOSS", ""), "split": ("SPLIT", ""), "tanh": ("TANH", ""),
    "window_data": ("WINDOW_DATA", "window_data_param"),
}
_SOURCES = ("data", "hdf5_data", "images", "window_data")
_WEIGHTED, _WINDOWED, _NORMALIZED = ("conv", "innerproduct"), ("conv", "pool"), ("lrn",)
# field: (V1's name of it, the types that have it)
_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "num_output": ("num_output", _WEIGHTED), "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED), "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", _WINDOWED), "kernelsize": ("kernel_size", _WINDOWED), "group": ("group", ("conv",)),
    "stride": ("stride", _WINDOWED), "pool": ("pool", ("pool",)), "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", _NORMALIZED), "alpha": ("alpha", _NORMALIZED), "beta": ("beta", _NORMALIZED),
    "k": ("k", _NORMALIZED), "source": ("source", (*_SOURCES, "infogain_loss")),
    "batchsize": ("batch_size", _SOURCES), "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)), "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)), "concat_dim": ("concat_dim", ("concat",)),
    **{f"det_{name}": (name, ("window_data",))
       for name in ("fg_threshold", "bg_threshold", "fg_fraction", "context_pad", "crop_mode")},
}
# these went to transform_param, whatever the layer's type
_TRANSFORMS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_KEPT = ("name", "input", "input_dim", "force_backward")


def is_v0(net: caffe_pb2.NetParameter) -> bool:
    """Whether any of the net's `layers` holds a V0 `layer`."""
    return any(old.HasField("layer") for old in net.layers)


def upgrade_v0(net: caffe_pb2.NetParameter, source: str, report: Callable[[str], None]) -> caffe_pb2.NetParameter:
    """The net with V1 layers: only name, inputs and force_backward of the rest are kept, as in Caffe.

    `report` is called with a line for each field that its layer's type does not have; the field is left out.
    Raises CaffeError for an unknown type, an unknown blob, and padding before another layer than conv or pool.
    """
    upgraded = caffe_pb2.NetParameter()
    padded = _merge_padding(net, source)
    for name in _KEPT:
        if name in ("input", "input_dim"):
            getattr(upgraded, name).extend(getattr(net, name))
        elif net.HasField(name):
            setattr(upgraded, name, getattr(net, name))
    upgraded.layers.extend(_upgrade_layer(old, source, report) for old in padded)
    return upgraded


def _merge_padding(net: caffe_pb2.NetParameter, source: str) -> list[caffe_pb2.V1LayerParameter]:
    """The layers without those that only pad: their pad and bottom go to the conv or pool after them."""
    kept = []
    last_top: dict[str, caffe_pb2.V1LayerParameter | None] = dict.fromkeys(net.input)
    for original in net.layers:
        layer = caffe_pb2.V1LayerParameter()
        layer.CopyFrom(original)
        for j, blob in enumerate(original.bottom):
            if blob not in last_top:
                raise CaffeError(f"{source}: layer '{original.layer.name}': unknown bottom blob '{blob}'; "
                                 f"blobs there: {', '.join(sorted(last_top)) or 'none'}")
            padding = last_top[blob]
            if padding is None or padding.layer.type != "padding":
                continue
            if original.layer.type not in _WINDOWED or len(original.bottom) != 1:
                raise CaffeError(f"{source}: layer '{original.layer.name}' ({original.layer.type}): takes the padding "
                                 f"layer '{padding.layer.name}'; only conv and pool with one bottom can")
            if len(padding.bottom) != 1 or len(padding.top) != 1:
                raise CaffeError(f"{source}: padding layer '{padding.layer.name}': has {len(padding.bottom)} bottom(s) "
                                 f"and {len(padding.top)} top(s); it takes one of each")
            layer.layer.pad = padding.layer.pad
            layer.bottom[j] = padding.bottom[0]
        if original.layer.type != "padding":
            kept.append(layer)
        last_top.update(dict.fromkeys(original.top, original))
    return kept


def _upgrade_layer(old: caffe_pb2.V1LayerParameter, source: str,
                   report: Callable[[str], None]) -> caffe_pb2.V1LayerParameter:
    layer = caffe_pb2.V1LayerParameter(bottom=old.bottom, top=old.top)
    v0 = old.layer
    if v0.HasField("name"):
        layer.name = v0.name
    if v0.HasField("type"):
        if v0.type not in _TYPES:
            raise CaffeError(f"{source}: layer '{v0.name}': unknown V0 layer type '{v0.type}'; "
                             f"known: padding, {', '.join(_TYPES)}")
        layer.type = caffe_pb2.V1LayerParameter.LayerType.Value(_TYPES[v0.type][0])
    for name in ("blobs", "blobs_lr", "weight_decay"):
        getattr(layer, name).extend(getattr(v0, name))
    for field, value in v0.ListFields():
        if field.name in _TRANSFORMS:
            setattr(layer.transform_param, _TRANSFORMS[field.name], value)
        elif field.name == "hdf5_output_param" and v0.type == "hdf5_output":
            layer.hdf5_output_param.CopyFrom(value)
        elif field.name in _FIELDS and v0.type in _FIELDS[field.name][1]:
            _set(getattr(layer, _TYPES[v0.type][1]), _FIELDS[field.name][0], value)
        elif field.name in _FIELDS or field.name == "hdf5_output_param":
            report(f"{source}: layer '{v0.name}': {field.name} is nothing that a V0 layer of type '{v0.type}' has; "
                   "it is left out")
    return layer


def _set(message, name: str, value) -> None:
    """Set a field that was a number or a message; where V1 has a list, add to it."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None:
        getattr(message, name).CopyFrom(value)
    elif is_repeated(field):
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)
