"""Layers that read and write HDF5 files: HDF5Data, HDF5Output."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from caffe import glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats.files import read_bytes
from caffe.formats.hdf5 import open_hdf5
from caffe.formats.weights import write_hdf5
from caffe.layer_types.base import Layer, register
from caffe.layer_types.support import is_ours
from caffe.random import rng


@register
class HDF5Data(Layer):
    """The rows of HDF5 files, each top from the dataset of its name; no transform_param.

    `source` lists the files, between white space; they are read in this order and again from the start. Datasets
    are of floats or integers, of any number of axes, and of one length within a file. `shuffle` puts the files,
    and the rows within each file, in the order that real Caffe's std::random_shuffle gives them: by the C library's
    rand(), which no seed changes (the orders are the same where nothing else in real Caffe's process uses it).
    With several solvers each takes every n-th row in TRAIN.
    Source: src/caffe/layers/hdf5_data_layer.cpp, src/caffe/util/hdf5.cpp.
    """

    type = "HDF5Data"
    bottoms = 0
    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.hdf5_data_param
        if self.layer_param.HasField("transform_param"):
            raise self.fault("does not transform its data; remove transform_param")
        if param.batch_size < 1:
            raise self.fault("hdf5_data_param.batch_size must be given and positive")
        glog.info(f"Loading list of HDF5 filenames from: {param.source}")
        try:
            listed = read_bytes(param.source, "a list of HDF5 files").decode(errors="surrogateescape")
        except CaffeError as error:
            raise self.fault(str(error)) from error
        self._files = listed.split()
        glog.info(f"Number of HDF5 files: {len(self._files)}")
        if not self._files:
            raise self.fault(f"{param.source}: lists no HDF5 file; give one a line")
        self._order = list(range(len(self._files)))
        self._shuffle(self._order)
        self._file = self._row = self._offset = 0
        self._rows_of_tops: list[int] = []
        self._load()
        for blob, values in zip(top, self._values):
            blob.reshape(param.batch_size, *values.shape[1:])
        self._sizes = [prod(values.shape[1:]) for values in self._values]

    def _shuffle(self, items: list[int]) -> None:
        if self.layer_param.hdf5_data_param.shuffle:
            rng.c_rand.shuffle(items)

    def _load(self) -> None:
        """Read the current file's datasets."""
        name = self._files[self._order[self._file]]
        try:
            with open_hdf5(name) as file:
                self._values = [_dataset(file, top) for top in self.layer_param.top]
        except CaffeError as error:
            raise self.fault(str(error) if name in str(error) else f"{name}: {error}") from error
        lengths = [len(values) for values in self._values]
        if min(lengths) < 1 or max(lengths) != min(lengths):
            raise self.fault(f"{name}: its datasets {', '.join(self.layer_param.top)} have {lengths} rows; "
                             "they must have equally many, at least one")
        self._permutation = list(range(lengths[0]))
        self._shuffle(self._permutation)

    def _next(self) -> None:
        self._offset += 1
        self._row += 1
        if self._row < len(self._permutation):
            return
        self._row = 0
        if len(self._files) > 1:
            self._file += 1
            if self._file == len(self._files):
                self._file = 0
                self._shuffle(self._order)
            self._load()
            self._check_sizes()
        self._shuffle(self._permutation)

    def _check_sizes(self) -> None:
        for top, values, size in zip(self.layer_param.top, self._values, self._sizes):
            if prod(values.shape[1:]) != size:
                raise self.fault(f"{self._files[self._order[self._file]]}: the rows of dataset '{top}' hold "
                                 f"{prod(values.shape[1:])} numbers, in the first file {size}; they must be equal")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for item in range(self.layer_param.hdf5_data_param.batch_size):
            while not is_ours(self, self._offset):
                self._next()
            for blob, values in zip(top, self._values):
                blob.data[item] = values[self._permutation[self._row]].reshape(blob.shape[1:])
            self._next()


def _dataset(file, name: str) -> np.ndarray:
    """The dataset as float32. Raises CaffeError if there is none, or of something other than numbers."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise CaffeError(f"has no dataset '{name}', the top's name; it has {', '.join(map(str, file)) or 'none'}")
    kind = found.id.get_type().get_class()
    if kind not in (h5py.h5t.FLOAT, h5py.h5t.INTEGER):
        raise CaffeError(f"dataset '{name}' is of type {found.dtype}; store floats or integers")
    if not found.shape:
        raise CaffeError(f"dataset '{name}' is a single number; it needs an axis of rows")
    if found.size > np.iinfo(np.int32).max:
        raise CaffeError(f"dataset '{name}' of shape {found.shape} holds more numbers than a blob can; "
                         "spread it over several files")
    return found.astype(np.float32)[...]


@register
class HDF5Output(Layer):
    """Writes its two bottoms to `file_name`, as the datasets /data and /label of 4 axes each, float32.

    The file appears whole, at the forward. There can be one forward only, as in real Caffe; what was there before
    is replaced. Source: src/caffe/layers/hdf5_output_layer.cpp.
    """

    type = "HDF5Output"
    bottoms = 2
    tops = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        name = self.layer_param.hdf5_output_param.file_name
        if not name:
            raise self.fault("hdf5_output_param needs a file_name")
        if Path(name).is_dir() or not Path(name).parent.is_dir():
            raise self.fault(f"{name}: cannot be written; its folder must exist, and it must not be one itself")
        self._written = False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        name = self.layer_param.hdf5_output_param.file_name
        if self._written:
            raise self.fault(f"{name}: holds one forward's batch and has it already; enlarge the batch, or make a "
                             "new net for each file")
        data, label = bottom
        if max(data.num_axes, label.num_axes) > 4 or data.num != label.num:
            raise self.fault(f"its bottoms have shapes {data.shape_string()} and {label.shape_string()}; it takes at "
                             "most 4 axes, and as many labels as data")
        try:
            write_hdf5(name, {part: blob.data.reshape(blob.num, blob.channels, blob.height, blob.width)
                              for part, blob in (("data", data), ("label", label))})
        except CaffeError as error:
            raise self.fault(str(error)) from error
        self._written = True
