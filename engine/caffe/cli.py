"""The `caffe` command: `caffe train --solver=FILE [--weights=FILE] [--snapshot=FILE] [--gpu=N]`."""

from __future__ import annotations

import argparse
import sys

from caffe.errors import CaffeError


def _train(args: argparse.Namespace) -> int:
    from caffe import context, launch, parallel
    from caffe.solvers import get_solver

    if args.weights and args.snapshot:
        raise CaffeError("give --weights to fine-tune or --snapshot to resume, not both")
    gpus = launch.gpu_numbers(args.gpu)
    if len(gpus) > 1 and not parallel.launched():
        return launch.train_on(gpus, args.arguments)
    with parallel.member(gpus):
        if gpus and not parallel.launched():
            context.set_device(gpus[0])
            context.set_mode_gpu()
        solver = get_solver(args.solver)
        for file in args.weights.split(",") if args.weights else ():
            for net in (solver.net, *solver.test_nets):
                net.copy_from(file)
        parallel.connect(solver)
        solver.solve(args.snapshot)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="caffe", description="Caffe's command, on PyTorch.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a net from a solver prototxt, or go on from a snapshot")
    train.add_argument("--solver", "-solver", required=True, metavar="FILE", help="solver prototxt")
    train.add_argument("--weights", "-weights", metavar="FILE,…", help="caffemodels to fine-tune from")
    train.add_argument("--snapshot", "-snapshot", metavar="FILE", help=".solverstate to resume from")
    train.add_argument("--gpu", "-gpu", metavar="N,…", help="CUDA device; several, or all, train together, each with "
                       "a batch of its own")
    train.set_defaults(run=_train)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status: 0, or 2 for what the user can put right."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = _parser().parse_args(arguments, argparse.Namespace(arguments=arguments))
    try:
        return args.run(args)
    except CaffeError as error:
        print(f"caffe: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
