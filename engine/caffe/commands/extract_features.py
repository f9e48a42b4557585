"""store what a net makes of its data, blob by blob, in databases"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.flags import Value

USAGE = "WEIGHTS NET BLOB[,BLOB…] DATASET[,DATASET…] BATCHES lmdb|leveldb [CPU|GPU] [DEVICE_ID=0]"
ARGUMENTS = (6, 8)
FLAGS: dict = {}
LOG_LEVEL = 2  # on stderr only errors, which is how it reports progress
COMMIT = 1000  # images that are stored at a time


def run(flags: Mapping[str, Value], arguments: list[str]) -> None:
    """tools/extract_features.cpp: a Datum of floats for each image of each batch, under the key 0000000000 and on."""
    from caffe import context
    from caffe.commands.datum_writer import new_database
    from caffe.net import Net
    from caffe.proto import caffe_pb2

    weights, model, blobs, datasets, batches, backend, *device = arguments
    names, targets = blobs.split(","), datasets.split(",")
    if len(names) != len(targets):
        raise CaffeError(f"{len(names)} blob(s) for {len(targets)} dataset(s); give a dataset for each blob")
    if device and device[0] == "GPU":
        glog.error("Using GPU")
        index = _whole("DEVICE_ID", device[1]) if len(device) > 1 else 0
        glog.error(f"Using Device_id={index}")
        context.set_device(index)
        context.set_mode_gpu()
    else:
        glog.error("Using CPU")
        context.set_mode_cpu()
    net = Net(model, caffe_pb2.TEST)
    net.copy_from(weights)
    for name in names:
        if name not in net.blobs:
            raise CaffeError(f"{model}: has no blob '{name}'; its blobs: {', '.join(net.blobs)}")
    rounds = _whole("BATCHES", batches)
    with contextlib.ExitStack() as stack:
        writers = []
        for target in targets:
            glog.info(f"Opening dataset {target}")
            writers.append(stack.enter_context(new_database(target, backend)))
        glog.error("Extracting Features")
        counts = [0] * len(names)
        for _ in range(rounds):
            net._forward(0, len(net.layers) - 1)
            for i, name in enumerate(names):
                for value in _features(net.blobs[name]):
                    writers[i].put(f"{counts[i]:010d}".encode(), value)
                    counts[i] += 1
                    if counts[i] % COMMIT == 0:
                        writers[i].commit()
                        _report(counts[i], name)
        for i, name in enumerate(names):
            if counts[i] % COMMIT:
                writers[i].commit()
            _report(counts[i], name)
    glog.error("Successfully extracted the features!")


def _features(blob) -> list[bytes]:
    """A Datum of floats for each image in a blob of up to four axes, missing ones being 1."""
    from caffe.proto import caffe_pb2

    return [caffe_pb2.Datum(channels=blob.channels, height=blob.height, width=blob.width, float_data=values)
            .SerializeToString() for values in blob.data.reshape(blob.num, -1)]


def _report(count: int, name: str) -> None:
    glog.error(f"Extracted features of {count} query images for feature blob {name}")


def _whole(what: str, text: str) -> int:
    if not text.isdigit():
        raise CaffeError(f"{what} is a whole number from 0 on, not '{text}'")
    return int(text)
