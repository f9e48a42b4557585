"""A dataset and a network small enough to be trained in a second: squares that stay, go right or go down."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from data_prep.dataset import write_labels

CLASSES = ("still", "across", "down")
SIZE, CROP = 32, 28

DATA = """
layer {{ name: "data" type: "Python" top: "data" top: "motion" top: "label" include {{ phase: {phase} }}
  python_param {{ module: "python_layers.frame_sequences" layer: "FrameSequenceData"
    param_str: '{{"dataset": "", "videos": [], "streams": ["shape", "motion"], "size": 32, "crop": 28,
                  "sequence_length": 1, "batch_size": 16, "mean": {{"shape": [0], "motion": [0, 0, 0, 0]}},
                  "seed": 1, "shuffle": {shuffle}, "workers": 0}}' }} }}
"""
INPUTS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 28 dim: 28 } } }
layer { name: "motion" type: "Input" top: "motion" input_param { shape { dim: 1 dim: 4 dim: 28 dim: 28 } } }
"""
# Dropout, so that going on after an interruption has random numbers to get right.
BODY = """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 5 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "bn1" }
layer { name: "motion_conv1" type: "Convolution" bottom: "motion" top: "motion_conv1"
  convolution_param { num_output: 6 kernel_size: 5 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "motion_relu1" type: "ReLU" bottom: "motion_conv1" top: "motion_conv1" }
layer { name: "motion_bn1" type: "BatchNorm" bottom: "motion_conv1" top: "motion_bn1" }
layer { name: "both" type: "Concat" bottom: "bn1" bottom: "motion_bn1" top: "both" }
layer { name: "pool" type: "Pooling" bottom: "both" top: "pool" pooling_param { pool: MAX kernel_size: 3 stride: 3 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "pool" }
layer { name: "scores" type: "InnerProduct" bottom: "pool" top: "scores"
  inner_product_param { num_output: 99 weight_filler { type: "xavier" } } }
"""
LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss"
  loss_param { ignore_label: -1 } }
"""
PROBABILITIES = 'layer { name: "prob" type: "Softmax" bottom: "scores" top: "prob" }'
SOLVER = """
net: "train_val.prototxt" type: "SGD" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 60 test_interval: 20
random_seed: 3
"""


def write_network(folder: Path) -> Path:
    """A network of its own, with its solver beside it."""
    folder.mkdir(parents=True)
    data = DATA.format(phase="TRAIN", shuffle="true") + DATA.format(phase="TEST", shuffle="false")
    (folder / "train_val.prototxt").write_text(data.replace("\n                  ", " ") + BODY + LOSS)
    (folder / "deploy.prototxt").write_text(INPUTS + BODY + PROBABILITIES)
    (folder / "solver.prototxt").write_text(SOLVER)
    return folder


def write_dataset(folder: Path, videos: int = 3, frames: int = 90) -> Path:
    """Videos v0, v1 … with labels; frame t of each is drawn by its label."""
    for part in ("videos", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for number in range(videos):
        labels = np.repeat(np.random.default_rng(number).permutation(np.arange(frames // 10) % 3), 10)
        write_video(folder / "videos" / f"v{number}.mp4", labels, seed=number)
        write_labels(folder / "labels" / f"v{number}.csv", CLASSES, labels)
    return folder


def write_video(path: Path, labels: np.ndarray, seed: int, rate: int = 30) -> None:
    """A 64×64 video of a square whose size and motion show each frame's class."""
    generator = np.random.default_rng(seed)
    x = y = 10
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for label in labels:
            x, y = (x + 3 * (label == 1)) % 56, (y + 3 * (label == 2)) % 56
            picture = np.full((64, 64), 60, np.uint8)
            side = (10, 16, 24)[label]
            cv2.rectangle(picture, (x, y), (x + side, y + side), 220, cv2.FILLED)
            noisy = np.clip(picture + generator.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(noisy[:, :, np.newaxis], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
