"""Data layers on small LMDBs, in the engine and in real Caffe 1.0 (Python 3.9, numpy 1.19) alike.

A DummyData layer behind each Data layer shows how many numbers the Data layer took from the main stream.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CHANNELS, HEIGHT, WIDTH = 3, 7, 9
GOLDEN = Path(__file__).resolve().parent / "golden" / "data_layer.npz"

# name: (LMDB, phase, transform_param, tops)
CASES = {
    "raw": ("raw", "TRAIN", "", "data label"),
    "raw_without_labels": ("raw", "TEST", "", "data"),
    "floats": ("floats", "TEST", "scale: 0.5", "data label"),
    "crop_train": ("raw", "TRAIN", "crop_size: 5", "data label"),
    "crop_test": ("raw", "TEST", "crop_size: 4", "data label"),
    "mirror_train": ("raw", "TRAIN", "mirror: true", "data label"),
    "mirror_test": ("raw", "TEST", "mirror: true crop_size: 5", "data label"),
    "everything": ("raw", "TRAIN", "mirror: true crop_size: 4 scale: 0.00390625 mean_value: 10 mean_value: 20 "
                   "mean_value: 30.5", "data label"),
    "one_mean_value": ("raw", "TEST", "mean_value: 12.5", "data"),
    "mean_file": ("raw", "TRAIN", "crop_size: 5 mirror: true mean_file: 'mean.binaryproto'", "data label"),
    "mean_file_scaled": ("floats", "TEST", "crop_size: 5 scale: 0.1 mean_file: 'mean.binaryproto'", "data label"),
    "encoded": ("color", "TEST", "", "data label"),
    "encoded_crop": ("color", "TRAIN", "mirror: true crop_size: 5 mean_file: 'mean.binaryproto'", "data label"),
    "encoded_grey": ("grey", "TEST", "mean_value: 3", "data label"),
    "force_gray": ("color", "TEST", "force_gray: true", "data label"),
    "force_color": ("grey", "TEST", "force_color: true mirror: true", "data label"),
    "sizes_differ_between_batches": ("growing", "TRAIN", "", "data label"),
}
BATCH, FORWARDS = 3, 3  # of five Datums: the layer starts again in the second batch


def net_text(name: str) -> str:
    """The case's net; sources are relative to the folder of `make_sources`."""
    source, _, transform, tops = CASES[name]
    batch = 1 if source == "growing" else BATCH
    names = " ".join(f'top: "{top}"' for top in tops.split())
    return (f'layer {{ name: "data" type: "Data" {names} transform_param {{ {transform} }} '
            f'data_param {{ source: "{source}" batch_size: {batch} backend: LMDB }} }}\n'
            'layer { name: "random" type: "DummyData" top: "random" dummy_data_param { shape { dim: 3 } '
            'data_filler { type: "uniform" } } }\n')


def make_sources(folder: Path) -> None:
    """Write the LMDBs `raw`, `floats`, `color`, `grey`, `growing` and `mean.binaryproto` into the folder."""
    import cv2
    import lmdb

    from caffe.proto import caffe_pb2

    rng = np.random.RandomState(7)
    images = rng.randint(0, 256, (5, CHANNELS, HEIGHT, WIDTH)).astype(np.uint8)

    def datum(kind: str, k: int) -> caffe_pb2.Datum:
        image = images[k]
        if kind == "growing":
            image = image[:, : 3 + k, : 8 - k]
        result = caffe_pb2.Datum(channels=CHANNELS, height=image.shape[1], width=image.shape[2], label=10 * k - 7)
        if kind == "floats":
            result.float_data.extend((image / 7.0).astype(np.float32).ravel().tolist())
        elif kind in ("color", "grey"):
            pixels = image.transpose(1, 2, 0) if kind == "color" else image[0]
            result.data, result.encoded = cv2.imencode(".png", pixels)[1].tobytes(), True
        else:
            result.data = image.tobytes()
        return result

    for kind in ("raw", "floats", "color", "grey", "growing"):
        with lmdb.open(str(folder / kind), map_size=1 << 20) as environment, environment.begin(write=True) as batch:
            for k in (3, 0, 4, 2, 1):  # the order of writing is not the order of keys
                batch.put(b"%08d" % k, datum(kind, k).SerializeToString())
    mean = rng.uniform(0, 255, images.shape[1:]).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=CHANNELS, height=HEIGHT, width=WIDTH, data=mean.ravel().tolist())
    (folder / "mean.binaryproto").write_bytes(blob.SerializeToString())


def run_case(caffe, name: str) -> dict[str, np.ndarray]:
    """{`<forward>/<blob>`: values} of the case's net, run in a folder with the sources as working folder."""
    path = Path(f"{name}.prototxt")
    path.write_text(net_text(name))
    caffe.set_random_seed(21)
    net = caffe.Net(str(path), getattr(caffe, CASES[name][1]))
    found = {}
    for k in range(FORWARDS):
        net.forward()
        found.update({f"{k}/{blob}": values.data.copy() for blob, values in net.blobs.items()})
    return found
