"""train a net from a solver prototxt, fine-tune weights, or go on from a snapshot"""

from __future__ import annotations

from caffe import glog
from caffe.commands.common import Flags, chosen_gpus, gpu_name, needed, only, stages, use
from caffe.errors import CaffeError

USAGE = "--solver=FILE [--weights=FILES | --snapshot=FILE] [--gpu=N | --gpu=N,N… | --gpu=all]"
FLAGS = only("solver", "weights", "snapshot", "gpu", "level", "stage", "sigint_effect", "sighup_effect")


def run(flags: Flags, arguments: list[str]) -> int:
    """`train` of tools/caffe.cpp; with several GPUs a process for each does it."""
    from caffe.training import peers

    with peers.member():
        return _train(flags)


def _train(flags: Flags) -> int:
    from caffe.formats.upgrade import read_solver_file
    from caffe.proto import caffe_pb2
    from caffe.training import launch, parallel, peers
    from caffe.training.signals import ActionOnSignal
    from caffe.training.solvers import solver_from

    file = needed(flags, "solver", "the solver prototxt to train with")
    snapshot, weights = str(flags["snapshot"]), str(flags["weights"])
    if snapshot and weights:
        raise CaffeError("give --weights to fine-tune or --snapshot to resume, not both")
    on_signal = ActionOnSignal(str(flags["sigint_effect"]), str(flags["sighup_effect"]))
    param = read_solver_file(file)
    param.train_state.level = int(flags["level"])
    param.train_state.stage.extend(stages(flags))
    gpu = str(flags["gpu"])
    if not gpu and param.HasField("solver_mode") and param.solver_mode == caffe_pb2.SolverParameter.GPU:
        gpu = "all" if peers.launched() else str(param.device_id)
    gpus = chosen_gpus(gpu)
    if len(gpus) > 1 and not peers.launched():
        return launch.train_on(gpus, ["train", *(f"--{name}={value}" for name, value in flags.items() if value != "")])
    glog.info(f"Using GPUs {', '.join(map(str, gpus))}" if gpus else "Use CPU.")
    for index in gpus:
        glog.info(f"GPU {index}: {gpu_name(index) or 'not there'}")
    own = peers.own_gpus(gpus)
    use(own)
    if own:
        param.device_id = own[0]
    if snapshot or weights:
        del param.weights[:]
    if weights:
        param.weights.append(weights)
    with on_signal:
        solver = solver_from(param, file)
        solver.requested_action = on_signal.requested
        if snapshot:
            glog.info(f"Resuming from {snapshot}")
            solver.restore(snapshot)
        parallel.connect(solver)
        glog.info("Starting Optimization")
        solver.solve()
    glog.info("Optimization Done.")
    return 0
