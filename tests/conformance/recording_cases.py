"""Whole training runs by the `caffe` command, in real Caffe 1.0 (Python 3.9, numpy 1.19) and here alike.

A net with the usual layers learns blurred patterns of ten classes from an LMDB that both sides write, with crop,
mirror, mean and scale, dropout, a test net or two and snapshots. Every random number comes from random_seed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

IMAGES, SIDE, CLASSES = 240, 16, 10
MODEL = "net.prototxt"

NET = """
name: "Recorded"
layer { name: "input" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.0078125 crop_size: 14 mirror: true mean_file: "mean.binaryproto" }
  data_param { source: "images" batch_size: 16 backend: LMDB } }
layer { name: "input" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.0078125 crop_size: 14 mean_file: "mean.binaryproto" }
  data_param { source: "images" batch_size: 24 backend: LMDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool1" top: "ip1" param { name: "w" } param { decay_mult: 0 }
  inner_product_param { num_output: 20 weight_filler { type: "gaussian" std: 0.1 } bias_filler { value: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "drop1" type: "Dropout" bottom: "ip1" top: "ip1" dropout_param { dropout_ratio: 0.3 }
  exclude { stage: "plain" } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""

BASE = f"""net: "{MODEL}" random_seed: 15485863 snapshot_prefix: "run" test_iter: 3 test_interval: 25 display: 5
max_iter: 60 snapshot: 30 """

# the first one's log is kept whole, of the others what follows the nets
RUNS = {
    "sgd": 'base_lr: 0.02 momentum: 0.9 weight_decay: 0.0005 lr_policy: "inv" gamma: 0.001 power: 0.75 average_loss: 4 '
           'test_iter: 2 test_state { stage: "plain" } test_state { }',
    "nesterov": 'type: "Nesterov" base_lr: 0.01 momentum: 0.9 lr_policy: "step" gamma: 0.5 stepsize: 20 '
                "weight_decay: 0.001 test_initialization: false",
    "adagrad": 'type: "AdaGrad" base_lr: 0.02 lr_policy: "fixed" iter_size: 2 regularization_type: "L1" '
               "weight_decay: 0.0001",
    "rmsprop": 'type: "RMSProp" base_lr: 0.002 rms_decay: 0.95 lr_policy: "multistep" gamma: 0.3 stepvalue: 15 '
               "stepvalue: 40 test_compute_loss: true",
    "adadelta": 'type: "AdaDelta" base_lr: 1 momentum: 0.95 delta: 1e-6 lr_policy: "sigmoid" gamma: 0.1 stepsize: 20',
    "adam": 'type: "Adam" base_lr: 0.003 momentum: 0.9 momentum2: 0.999 delta: 1e-8 lr_policy: "poly" power: 1 '
            "clip_gradients: 3 snapshot_after_train: false",
    "debug": "max_iter: 7 base_lr: 0.02 momentum: 0.5 lr_policy: 'fixed' debug_info: true snapshot: 0",
}


def solver_text(run: str, more: str = "") -> str:
    """The solver prototxt; where a run or `more` gives a field of BASE again, the last one counts."""
    single, repeated = {}, []
    for name, value in re.findall(r"(\w+:?) (\{[^}]*\}|\S+)", f"{BASE} {RUNS[run]} {more}"):
        if name in ("test_iter:", "stepvalue:", "test_state"):
            repeated.append(f"{name} {value}")
        else:
            single[name] = value
    return "\n".join([*(f"{name} {value}" for name, value in single.items()), *repeated]) + "\n"


def write(folder: Path) -> None:
    """Write the LMDB, its mean, the net and a solver of each run into the folder."""
    import lmdb

    from caffe.proto import caffe_pb2

    random = np.random.RandomState(11)
    patterns = random.randint(0, 256, (CLASSES, SIDE, SIDE))
    labels = random.randint(0, CLASSES, IMAGES)
    noise = random.randint(0, 256, (IMAGES, SIDE, SIDE))
    images = ((2 * (patterns + patterns[:, :, ::-1])[labels] + 3 * noise) // 7).astype(np.uint8)
    with lmdb.open(str(folder / "images"), map_size=1 << 22) as environment, environment.begin(write=True) as batch:
        for k, (image, label) in enumerate(zip(images, labels)):
            datum = caffe_pb2.Datum(channels=1, height=SIDE, width=SIDE, data=image.tobytes(), label=int(label))
            batch.put(b"%08d" % k, datum.SerializeToString())
    mean = images.mean(axis=0, dtype=np.float64).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=SIDE, width=SIDE, data=mean.ravel().tolist())
    (folder / "mean.binaryproto").write_bytes(blob.SerializeToString())
    (folder / MODEL).write_text(NET)
    for run in RUNS:
        (folder / f"{run}.prototxt").write_text(solver_text(run))
