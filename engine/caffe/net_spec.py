"""Nets written in Python: pycaffe's NetSpec.

    from caffe import NetSpec, layers as L, params as P
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[dict(dim=[8, 3, 32, 32]), dict(dim=[8])], ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.relu1 = L.ReLU(n.pool1, in_place=True)
    open("net.prototxt", "w").write(str(n.to_proto()))

A call on `layers` makes a `Function` (one layer) and gives its tops; nothing is checked against the layer
types that exist. Names come from the attributes of a NetSpec; what was not assigned is numbered by type.
"""

from __future__ import annotations

import difflib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from caffe.errors import CaffeNameError
from caffe.proto import caffe_pb2


def param_name_dict() -> dict[str, str]:
    """Which `<name>_param` of LayerParameter belongs to which type: {"Convolution": "convolution", …}."""
    return {field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
            for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields if field.name.endswith("_param")}


def assign_proto(proto: Message, name: str, val: Any) -> None:
    """Set field `name` of `proto` from plain Python: dicts fill messages, lists fill repeated fields.

    A single value for a repeated field counts as a list of one. Raises AttributeError for a field that is not
    there, TypeError or ValueError for a value that does not fit.
    """
    field = proto.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise AttributeError(_no_such_field(f"{proto.DESCRIPTOR.name} has no field", name, [proto]))
    target = getattr(proto, name)
    if hasattr(target, "extend"):
        values = list(val) if isinstance(val, (list, tuple)) else [val]
        if field.message_type is None:
            target.extend(values)
            return
        for value in values:
            _fill(target.add(), value)
    elif field.message_type is not None:
        _fill(target, val)
    else:
        setattr(proto, name, val)


def _fill(message: Message, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            assign_proto(message, key, part)
    else:
        message.CopyFrom(value)


def _no_such_field(what: str, name: str, messages: list[Message]) -> str:
    known = [field.name for message in messages for field in message.DESCRIPTOR.fields]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"{what} {name!r}" + (f": did you mean {near[0]!r}?" if near else "")


class Top:
    """One output of a layer: number `n` of `fn`'s tops."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> caffe_pb2.NetParameter:
        """The net that computes this top."""
        return to_proto(self)


class Function:
    """One layer: its type, its bottoms (tops of other layers), its parameters by name.

    Two parameters are not the layer's own: `ntop`, how many tops it has (1), and `in_place`, whether its tops
    are its bottoms. Raises TypeError if a bottom is not a Top.
    """

    def __init__(self, type_name: str, inputs: Iterable[Top], params: Mapping[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(bottom)})")
        self.params = dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    @property
    def named_by(self) -> Top | Function:
        """What gives the layer its name: its first top, or itself if it has none."""
        return self.tops[0] if self.tops else self


class _Writer:
    """Makes the layers that a list of tops needs, each once, bottoms before the layers that read them."""

    def __init__(self, names: Mapping[Top | Function, str]) -> None:
        self._names = dict(names)
        self._used: Counter[str] = Counter()
        self._layers: dict[Function, caffe_pb2.LayerParameter] = {}

    def net(self, tops: Iterable[Top | Function]) -> caffe_pb2.NetParameter:
        for top in tops:
            self._layer(top.fn if isinstance(top, Top) else top)
        return caffe_pb2.NetParameter(layer=self._layers.values())

    def _layer(self, fn: Function) -> caffe_pb2.LayerParameter:
        if fn in self._layers:
            return self._layers[fn]
        bottoms = [self._layer(bottom.fn).top[bottom.n] for bottom in fn.inputs]
        layer = caffe_pb2.LayerParameter(type=fn.type_name, bottom=bottoms)
        layer.top.extend(bottoms if fn.in_place else [self._name(top) for top in fn.tops])
        layer.name = self._name(fn.named_by)
        for key, value in fn.params.items():
            _assign_parameter(layer, key, value)
        self._layers[fn] = layer
        return layer

    def _name(self, item: Top | Function) -> str:
        if item not in self._names:
            type_name = item.fn.type_name if isinstance(item, Top) else item.type_name
            self._used[type_name] += 1
            self._names[item] = f"{type_name}{self._used[type_name]}"
        return self._names[item]


def _assign_parameter(layer: caffe_pb2.LayerParameter, key: str, value: Any) -> None:
    """Set `key` in the message of the layer's type if it is there, otherwise in the layer."""
    own = f"{_param_names[layer.type]}_param" if layer.type in _param_names else None
    if own and not key.endswith("param") and key in getattr(layer, own).DESCRIPTOR.fields_by_name:
        assign_proto(getattr(layer, own), key, value)
    elif key in layer.DESCRIPTOR.fields_by_name:
        assign_proto(layer, key, value)
    else:
        messages = [getattr(layer, own), layer] if own else [layer]
        what = f"layer {layer.name!r} ({layer.type}) has no parameter"
        raise AttributeError(_no_such_field(what, key, messages))


def to_proto(*tops: Top) -> caffe_pb2.NetParameter:
    """The net that computes all of `tops`; its layers are numbered by type, as nothing names them."""
    return _Writer({}).net(tops)


class NetSpec:
    """A net under construction: each attribute (or item) is a Top, and its name the blob's.

    A layer is called after its first top. A layer without tops (`ntop=0`) is assigned itself.
    """

    tops: OrderedDict[str, Top | Function]

    def __init__(self) -> None:
        object.__setattr__(self, "tops", OrderedDict())

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        tops = self.__dict__.get("tops", {})
        if name not in tops:
            raise CaffeNameError(f"NetSpec: no top is named {name!r}; there are {', '.join(tops) or 'none'}")
        return tops[name]

    def __setitem__(self, name: str, value: Top | Function) -> None:
        setattr(self, name, value)

    def __getitem__(self, name: str) -> Any:
        return self.__getattr__(name)

    def to_proto(self) -> caffe_pb2.NetParameter:
        """The net that computes every top assigned, in the order of assignment.

        Raises TypeError if something was assigned that is none.
        """
        for name, value in self.tops.items():
            if not isinstance(value, (Top, Function)):
                raise TypeError(f"NetSpec: {name} is set to {type(value)}, not to a Top (ntop=2 gives two Tops)")
        return _Writer({top: name for name, top in self.tops.items()}).net(self.tops.values())


class Layers:
    """`layers.Type(bottoms…, parameters…)` makes a layer and gives its top, or tops, or (`ntop=0`) itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            if not fn.tops:
                return fn
            return fn.tops[0] if len(fn.tops) == 1 else fn.tops

        return layer_fn


class Parameters:
    """`params.Pooling.MAX` is the value MAX of the enums in PoolingParameter."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(caffe_pb2, f"{name}Parameter")


_param_names = param_name_dict()
layers = Layers()
params = Parameters()
