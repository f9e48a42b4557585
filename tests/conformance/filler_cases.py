"""Every filler on shapes that show its variants, in the engine and in real Caffe 1.0 (Python 3.9, numpy 1.19) alike."""

import os
import tempfile

SEEDS = (0, 1, 15485863, 4294967295)
CASES = [
    ('type: "constant" value: 0.1', (3, 2)),
    ('type: "uniform" min: -0.3 max: 0.7', (7, 11)),
    ('type: "uniform" min: 5 max: 5', (4,)),
    ('type: "uniform" min: 0 max: 1', (3000, 1000)),
    ('type: "gaussian" std: 0.01', (96, 3, 11, 11)),
    ('type: "gaussian" mean: -2.5 std: 3', (5,)),
    ('type: "gaussian" mean: 1 std: 0.005', (3000, 1000)),
    ('type: "gaussian" std: 0.1 sparse: 3', (20, 31)),
    ('type: "gaussian" std: 1 sparse: 0', (4, 5)),
    ('type: "positive_unitball"', (5, 3, 4)),
    ('type: "positive_unitball"', (6,)),
    ('type: "xavier"', (20, 5, 3, 3)),
    ('type: "xavier" variance_norm: FAN_OUT', (20, 5, 3, 3)),
    ('type: "xavier" variance_norm: AVERAGE', (7, 20)),
    ('type: "xavier"', (9,)),
    ('type: "msra"', (20, 5, 3, 3)),
    ('type: "msra" variance_norm: FAN_OUT', (20, 5, 3, 3)),
    ('type: "msra" variance_norm: AVERAGE', (7, 20, 2)),
    ('type: "bilinear"', (2, 3, 4, 4)),
    ('type: "bilinear"', (1, 2, 5, 5)),
    ('type: "bilinear"', (1, 1, 7, 7)),
]
NET = """
layer {{ name: "d" type: "DummyData" top: "x" top: "after" dummy_data_param {{
  data_filler {{ {filler} }} data_filler {{ type: "uniform" min: 0 max: 1 }}
  shape {{ {dims} }} shape {{ dim: 4 }} }} }}
"""


def fill(caffe, filler, shape, seed):
    """The array that the filler gives first after `seed`, and four uniform numbers behind it."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", delete=False) as file:
        file.write(NET.format(filler=filler, dims=" ".join(f"dim: {extent}" for extent in shape)))
    caffe.set_random_seed(seed)
    net = caffe.Net(file.name, caffe.TRAIN)
    os.unlink(file.name)
    net.forward()
    return net.blobs["x"].data.copy(), net.blobs["after"].data.copy()
