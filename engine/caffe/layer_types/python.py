"""Python: a layer that the user wrote, a subclass of caffe.Layer in a module of theirs.

A prototxt can so run any module that Python finds: use prototxt from people you trust.
"""

from __future__ import annotations

from importlib import import_module

from caffe.errors import CaffeError
from caffe.layer_types.base import Layer, register_creator
from caffe.proto import caffe_pb2


@register_creator("Python")
def user_layer(layer_param: caffe_pb2.LayerParameter) -> Layer:
    """The user's object, with `param_str` (`param_str_` in old code) and `phase` set.

    Raises CaffeError if python_param's module or class is not there; what the module itself raises passes
    through. `share_in_parallel` has no effect. include/caffe/layers/python_layer.hpp, layer_factory.cpp
    """
    param = layer_param.python_param
    start = f"layer '{layer_param.name}' (Python): "
    if not param.module or not param.layer:
        raise CaffeError(f"{start}python_param must name a module and a layer, the class in it")
    try:
        module = import_module(param.module)
    except ImportError as error:
        raise CaffeError(f"{start}module '{param.module}' cannot be imported ({error}); "
                         "put the folder that holds it into PYTHONPATH") from error
    try:
        cls = getattr(module, param.layer)
    except AttributeError:
        raise CaffeError(f"{start}module '{param.module}' ({getattr(module, '__file__', 'no file')}) has no class "
                         f"'{param.layer}'; correct python_param.layer") from None
    # any callable that gives a layer will do, as in Caffe
    layer = None if isinstance(cls, type) and not issubclass(cls, Layer) else cls(layer_param)
    if not isinstance(layer, Layer):
        raise CaffeError(f"{start}'{param.layer}' of module '{param.module}' is no subclass of caffe.Layer")
    layer.param_str = layer.param_str_ = param.param_str
    return layer
