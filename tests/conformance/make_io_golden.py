"""Write golden/io.npz: what real Caffe 1.0's caffe.io gives, for tests/unit/test_engine_io.py.

Runs inside real Caffe, in this folder:  python3 make_io_golden.py
"""

import os

import numpy as np

import caffe

SHAPES = [(30, 40, 3), (21, 17, 1), (20, 20, 4)]
SPLINE_SIZES = [(9, 13), (33, 9), (31, 43)]
SIZES = [(15, 20), (35, 50), (13, 29), (40, 17), (1, 7)]


def image(shape):
    """Noise on a slope, the same from every version of numpy."""
    noise = np.random.RandomState(4).rand(*shape)
    return (noise * np.linspace(0.2, 3, shape[1])[:, np.newaxis] + 0.3).astype(np.float32)


def transformer(mean):
    made = caffe.io.Transformer({"data": (1, 3, 22, 25)})
    made.set_transpose("data", (2, 0, 1))
    made.set_channel_swap("data", (2, 1, 0))
    made.set_raw_scale("data", 255)
    made.set_mean("data", mean)
    made.set_input_scale("data", 0.5)
    return made


def results():
    """Everything that is compared, by name."""
    given = {}
    for shape in SHAPES:
        name = "x".join(map(str, shape))
        for size in SIZES:
            for order in (0, 1) if shape == SHAPES[0] else (1,):
                key = "resize {} {} order {}".format(name, "x".join(map(str, size)), order)
                given[key] = caffe.io.resize_image(image(shape), size, order)
        for size in SPLINE_SIZES:
            for order in (2, 3, 4, 5):
                key = "resize {} {} order {}".format(name, "x".join(map(str, size)), order)
                given[key] = caffe.io.resize_image(image(shape), size, order)[:, ::3]
        given["oversample " + name] = caffe.io.oversample([image(shape), 2 * image(shape)], (5, 8))[:, ::2]
    means = {"image": 100 * image((40, 50, 3)).transpose(2, 0, 1), "channels": np.array([1.0, 2, 3])}
    for name, mean in means.items():
        given["preprocess " + name] = transformer(mean).preprocess("data", image(SHAPES[0]))
        given["deprocess " + name] = transformer(mean).deprocess("data", given["preprocess " + name])
    numbers = np.arange(12.0).reshape(3, 2, 2) / 7
    messages = {
        "blob": caffe.io.array_to_blobproto(numbers, -numbers).SerializeToString(),
        "blob vector": caffe.io.arraylist_to_blobprotovector_str([numbers, np.eye(2)]),
        "datum uint8": caffe.io.array_to_datum((100 * numbers).astype(np.uint8), 4).SerializeToString(),
        "datum float": caffe.io.array_to_datum(numbers).SerializeToString(),
    }
    given.update((name, np.frombuffer(data, np.uint8)) for name, data in messages.items())
    return given


def main():
    target = os.path.join("golden", "io.npz")
    np.savez_compressed(target + ".tmp.npz", **results())
    os.replace(target + ".tmp.npz", target)


if __name__ == "__main__":
    main()
