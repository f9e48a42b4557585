"""bring a solver in an older format to today's"""

from __future__ import annotations

from collections.abc import Mapping

from caffe import glog
from caffe.flags import Value

USAGE = "OLD_SOLVER NEW_SOLVER"
ARGUMENTS = (2, 2)
FLAGS: dict = {}


def run(flags: Mapping[str, Value], arguments: list[str]) -> None:
    """tools/upgrade_solver_proto_text.cpp"""
    from caffe.formats.files import write_bytes
    from caffe.formats.prototxt import read_solver
    from caffe.formats.prototxt_text import to_text
    from caffe.formats.upgrade import upgrade_solver

    old, new = arguments
    solver = read_solver(old)
    if not solver.HasField("solver_type"):
        glog.error(f"File already in latest proto format: {old}")
    write_bytes(new, to_text(upgrade_solver(solver, old)).encode())
    glog.info(f"Wrote upgraded SolverParameter text proto to {new}")
