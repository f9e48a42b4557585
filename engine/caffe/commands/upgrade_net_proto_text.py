"""bring a net in an older format (prototxt) to today's"""

from __future__ import annotations

from collections.abc import Mapping

from caffe.flags import Value

USAGE = "OLD_NET NEW_NET"
ARGUMENTS = (2, 2)
FLAGS: dict = {}


def run(flags: Mapping[str, Value], arguments: list[str]) -> int:
    """tools/upgrade_net_proto_text.cpp"""
    from caffe.commands.upgrading import upgrade_net_file
    from caffe.formats.files import write_bytes
    from caffe.formats.prototxt import read_net
    from caffe.formats.prototxt_text import to_text

    return upgrade_net_file(arguments, read_net, lambda path, net: write_bytes(path, to_text(net).encode()),
                            "text")
