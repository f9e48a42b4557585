"""The `caffe` command: `caffe train --solver=FILE [--weights=FILE] [--snapshot=FILE] [--gpu=N]`."""

from __future__ import annotations

import argparse
import sys

from caffe.errors import CaffeError


def _train(args: argparse.Namespace) -> None:
    from caffe import context
    from caffe.solvers import get_solver

    if args.weights and args.snapshot:
        raise CaffeError("give --weights to fine-tune or --snapshot to resume, not both")
    if args.gpu is not None:
        context.set_device(args.gpu)
        context.set_mode_gpu()
    solver = get_solver(args.solver)
    for file in args.weights.split(",") if args.weights else ():
        for net in (solver.net, *solver.test_nets):
            net.copy_from(file)
    solver.solve(args.snapshot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="caffe", description="Caffe's command, on PyTorch.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a net from a solver prototxt, or go on from a snapshot")
    train.add_argument("--solver", "-solver", required=True, metavar="FILE", help="solver prototxt")
    train.add_argument("--weights", "-weights", metavar="FILE,…", help="caffemodels to fine-tune from")
    train.add_argument("--snapshot", "-snapshot", metavar="FILE", help=".solverstate to resume from")
    train.add_argument("--gpu", "-gpu", type=int, metavar="N", help="CUDA device")
    train.set_defaults(run=_train)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status: 0, or 2 for what the user can put right."""
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except CaffeError as error:
        print(f"caffe: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
