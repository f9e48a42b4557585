"""The names of pycaffe's compiled module, for scripts that reach into it: `caffe._caffe.Net`, `.Blob`, `.Solver` …"""

from importlib import import_module
from typing import Any

import caffe

__version__ = caffe.__version__
_HOMES = {"Blob": "blob", "BlobVec": "blob", "Solver": "training.solvers", "SolverParameter": "proto.caffe_pb2",
          "LayerParameter": "proto.caffe_pb2"}
# C++ vectors of these are plain lists here
_LISTS = ("BoolVec", "DtypeVec", "IntVec", "LayerVec", "NetVec", "RawBlobVec", "StringVec")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"caffe.{_HOMES[name]}"), name)
    if name in _LISTS:
        return list
    if name in caffe._HOMES:
        return getattr(caffe, name)
    raise AttributeError(f"module 'caffe._caffe' has no attribute '{name}'")
