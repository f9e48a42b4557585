"""All layer types: importing this package imports every family file in it, which fills the registry."""

from importlib import import_module
from pkgutil import iter_modules

from caffe.layer_types.base import Layer, TensorLayer, create_layer, layer_type_list, register

for _family in iter_modules(__path__):
    import_module(f"{__name__}.{_family.name}")

__all__ = ["Layer", "TensorLayer", "create_layer", "layer_type_list", "register"]
