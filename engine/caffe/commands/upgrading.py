"""What upgrade_net_proto_text and upgrade_net_proto_binary have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from caffe import glog
from caffe.proto import caffe_pb2


def upgrade_net_file(arguments: Sequence[str], read: Callable[[str], caffe_pb2.NetParameter],
                     write: Callable[[str, caffe_pb2.NetParameter], None], form: str) -> int:
    """Read the first file, write it in today's format to the second; 1 if something of it had to be left out, else 0.

    Raises CaffeError for what cannot be read.
    """
    from caffe.formats.upgrade import needs_upgrade, upgrade_net

    old, new = arguments
    net = read(old)
    if not needs_upgrade(net):
        glog.error(f"File already in latest proto format: {old}")
    problems: list[str] = []

    def note(problem: str) -> None:
        problems.append(problem)
        glog.error(problem)

    upgraded = upgrade_net(net, old, note)
    if problems:
        glog.error("Encountered error(s) while upgrading prototxt; see details above.")
    write(new, upgraded)
    glog.info(f"Wrote upgraded NetParameter {form} proto to {new}")
    return 1 if problems else 0
