"""The networks that the page offers to train, and what each needs. Names are those of `ethocaffe train`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROTOTXT = Path(__file__).resolve().parents[1] / "prototxt"


class Network(NamedTuple):
    """says: a sentence for whoever chooses. streams and size: what `ethocaffe prepare` makes for it; size 0: any will
    do. iterations: usual, and the most; 0 where it has none. solver: a file of prototxt/, None for the network's own.
    shares: folders of a dataset that hold what is computed of its videos, for every training alike."""

    says: str
    streams: str
    size: int
    iterations: int
    most: int
    solver: str | None = None
    shares: tuple[str, ...] = ("prepared",)


NETWORKS = {
    "mini/shape_motion/cnn": Network(
        "Small: learns from shape and motion within minutes on a laptop.", "shape,motion", 64, 500, 20_000
    ),
    "mini/shape_motion/lstm_after": Network(
        "Small, with a memory of the frames before; minutes on a laptop.",
        "shape,motion", 64, 500, 20_000, "mini/solver_low_rate.prototxt",
    ),
    "shape_motion/cnn": Network(
        "The thesis's full size, from random weights: hours, and only with a GPU worth starting.",
        "shape,motion", 256, 5_000, 100_000, "solver_low_rate.prototxt",
    ),
    "current_system": Network(
        "The system the thesis compares with: background subtraction and an SVM-HMM. Needs a still camera; "
        "some 15 seconds per minute of video on a laptop.",
        "shape", 0, 0, 0, shares=("prepared", "current_system"),
    ),
}  # fmt: skip
USUAL = next(iter(NETWORKS))
ANY_SIZE = 64  # pixels, of videos that are prepared for a network without a size of its own
VALIDATIONS = 5  # in a training


def training(name: str, dataset: Path, hold_out: str, output: Path, iterations: int, gpu: int | None) -> list[str]:
    """The arguments of `ethocaffe` that train a network of NETWORKS."""
    network = NETWORKS[name]
    # With "=", since a video's name may begin with a hyphen.
    out = ["train", name, str(dataset), f"--hold-out={hold_out}", "--output", str(output)]
    if network.iterations:
        out += ["--iterations", str(iterations), "--validate-every", str(-(-iterations // VALIDATIONS))]
        out += [] if network.solver is None else ["--solver", str(PROTOTXT / network.solver)]
        out += [] if gpu is None else ["--gpu", str(gpu)]
    return out
