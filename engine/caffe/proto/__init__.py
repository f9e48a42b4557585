"""Caffe's messages, `caffe_pb2`, and `extend` for those of a fork.

    import caffe
    caffe.proto.extend("fork/caffe.proto")     # a fork's whole caffe.proto, or only the messages that it adds to

For commands, the environment variable CAFFE_PROTO names such a file (several: between the system's path separators).
"""

import os


def extend(file: str | os.PathLike) -> None:
    """Let prototxt and binary files have the fields of the .proto `file` (proto2, as Caffe's is).

    Messages, fields and enum values that it has and Caffe has not are added; where both have a field, the file's
    number and type count, so that the fork's own weights are read as it wrote them. A field of Caffe's whose number is
    taken moves to a free one. Call it before making nets: messages made earlier keep their fields. What a layer type
    of the fork computes is a class of yours: see `caffe.layer_types.register`. Raises CaffeError for a file that is
    no such proto.
    """
    from caffe.proto.extension import extend_messages

    extend_messages(os.fspath(file))


def _extend_by_environment() -> None:
    from caffe.errors import CaffeError

    for file in filter(None, os.environ["CAFFE_PROTO"].split(os.pathsep)):
        try:
            extend(file)
        except CaffeError as error:
            # while the package is being imported, nobody could catch it
            raise SystemExit(f"caffe: error: CAFFE_PROTO: {error}") from None


if os.environ.get("CAFFE_PROTO"):
    _extend_by_environment()
