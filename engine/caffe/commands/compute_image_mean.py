"""compute the mean image of a database"""

from __future__ import annotations

from collections.abc import Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.flags import Flag, Value

USAGE = "[FLAGS] INPUT_DB [OUTPUT_FILE]"
ARGUMENTS = (1, 2)
FLAGS = {"backend": Flag("lmdb", "the kind of database: lmdb or leveldb", "KIND")}
REPORT = 10000  # images from one log line to the next


def run(flags: Mapping[str, Value], arguments: list[str]) -> None:
    """tools/compute_image_mean.cpp: the mean in single precision, added up in the order of the keys."""
    import numpy as np

    from caffe.commands.datum_reader import datums
    from caffe.formats import binaryproto
    from caffe.images.data_transformer import image_of
    from caffe.proto import caffe_pb2

    total, count = np.empty(0, np.float32), 0
    for key, datum in datums(arguments[0], str(flags["backend"])):
        try:
            image = image_of(datum).astype(np.float32)
        except CaffeError as error:
            raise CaffeError(f"{arguments[0]}, key {key}: {error}") from None
        if not count:
            if datum.encoded:
                glog.info("Decoding Datum")
            glog.info("Starting iteration")
            total = np.zeros_like(image)
        if image.shape != total.shape:
            raise CaffeError(f"{arguments[0]}, key {key}: is {image.shape} (channels, height, width), those before it "
                             f"{total.shape}; a mean needs images of one size")
        total += image
        count += 1
        if count % REPORT == 0:
            glog.info(f"Processed {count} files.")
    if count % REPORT:
        glog.info(f"Processed {count} files.")
    mean = total / np.float32(count)
    if len(arguments) == 2:
        glog.info(f"Write to {arguments[1]}")
        channels, height, width = mean.shape
        blob = caffe_pb2.BlobProto(num=1, channels=channels, height=height, width=width)
        binaryproto.set_numbers(blob, "data", mean.reshape(-1))
        binaryproto.write(arguments[1], blob)
    glog.info(f"Number of channels: {len(mean)}")
    for c, plane in enumerate(mean.reshape(len(mean), -1)):
        # one after the other in single precision, as there
        value = np.cumsum(plane, dtype=np.float32)[-1] / np.float32(plane.size)
        glog.info(f"mean_value channel [{c}]: {glog.number(value)}")
