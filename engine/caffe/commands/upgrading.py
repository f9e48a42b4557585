"""What upgrade_net_proto_text and upgrade_net_proto_binary have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from caffe import glog
from caffe.proto import caffe_pb2


def upgrade_net_file(arguments: Sequence[str], read: Callable[[str], caffe_pb2.NetParameter],
                     write: Callable[[str, caffe_pb2.NetParameter], None], form: str) -> None:
    """Read the first file, write it in today's format to the second. Raises CaffeError for what cannot be read."""
    from caffe.upgrade import needs_upgrade, upgrade_net

    old, new = arguments
    net = read(old)
    if not needs_upgrade(net):
        glog.error(f"File already in latest proto format: {old}")
    write(new, upgrade_net(net, old))
    glog.info(f"Wrote upgraded NetParameter {form} proto to {new}")
