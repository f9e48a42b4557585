"""AlexNet's 61 million initial values, bit for bit as real Caffe draws them, where it is built."""

from __future__ import annotations

import hashlib

import caffe

# (name, type, outputs, an output's share of the input, std, bias), after models/bvlc_alexnet
LAYERS = [
    ("conv1", "Convolution", 96, (3, 11, 11), 0.01, 0), ("conv2", "Convolution", 256, (48, 5, 5), 0.01, 0.1),
    ("conv3", "Convolution", 384, (256, 3, 3), 0.01, 0), ("conv4", "Convolution", 384, (192, 3, 3), 0.01, 0.1),
    ("conv5", "Convolution", 256, (192, 3, 3), 0.01, 0.1), ("fc6", "InnerProduct", 4096, (256, 6, 6), 0.005, 0.1),
    ("fc7", "InnerProduct", 4096, (4096,), 0.005, 0.1), ("fc8", "InnerProduct", 1000, (4096,), 0.01, 0),
]
SEED = 15485863
SCRIPT = """
import hashlib, caffe
caffe.set_random_seed({seed})
net = caffe.Net("net.prototxt", caffe.TRAIN)
for name, blobs in net.params.items():
    for blob in blobs:
        print(name, hashlib.sha256(blob.data.tobytes()).hexdigest())
"""


def net_text() -> str:
    """A net with parameters of AlexNet's shapes, each layer with an input of its own."""
    lines = []
    for name, kind, outputs, shape, std, bias in LAYERS:
        dims = " ".join(f"dim: {n}" for n in (1, *shape))
        param, kernel = ("convolution_param", f"kernel_size: {shape[1]}") if kind == "Convolution" else (
            "inner_product_param", "")
        fillers = f'weight_filler {{ type: "gaussian" std: {std} }} bias_filler {{ value: {bias} }}'
        lines.append(f'layer {{ name: "{name}_in" type: "Input" top: "{name}_in" input_param {{ shape {{ {dims} }} }} '
                     f'}} layer {{ name: "{name}" type: "{kind}" bottom: "{name}_in" top: "{name}" '
                     f"{param} {{ num_output: {outputs} {kernel} {fillers} }} }}\n")
    return "".join(lines)


def test_alexnets_initial_values_are_real_caffes_to_the_bit(tmp_path, monkeypatch, real_caffe):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(net_text())
    (tmp_path / "values.py").write_text(SCRIPT.format(seed=SEED))
    theirs = real_caffe(tmp_path, "python3", "values.py").stdout.splitlines()
    caffe.set_random_seed(SEED)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    assert sum(blob.count for blobs in net.params.values() for blob in blobs) == 60965224
    ours = [f"{name} {hashlib.sha256(blob.data.tobytes()).hexdigest()}"
            for name, blobs in net.params.items() for blob in blobs]
    assert ours == theirs
