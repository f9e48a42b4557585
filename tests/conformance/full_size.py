"""A full-size network trained on the same batches in real Caffe 1.0 and in the engine, compared number by number.

    OPENBLAS_NUM_THREADS=2 python3 tests/conformance/full_size.py record DATASET FOLDER    inside real Caffe
    OPENBLAS_NUM_THREADS=1 python3 tests/conformance/full_size.py again  DATASET FOLDER    inside real Caffe
    python tests/conformance/full_size.py compare DATASET FOLDER          in the engine; prints the table as Markdown

DATASET is prepared at 256 pixels; FOLDER takes some gigabytes of arrays, to be thrown away after. Both engines read
the same train_val.prototxt with the same Python layer and start from the seed alone. `again` is real Caffe against
itself with another number of BLAS threads, which rounds sums differently: no engine can be nearer to it than that.

SGD (momentum 0.9, rate 0.01): the losses of 20 iterations. The thesis's solver: its trajectories are chaotic
(RMSProp divides by the root of its history, so the rounding of gradients that are zero in truth is blown up to whole
steps), so it is held state by state: from each snapshot that real Caffe wrote, the loss and the gradients of the
next iteration, and what the update makes of real Caffe's own gradients.

Single gradients jump where a ReLU's input is 0, or two candidates of a maximum are equal, but for rounding. So beside
the worst array (max |a − b| / max |b|) stand the whole gradient (‖a − b‖ / ‖b‖ over all parameters), and how far real
Caffe itself is from the same step computed by the engine in float64.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

import caffe
from data_prep.dataset import open_dataset, prepared
from tools import network

SGD_ITERATIONS = 20
STATES = (0, 1, 2, 10)
SOLVERS = {
    "sgd": 'type: "SGD" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9',
    "thesis": 'type: "RMSProp" rms_decay: 0.92 base_lr: 0.01 lr_policy: "inv" gamma: 0.01 power: 0.472 '
              "clip_gradients: 10",
}


def make_solver(name, args, start=0):
    """A solver of the network on the dataset, its data layer starting at batch `start`."""
    folder = network.find_network(args.network)
    path = folder / "train_val.prototxt"
    net = network.read_net(path)
    dataset = open_dataset(args.dataset)
    streams = network.data_settings(net, "TRAIN", path)["streams"]
    metas = [prepared(dataset, stem, streams).meta for stem in dataset.videos]
    mean = {s: np.mean([meta["mean"][s] for meta in metas], axis=0).round(3).tolist() for s in streams}
    for phase in ("TRAIN", "TEST"):
        network.fill_data(net, phase, path, dataset=str(args.dataset), videos=sorted(dataset.videos), mean=mean,
                          start_batch=start)
    network.set_classes(net, len(dataset.classes), path)
    net_file = args.folder / "train_val.prototxt"
    network.write_message(net_file, net)
    solver_file = args.folder / "solver.prototxt"
    solver_file.write_text(f'net: "{net_file}" snapshot_prefix: "{args.folder}/{name}" random_seed: 15485863 '
                           f"max_iter: 1000 {SOLVERS[name]}\n")
    return caffe.get_solver(str(solver_file))


def parameters(net):
    """[(layer/index, blob)] of the net."""
    return [(f"{layer}/{i}", blob) for layer, blobs in net.params.items() for i, blob in enumerate(blobs)]


def one_step(solver):
    """(loss, gradients before clipping, weights after) of one iteration."""
    gradients = {}

    def keep():
        for name, blob in parameters(solver.net):
            gradients[name] = blob.diff.copy()

    solver.add_callback(lambda: None, keep)
    solver.step(1)
    return (float(solver.net.blobs["loss"].data), gradients,
            {name: blob.data.copy() for name, blob in parameters(solver.net)})


def train_with_sgd(args):
    """The losses of the first iterations; the initial weights are left in FOLDER by real Caffe's first run."""
    solver = make_solver("sgd", args)
    if args.what == "record":
        np.savez(str(args.folder / "initial.npz"), **{name: blob.data for name, blob in parameters(solver.net)})
    elif args.what == "compare":
        with np.load(args.folder / "initial.npz") as theirs:
            args.same_start = all(np.array_equal(blob.data, theirs[name]) for name, blob in parameters(solver.net))
    losses = []
    for i in range(SGD_ITERATIONS):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        print("sgd", i, losses[-1], file=sys.stderr, flush=True)
    return np.asarray(losses)


def from_state(state, args):
    """A solver of the thesis that goes on from one of real Caffe's snapshots."""
    solver = make_solver("thesis", args, start=state)
    solver.restore(str(args.folder / f"thesis_iter_{state}.solverstate"))
    return solver


def record(args):
    np.save(str(args.folder / f"sgd_{args.what}.npy"), train_with_sgd(args))
    if args.what == "record":
        solver = make_solver("thesis", args)
        for i in range(max(STATES) + 1):
            if i in STATES:
                solver.snapshot()
            solver.step(1)
            print("thesis", i, float(solver.net.blobs["loss"].data), file=sys.stderr, flush=True)
    for state in STATES:
        loss, gradients, after = one_step(from_state(state, args))
        arrays = {f"gradient/{name}": values for name, values in gradients.items()}
        arrays.update({f"after/{name}": values for name, values in after.items()})
        np.savez(str(args.folder / f"{args.what}_{state}.npz"), loss=loss, **arrays)


def load(file):
    """(loss, gradients, weights after) of one recorded step."""
    with np.load(file) as arrays:
        parts = {part: {n.split("/", 1)[1]: arrays[n] for n in arrays.files if n.startswith(part + "/")}
                 for part in ("gradient", "after")}
        return float(arrays["loss"]), parts["gradient"], parts["after"]


@contextmanager
def double_precision():
    """Nets made inside compute in float64."""
    from caffe.blob import Blob
    from caffe.layer_types import Layer

    make, dtype = Blob.__init__, Layer.dtype

    def make_double(blob, *shape, **_):
        make(blob, *shape, dtype=np.float64)

    Blob.__init__, Layer.dtype = make_double, np.float64  # type: ignore[method-assign]
    try:
        yield
    finally:
        Blob.__init__, Layer.dtype = make, dtype  # type: ignore[method-assign]


def worst(ours, theirs):
    """`error (array)` of the array with the worst max |a − b| / max |b|; zeros count by max |a|."""
    error, name = max((float(np.abs(ours[n] - theirs[n]).max() / (np.abs(theirs[n]).max() or 1)), n) for n in theirs)
    return f"{error:.1e} ({name})"


def whole(ours, theirs):
    """‖a − b‖ / ‖b‖ over all arrays together."""
    off = sum(float(((ours[n] - theirs[n]).astype(np.float64) ** 2).sum()) for n in theirs)
    return f"{(off / sum(float((v.astype(np.float64) ** 2).sum()) for v in theirs.values())) ** 0.5:.1e}"


def updated(state, gradients, after, args):
    """The weights that the engine's update makes of real Caffe's gradients."""
    solver = from_state(state, args)
    for name, blob in parameters(solver.net):
        blob.diff[...] = gradients[name]
        if solver.net.layer_dict[name.split("/")[0]].type == "BatchNorm":
            blob.data[...] = after[name]  # statistics: the forward pass moves them, not the update
    solver.apply_update()
    return {name: blob.data for name, blob in parameters(solver.net)}


def compare(args):
    losses = train_with_sgd(args)
    theirs, again = (np.load(args.folder / f"sgd_{which}.npy") for which in ("record", "again"))
    rows = [("initial weights from the seed", "", "bit for bit" if args.same_start else "different", "", "")]
    rows.append((f"SGD, losses of {SGD_ITERATIONS} iterations, relative", "",
                 *(f"{np.abs(x / theirs - 1).max():.1e}" for x in (losses, again)), ""))
    for state in STATES:
        loss, gradients, after = load(args.folder / f"record_{state}.npz")
        other_loss, other_gradients, _ = load(args.folder / f"again_{state}.npz")
        our_loss, our_gradients, _ = one_step(from_state(state, args))
        with double_precision():
            exact_loss, exact_gradients, _ = one_step(from_state(state, args))
        others = (our_gradients, other_gradients, exact_gradients)
        where = f"iteration {state}, loss {loss:.3f}"
        rows += [
            ("thesis's solver: loss, relative", where,
             *(f"{abs(x / loss - 1):.1e}" for x in (our_loss, other_loss, exact_loss))),
            ("… whole gradient", where, *(whole(other, gradients) for other in others)),
            ("… worst array's gradient", where, *(worst(other, gradients) for other in others)),
            ("… weights by its gradients", where, worst(updated(state, gradients, after, args), after), "", ""),
        ]
        print(*rows[-4:], sep="\n", file=sys.stderr, flush=True)
    print(f"| {args.network}: difference from real Caffe of | from state | the engine | real Caffe with other threads "
          "| exact arithmetic (float64) |\n|---|---|---|---|---|")
    for row in rows:
        print("| {} | {} | {} | {} | {} |".format(*row))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("record", "again", "compare"))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="shape/cnn")
    arguments = parser.parse_args()
    (compare if arguments.what == "compare" else record)(arguments)
