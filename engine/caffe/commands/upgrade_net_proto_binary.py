"""bring weights in an older format (.caffemodel) to today's"""

from __future__ import annotations

from collections.abc import Mapping

from caffe.flags import Value

USAGE = "OLD_WEIGHTS NEW_WEIGHTS"
ARGUMENTS = (2, 2)
FLAGS: dict = {}


def run(flags: Mapping[str, Value], arguments: list[str]) -> int:
    """tools/upgrade_net_proto_binary.cpp"""
    from caffe.commands.upgrading import upgrade_net_file
    from caffe.formats import binaryproto

    return upgrade_net_file(arguments, binaryproto.read_net, binaryproto.write, "binary")
