"""Layers that read files (images in lists and windows, HDF5, a matrix, arrays), in the engine and in real Caffe alike.

Real Caffe 1.0 runs this too (Python 3.9, numpy 1.19, OpenCV 4.5). A DummyData layer behind each layer shows how many
numbers the layer took from the main stream.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import data_cases
import numpy as np

GOLDEN = Path(__file__).resolve().parent / "golden" / "file_layers.npz"
FOLDER = Path(__file__).resolve().parent / "golden" / "images"


class FileCase(NamedTuple):
    """A layer named "data", without its opening; its phase; how many forwards.

    `before`: layers in front of it. `backward`: go backward too. `arrays`: how many samples set_input_arrays gets.
    `written`: an HDF5 file to read when the net is gone.
    """

    layer: str
    phase: str = "TRAIN"
    forwards: int = 3
    before: str = ""
    backward: bool = False
    arrays: int = 0
    written: str = ""


def images(body: str, transform: str = "", source: str = "images.txt", batch: int = 3, **rest) -> FileCase:
    return FileCase(f'type: "ImageData" top: "data" top: "label" transform_param {{ {transform} }} '
                    f'image_data_param {{ source: "{source}" batch_size: {batch} {body} }}', **rest)


def hdf5(tops: str, body: str, **rest) -> FileCase:
    return FileCase('type: "HDF5Data" ' + " ".join(f'top: "{top}"' for top in tops.split())
                    + f" hdf5_data_param {{ {body} }}", **rest)


def windows(body: str, transform: str, **rest) -> FileCase:
    return FileCase(f'type: "WindowData" top: "data" top: "label" transform_param {{ {transform} }} '
                    f'window_data_param {{ source: "windows.txt" batch_size: 6 {body} }}', **{"forwards": 2, **rest})


def memory(samples: int, transform: str = "", **rest) -> FileCase:
    return FileCase(f'type: "MemoryData" top: "data" top: "label" {transform} '
                    "memory_data_param { batch_size: 2 channels: 3 height: 2 width: 4 }", arrays=samples, **rest)


def output(shapes: str) -> FileCase:
    return FileCase('type: "HDF5Output" bottom: "x" bottom: "y" hdf5_output_param { file_name: "written.h5" }',
                    before='layer { name: "drawn" type: "DummyData" top: "x" top: "y" dummy_data_param { '
                    f'{shapes} data_filler {{ type: "uniform" }} }} }}\n', forwards=1, written="written.h5")


SMALL = "new_height: 9 new_width: 11"
SCORES = ('layer { name: "scores" type: "DummyData" top: "label" top: "scores" dummy_data_param { shape { dim: 4 } '
          'shape { dim: 4 dim: 3 } data_filler { value: 1 } data_filler { type: "uniform" } } }\n'
          'layer { name: "bias" type: "Bias" bottom: "scores" top: "biased" bias_param { axis: 0 num_axes: -1 } }\n')
INFOGAIN = 'type: "InfogainLoss" bottom: "biased" bottom: "label" top: "loss" infogain_loss_param {{ {} }}'

CASES = {
    "images": images("", source="some.txt", batch=2),
    "images_resized": images(SMALL),
    "images_resized_larger": images("new_height: 30 new_width: 21", batch=1, forwards=4),
    "images_grey": images(f"is_color: false {SMALL}"),
    "images_one_by_one": images("", batch=1, forwards=5),
    "images_shuffled": images(f"shuffle: true {SMALL}", forwards=6),
    "images_skipped": images(f"rand_skip: 4 {SMALL}", batch=2),
    "images_shuffled_skipped": images(f"shuffle: true rand_skip: 5 {SMALL}", "mirror: true crop_size: 6"),
    "images_crop_train": images("", "crop_size: 7 mirror: true"),
    "images_crop_test": images("", "crop_size: 8 mirror: true scale: 0.5", phase="TEST"),
    "images_mean_file": images(SMALL, "mean_file: 'mean.binaryproto' crop_size: 7"),
    "images_mean_values": images(SMALL, "mean_value: 104 mean_value: 117 mean_value: 123"),
    "images_grey_mean_value": images(f"is_color: false shuffle: true {SMALL}", "mean_value: 100 scale: 0.1"),
    "images_root_folder": images(f"root_folder: 'images/' {SMALL}", source="bare.txt"),
    "images_old_fields": images(f"crop_size: 6 mirror: true scale: 0.5 {SMALL}"),
    # a layer of today's format takes nothing of these from data_param
    "data_old_fields": FileCase('type: "Data" top: "data" top: "label" data_param { source: "databases/raw" '
                                'backend: LMDB batch_size: 3 crop_size: 4 mirror: true scale: 2 rand_skip: 3 '
                                'prefetch: 2 mean_file: "none" force_encoded_color: true }'),
    "hdf5": hdf5("x label", "source: 'two.txt' batch_size: 5", forwards=5),
    "hdf5_one_file": hdf5("label x", "source: 'one.txt' batch_size: 4"),
    "hdf5_types": hdf5("u8 i64 f16 f64 big", "source: 'one.txt' batch_size: 2", forwards=1),
    "hdf5_larger_batch": hdf5("x", "source: 'one.txt' batch_size: 17", forwards=2),
    "hdf5_test_phase": hdf5("x", "source: 'two.txt' batch_size: 3", phase="TEST"),
    "hdf5_shuffled": hdf5("x label", "source: 'one.txt' batch_size: 5 shuffle: true", forwards=5),
    "hdf5_shuffled_files": hdf5("x label", "source: 'two.txt' batch_size: 5 shuffle: true", forwards=8),
    "windows": windows("fg_threshold: 0.5 bg_threshold: 0.5", "crop_size: 8"),
    "windows_mirror": windows("fg_fraction: 0.5", "crop_size: 8 mirror: true"),
    "windows_test_phase": windows("fg_fraction: 0.5", "crop_size: 8 mirror: true", phase="TEST"),
    "windows_context": windows("context_pad: 2", "crop_size: 10 mirror: true"),
    "windows_square": windows("crop_mode: 'square' fg_fraction: 0.4", "crop_size: 9 mirror: true", forwards=4),
    "windows_square_context": windows("crop_mode: 'square' context_pad: 3", "crop_size: 13", forwards=4),
    "windows_mean_file": windows("context_pad: 1", "crop_size: 7 mirror: true mean_file: 'square.binaryproto'"),
    "windows_mean_values": windows("context_pad: 1",
                                   "crop_size: 7 mean_value: 100 mean_value: 110 mean_value: 120"),
    "windows_one_mean_value": windows("", "crop_size: 7 mean_value: 100"),
    "windows_scale": windows("", "crop_size: 6 scale: 0.25"),
    "windows_old_scale": windows("scale: 0.25 mirror: true", "crop_size: 6"),
    "windows_cached": windows("cache_images: true", "crop_size: 8 mirror: true"),
    "windows_thresholds": windows("fg_threshold: 0.7 bg_threshold: 0.1 fg_fraction: 0.9", "crop_size: 5"),
    "windows_root_folder": windows("root_folder: './'", "crop_size: 5"),
    "memory": memory(6, forwards=5),
    "memory_one_batch": memory(2),
    "memory_transform": memory(4, "transform_param { mirror: true scale: 2 }"),
    "hdf5_output": output("shape { dim: 3 dim: 2 } shape { dim: 3 }"),
    "hdf5_output_images": output("shape { dim: 2 dim: 3 dim: 2 dim: 4 } shape { dim: 2 dim: 1 dim: 5 }"),
    "infogain_source": FileCase(INFOGAIN.format("source: 'matrix.binaryproto'"), before=SCORES, backward=True),
}


def net_text(case: FileCase) -> str:
    """The case's net; sources are relative to the folder of `make_sources`."""
    return (f'{case.before}layer {{ name: "data" {case.layer} }}\n'
            'layer { name: "random" type: "DummyData" top: "random" dummy_data_param { shape { dim: 3 } '
            'data_filler { type: "uniform" } } }\n')


def make_images(folder: Path) -> None:
    """Write the images that golden/images/ holds: JPEG encoders differ, so they are kept."""
    import cv2

    rng = np.random.RandomState(11)
    for name, size in (("a.png", (12, 14, 3)), ("grey.png", (12, 14)), ("c.jpg", (18, 16, 3)),
                       ("with space.png", (10, 9, 3)), ("alpha.png", (9, 12, 4)), ("grey.jpg", (17, 13))):
        coarse = rng.randint(0, 256, (size[0] // 3 + 1, size[1] // 3 + 1, *size[2:])).astype(np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(coarse, size[1::-1], interpolation=cv2.INTER_CUBIC))


def make_sources(folder: Path) -> None:
    """Write lists, HDF5 files, a window file and BlobProtos, and link the images of golden/images/ to `images`."""
    import h5py

    from caffe.proto import caffe_pb2

    rng = np.random.RandomState(5)
    (folder / "images").symlink_to(FOLDER)
    (folder / "databases").mkdir()
    data_cases.make_sources(folder / "databases")
    (folder / "images.txt").write_text("images/a.png 3\nimages/grey.png 0\nimages/c.jpg -2\n"
                                       "images/with space.png 12x\nimages/alpha.png one\nimages/grey.jpg 7")
    (folder / "some.txt").write_text("images/a.png 3\nimages/a.png +1\r\nimages/a.png \n")
    (folder / "bare.txt").write_text("a.png 3\nwith space.png 4\n")
    lengths = {"long.h5": 7, "short.h5": 4}
    for name, rows in lengths.items():
        with h5py.File(str(folder / name), "w") as file:
            file["x"] = rng.uniform(-1, 1, (rows, 2, 3)).astype(np.float32)
            file["label"] = np.arange(rows) + 10 * rows
            for key, dtype in (("u8", "u1"), ("i64", "i8"), ("f16", "f2"), ("f64", "f8"), ("big", ">f4")):
                file[key] = rng.randint(0, 200, rows).astype(dtype) * ((np.dtype(dtype).kind == "f" and 0.1) or 1)
    (folder / "one.txt").write_text("long.h5\n")
    (folder / "two.txt").write_text("long.h5 short.h5\n")
    text = ""
    for index, (name, height, width) in enumerate((("images/a.png", 12, 14), ("images/c.jpg", 18, 16),
                                                   ("images/grey.jpg", 17, 13))):
        boxes = []
        for k in range(8):
            x1, x2 = sorted(rng.randint(0, width, 2))
            y1, y2 = sorted(rng.randint(0, height, 2))
            boxes.append(f"{k % 4 + 1} {rng.uniform():.3f} {x1} {y1} {x2} {y2}")
        boxes += [f"2 0.5 0 0 {width - 1} {height - 1}", f"0 0 {width - 1} {height - 1} {width - 1} {height - 1}"]
        text += f"# {index}\n{name}\n3\n{height}\n{width}\n{len(boxes)}\n" + "\n".join(boxes) + "\n"
    (folder / "windows.txt").write_text(text)
    for name, shape in (("mean", (1, 3, 9, 11)), ("square", (1, 3, 9, 9)), ("matrix", (1, 1, 3, 3))):
        values = rng.uniform(0, 1 if name == "matrix" else 255, shape).astype(np.float32)
        blob = caffe_pb2.BlobProto(num=1, channels=shape[1], height=shape[2], width=shape[3],
                                   data=values.ravel().tolist())
        (folder / f"{name}.binaryproto").write_bytes(blob.SerializeToString())


def run_case(caffe, name: str) -> dict[str, np.ndarray]:
    """{`<forward>/<blob>`: values} of the case's net, run in a folder with the sources as working folder."""
    case = CASES[name]
    path = Path(f"{name}.prototxt")
    path.write_text(net_text(case))
    caffe.set_random_seed(21)
    net = caffe.Net(str(path), getattr(caffe, case.phase))
    if case.arrays:
        rng = np.random.RandomState(case.arrays)
        net.set_input_arrays(rng.standard_normal((case.arrays, 3, 2, 4)).astype(np.float32),
                             np.arange(case.arrays, dtype=np.float32))
    found = {}
    for k in range(case.forwards):
        net.forward()
        found.update({f"{k}/{blob}": values.data.copy() for blob, values in net.blobs.items()})
        if case.backward:
            net.backward()
    if case.written:
        import h5py

        del net
        with h5py.File(case.written, "r") as file:
            return {**found, **{f"file/{key}": values[...] for key, values in file.items()}}
    found.update({f"gradient/{layer}": blobs[0].diff.copy() for layer, blobs in net.params.items()})
    return found
